"""Layouts of releases: what they hold, and how what is broken in them is told."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from xtr.catalogue.lookup import TASKS, find_task
from xtr.data.official import OfficialSource
from xtr.data.readers import READERS
from xtr.data.records import RECORDS
from xtr.data.rows import Answer, ChoiceRow, PairRow, Row, SpanRow, TaggingRow
from xtr.errors import InputError, Problem

CONLLU = """\
# text = Im Haus
1-2\tIm\t_\t_\t_\t_\t_\t_\t_\t_
1\tIn\tin\tADP\t_\t_\t3\tcase\t_\t_
2\tdem\tder\tDET\t_\t_\t3\tdet:art\t_\t_
2.1\tleer\tleer\tVERB\t_\t_\t_\t_\t_\t_
3\tHaus\u200cnr 1\tHaus\tNOUN\t_\t_\t0\troot\t_\t_

1\t_\t_\tNOUN\t_\t_\t0\troot\t_\t_
2\t_\t_\tNOUN\t_\t_\t1\tnmod\t_\t_

"""


def read(
    folder: Path, task: str, file_format: str, *contents: str | bytes, language: str = "en"
) -> Sequence[Row]:
    paths = [folder / f"file{number}.txt" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return READERS[file_format](paths, find_task(task), language)  # type: ignore[index]


def problem(folder: Path, task: str, file_format: str, *contents: str | bytes) -> Problem:
    with pytest.raises(InputError) as refused:
        read(folder, task, file_format, *contents)
    return refused.value.problems[0]


def test_every_format_of_the_catalogue_has_a_reader_and_all_columns_a_parser() -> None:
    for task in TASKS.values():
        for layout in (*task.train, *task.select, *task.dev, *task.test):
            assert layout.format in READERS, (task.name, layout)
        for files in task.hub.values():
            assert files.columns in RECORDS


def test_a_contraction_is_one_word_with_the_tag_of_its_highest_and_foremost_part(tmp_path: Path) -> None:
    assert read(tmp_path, "udpos", "conllu_upos", CONLLU) == [
        TaggingRow("file0/0", ("Im", "Hausnr1"), ("ADP", "NOUN"))
    ]
    assert read(tmp_path, "ud_deprel", "conllu_deprel", CONLLU)[0] == TaggingRow(
        "file0/0", ("Im", "Hausnr1"), ("case", "root")
    )


def test_treebanks_of_a_language_are_pooled_by_file_name(tmp_path: Path) -> None:
    for treebank in ("UD_A/en_z", "UD_B/en_b"):
        path = tmp_path / f"ud-treebanks-v2.5/{treebank}-ud-train.conllu"
        path.parent.mkdir(parents=True)
        path.write_text(CONLLU)
    rows = OfficialSource(tmp_path).rows(find_task("udpos"), "train", "en")
    assert [row.id for row in rows] == ["en_b-ud-train/0", "en_z-ud-train/0"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("1\tIn\tin\tADP", "wrong number of columns"),
        ("x\tIn\t_\tADP\t_\t_\t0\troot\t_\t_", "not the number of a word"),
        ("1\tIn\t_\tNOPE\t_\t_\t0\troot\t_\t_", "unknown label"),
        ("4-5\tIm\t_\t_\t_\t_\t_\t_\t_\t_", "a contraction has no parts"),
    ],
)
def test_broken_treebanks_are_told_with_their_line(tmp_path: Path, line: str, what: str) -> None:
    found = problem(tmp_path, "udpos", "conllu_upos", f"{CONLLU}{line}\n")
    assert (found.what, found.where[-3:]) == (what, ":11")


def test_cut_sentences_are_joined_by_their_numbers(tmp_path: Path) -> None:
    words, numbers = "a\tO\nb\tB-PER\n\nc\tO\n\nd\tO\n", "0\n0\n\n0\n\n1\n"
    assert read(tmp_path, "panx", "rejoined_words", words, numbers) == [
        TaggingRow("0", ("a", "b", "c"), ("O", "B-PER", "O")),
        TaggingRow("1", ("d",), ("O",)),
    ]
    (hidden,) = read(tmp_path, "panx", "rejoined_words", "a\tO\n\nb\tO\n", "0\n\n0\n")
    assert hidden == TaggingRow("0", ("a", "b"), None)
    assert (
        problem(tmp_path, "panx", "rejoined_words", words, "0\n").what
        == "the two files have different lengths"
    )


def test_of_several_models_cut_files_the_first_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "panx/panx_processed_maxlen128/de"
    folder.mkdir(parents=True)
    for model in ("xlm-roberta-large", "bert-base-multilingual-cased"):
        (folder / f"dev.{model}").write_text("Ada\tB-PER\n")
        (folder / f"dev.{model}.idx").write_text("0\n")
    paths = OfficialSource(tmp_path).paths(find_task("panx"), "dev", "de")
    assert [path.name for path in paths] == [f"dev.bert-base-multilingual-cased{end}" for end in ("", ".idx")]


def test_ccg_categories_become_their_numbers(tmp_path: Path) -> None:
    numbers = json.dumps({"N": 0, "N/N": 1362})
    rows = read(tmp_path, "ccg", "ccg_tsv", "big dogs\tN/N N\n", numbers)
    assert rows == [TaggingRow("0", ("big", "dogs"), ("1362", "0"))]
    assert problem(tmp_path, "ccg", "ccg_tsv", "dogs\tS\n", numbers).what == "unknown category"
    assert (
        problem(tmp_path, "ccg", "ccg_tsv", "dogs\tN N\n", numbers).what == "words and categories do not fit"
    )


def test_ids_that_repeat_get_the_number_of_their_occurrence(tmp_path: Path) -> None:
    asked = [{"id": "7", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}] * 3
    text = json.dumps([{"paragraphs": [{"context": "Ada", "qas": asked}]}])
    rows = read(tmp_path, "tydiqa", "squad_json_repeated_ids", text)
    assert [row.id for row in rows] == ["7", "7#2", "7#3"]


def test_one_language_is_read_out_of_tydiqas_file_of_all(tmp_path: Path) -> None:
    asked = [
        {"id": f"{name}-1-0", "question": "?", "answers": [{"text": "a", "answer_start": 0}]}
        for name in ("english", "swahili")
    ]
    text = json.dumps({"data": [{"paragraphs": [{"context": "a", "qas": asked}]}]})
    assert [row.id for row in read(tmp_path, "tydiqa", "tydiqa_json", text, language="sw")] == ["swahili-1-0"]


def test_a_packed_file_is_unpacked_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\tneutral\n"))
    assert READERS["pairs_tsv"]([path], find_task("xnli"), "en") == [PairRow("0", "a", "b", "neutral")]
    path.write_bytes(b"no gzip")
    with pytest.raises(InputError, match="cannot be unpacked"):
        READERS["pairs_tsv"]([path], find_task("xnli"), "en")


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        ('"so ""x"""\tb\t1\nplain\tc\t0\n', 'so "x"'),
        ('"so ""x"""\tb\t1\na lone " here\tc\t0\n', '"so ""x"""'),
    ],
)
def test_quotes_are_undone_only_where_a_csv_writer_made_them_all(
    tmp_path: Path, lines: str, first: str
) -> None:
    row = read(tmp_path, "pawsx", "pairs_tsv", lines)[0]
    assert isinstance(row, PairRow)
    assert row.first == first


@pytest.mark.parametrize(
    ("task", "file_format", "contents", "what"),
    [
        ("mnli", "nli_tsv", ("a\tb\tneutral\n",), "the header is missing"),
        ("mnli", "nli_tsv", ("premise\thypo\tlabel\na\tb\tmaybe\n",), "unknown label"),
        ("mnli", "nli_tsv", ("premise\thypo\tlabel\na\tb\tneutral\tx\n",), "wrong number of columns"),
        (
            "mnli",
            "nli_tsv",
            ("premise\thypo\tlabel\na\n",),
            "'hypothesis' or 'sentence2' or 'hypo' is missing",
        ),
        ("mnli", "nli_tsv", ("premise\thypo\tlabel\n",), "the file holds no rows"),
        ("qqp", "qqp_partition", ("1\ta\tb\n",), "wrong number of columns"),
        ("qqp", "qqp_partition", ("1\ta\tb\t7\n0\tc\td\t7\n",), "two rows have the same id"),
        ("cosmosqa", "cosmos_csv", ("a,b\n",), "the header is missing"),
        ("siqa", "siqa_labels", ('{"context": "a"}\n', ""), "the row has no label"),
        (
            "hellaswag",
            "hellaswag_jsonl",
            ('{"ctx": "a", "endings": "b"}',),
            "'endings' is not a list of texts",
        ),
    ],
)
def test_what_is_broken_is_told(
    tmp_path: Path, task: str, file_format: str, contents: tuple[str, ...], what: str
) -> None:
    assert problem(tmp_path, task, file_format, *contents).what == what


def test_glues_qqp_leaves_out_rows_that_lack_a_column(tmp_path: Path) -> None:
    text = "id\tquestion1\tquestion2\tis_duplicate\n1\ta\tb\t0\n2\tc\n"
    assert read(tmp_path, "qqp", "qqp_tsv", text) == [PairRow("1", "a", "b", "0")]


def test_cosmos_qa_is_read_from_csv_with_lines_in_quotes(tmp_path: Path) -> None:
    header = "id,context,question,answer0,answer1,answer2,answer3,label\n"
    (row,) = read(tmp_path, "cosmosqa", "cosmos_csv", f'{header}x,"He ""ran"".\nFar.",Why?,a,b,c,d,2\n')
    assert row == ChoiceRow("x", 'He "ran".\nFar. Why?', ("a", "b", "c", "d"), 2)


def test_records_of_the_hub_become_rows() -> None:
    squad = {"id": "q", "question": "Who?", "context": "Ada won."}
    answered = {**squad, "answers": {"text": ["Ada"], "answer_start": [0]}}
    unanswered = {**squad, "answers": {"text": [], "answer_start": []}}
    rows = {
        "question": (answered, SpanRow("q", "Who?", "Ada won.", (Answer("Ada", 0),))),
        "unanswerable": (unanswered, SpanRow("q", "Who?", "Ada won.", ())),
        "qqp": (
            {"question1": "a", "question2": "b", "label": "duplicate", "idx": 4},
            PairRow("4", "a", "b", "1"),
        ),
        "copa": (
            {
                "premise": "a",
                "choice1": "b",
                "choice2": "c",
                "question": "cause",
                "label": "choice2",
                "idx": 3,
            },
            ChoiceRow("3", "a What was the cause?", ("b", "c"), 1),
        ),
        "csqa": (
            {
                "id": "q",
                "question": "a?",
                "choices": {"label": ["A", "B"], "text": ["b", "c"]},
                "answerKey": "B",
            },
            ChoiceRow("q", "a?", ("b", "c"), 1),
        ),
        "siqa": (
            {"context": "a", "question": "b?", "answerA": "c", "answerB": "d", "answerC": "e", "label": "3"},
            ChoiceRow("0", "a b?", ("c", "d", "e"), 2),
        ),
    }
    tasks = {"question": "squad_v1", "unanswerable": "squad_v2"}
    for columns, (record, row) in rows.items():
        assert RECORDS[columns]("0", record, find_task(tasks.get(columns, columns))) == row  # type: ignore[index,arg-type]
    words = {"tokens": ["Ada", "won"], "ner_tags": ["B-PER", "O"]}
    assert RECORDS["words"]("0", words, find_task("panx")) == TaggingRow("0", ("Ada", "won"), ("B-PER", "O"))
    unsure = {"premise": "a", "hypothesis": "b", "label": -1}
    assert RECORDS["snli"]("0", unsure, find_task("snli")) is None
    assert RECORDS["nli"]("0", unsure, find_task("mnli")) == PairRow("0", "a", "b", None)
