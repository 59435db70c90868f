"""What readers survive, and how they refuse the rest: each malformed file is written by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Format
from xtr.data.parsing import BadRows, leaving_out
from xtr.data.readers import READERS
from xtr.data.rows import Answer, ChoiceRow, PairRow, RetrievalRow, Row, SpanRow, TaggingRow
from xtr.errors import InputError, Problem

TASK_OF: dict[Format, str] = {
    "pairs_tsv": "xnli",
    "pawsx_tsv": "pawsx",
    "nli_jsonl": "mnli",
    "csqa_jsonl": "csqa",
    "copa_jsonl": "copa",
    "tagged_words": "panx",
    "squad_json": "squad_v1",
    "bitext": "tatoeba",
}
COPA = {
    "premise": "It rained.",
    "choice1": "Wet.",
    "choice2": "Dry.",
    "question": "effect",
    "label": 0,
    "idx": 0,
}
CHOICES = [{"label": "B", "text": "river"}, {"label": "A", "text": "money"}]
CSQA = {"id": "q", "question": {"stem": "What is in a bank?", "choices": CHOICES}, "answerKey": "A"}
CONTEXT = "Denver won.\nIt was 2016."


def question(**changes: object) -> dict[str, object]:
    whole = {"id": "q1", "question": "Who?", "answers": [{"text": "Denver", "answer_start": 0}], **changes}
    return {name: value for name, value in whole.items() if value is not None}


def squad(*questions: dict[str, object]) -> str:
    paragraph = {"context": CONTEXT, "qas": list(questions)}
    return json.dumps({"data": [{"paragraphs": [paragraph]}]}, indent=1)


def read(folder: Path, file_format: Format, *contents: str | bytes, language: str = "en") -> Sequence[Row]:
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"file{number}")
        paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    return READERS[file_format](paths, find_task(TASK_OF[file_format]), language)


def problems(folder: Path, file_format: Format, *contents: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as refused:
        read(folder, file_format, *contents)
    return refused.value.problems


def test_carriage_returns_a_byte_order_mark_and_blank_ends_are_no_text(tmp_path: Path) -> None:
    rows = read(tmp_path, "pairs_tsv", "\ufeffa\tb\tneutral\r\nc\td\tentailment\r\n\r\n \n")
    assert rows == [PairRow("0", "a", "b", "neutral"), PairRow("1", "c", "d", "entailment")]


def test_quotes_and_odd_line_separators_are_text(tmp_path: Path) -> None:
    odd = '"open\x1cquote\u2028here\x85'
    rows = read(tmp_path, "pairs_tsv", f'{odd}x\tsaid "so"\tneutral\n"\t"\tneutral\n')
    assert rows == [PairRow("0", f"{odd}x", 'said "so"', "neutral"), PairRow("1", '"', '"', "neutral")]


def test_a_test_file_without_label_column_has_no_labels(tmp_path: Path) -> None:
    assert read(tmp_path, "pairs_tsv", "a\tb\n") == [PairRow("0", "a", "b", None)]


def test_a_column_too_many_or_too_few_is_told_with_its_line(tmp_path: Path) -> None:
    few, many = problems(tmp_path, "pairs_tsv", "a\tb\tneutral\nlonely\nc\td\tneutral\ne\tf\tneutral\tx\n")
    assert few.where == f"{tmp_path / 'file0'}:2"
    assert few.received == "1 columns: lonely"
    assert many.where.endswith(":4")


def test_an_unknown_label_is_told_with_those_allowed_and_the_nearest(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "pairs_tsv", "a\tb\tcontradictory\n")
    assert problem.received == "contradictory"
    assert problem.allowed == "entailment, neutral, contradiction"
    assert "contradiction" in problem.hint


def test_ten_problems_of_a_file_are_told_at_once_and_no_more(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "pairs_tsv", "a\tb\tmaybe\n" * 50)) == 10


def test_a_byte_that_is_not_utf8_is_told_with_its_offset(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "pairs_tsv", b"a\tb\tneutral\nc\t\xff\tneutral\n")
    assert problem.where.endswith("file0:2")
    assert problem.received == "byte 0xff at byte offset 14"


@pytest.mark.parametrize("file_format", ["pairs_tsv", "pawsx_tsv", "nli_jsonl", "csqa_jsonl", "tagged_words"])
@pytest.mark.parametrize("content", ["", "\n", " \r\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, file_format: Format, content: str) -> None:
    assert [problem.what for problem in problems(tmp_path, file_format, content)] == [
        "the file holds no rows"
    ]


def test_pawsx_keeps_its_own_ids(tmp_path: Path) -> None:
    rows = read(tmp_path, "pawsx_tsv", "id\tsentence1\tsentence2\tlabel\n7\ta \tb\t1\n")
    assert rows == [PairRow("7", "a", "b", "1")]
    assert read(tmp_path, "pawsx_tsv", "id\tsentence1\tsentence2\n7\ta\tb\n") == [
        PairRow("7", "a", "b", None)
    ]


def test_pawsx_without_its_header_or_with_an_id_twice_is_refused(tmp_path: Path) -> None:
    (headless,) = problems(tmp_path, "pawsx_tsv", "7\ta\tb\t1\n")
    assert (headless.what, headless.where[-2:]) == ("the header is missing", ":1")
    (twice,) = problems(tmp_path, "pawsx_tsv", "id\tsentence1\tsentence2\tlabel\n7\ta\tb\t1\n7\tc\td\t0\n")
    assert twice.where.endswith(":3")
    assert (twice.received, twice.allowed) == ("7", "ids that occur once; the first is at 2")


def test_nli_is_read_by_either_set_of_names_and_without_rows_that_lack_consensus(tmp_path: Path) -> None:
    plain = {"premise": "a", "hypothesis": "b", "label": "neutral"}
    mnli = {"sentence1": "c", "sentence2": "d", "gold_label": "entailment", "pairID": "9e"}
    undecided = {**mnli, "gold_label": "-", "pairID": "8n"}
    rows = read(tmp_path, "nli_jsonl", "\n".join(map(json.dumps, (plain, undecided, mnli))))
    assert rows == [PairRow("0", "a", "b", "neutral"), PairRow("9e", "c", "d", "entailment")]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "this is not JSON"),
        ("[1]", "the line is not an object"),
        ('{"premise": "a", "label": "neutral"}', "'hypothesis' or 'sentence2' or 'hypo' is missing"),
        ('{"premise": 1, "hypothesis": "b"}', "'premise' is not text"),
        ('{"premise": "a", "hypothesis": "b", "label": "yes"}', "unknown label"),
    ],
)
def test_broken_json_lines_are_told_with_their_line(tmp_path: Path, line: str, what: str) -> None:
    good = '{"premise": "a", "hypothesis": "b", "label": "neutral"}'
    (problem,) = problems(tmp_path, "nli_jsonl", f"{good}\n\n{line}\n")
    assert (problem.what, problem.where) == (what, f"{tmp_path / 'file0'}:3")


def test_csqa_choices_come_in_the_order_of_their_letters_and_may_lack_the_answer(tmp_path: Path) -> None:
    hidden = {name: value for name, value in CSQA.items() if name != "answerKey"}
    rows = read(tmp_path, "csqa_jsonl", f"{json.dumps(CSQA)}\n{json.dumps({**hidden, 'id': 'r'})}")
    choices = ("money", "river")
    assert rows == [
        ChoiceRow(row_id, "What is in a bank?", choices, label) for row_id, label in (("q", 0), ("r", None))
    ]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"answerKey": "C"}, "no choice has the letter of the answer"),
        ({"question": {"stem": "?", "choices": "A"}}, "'choices' is not a list"),
        ({"question": "?"}, "'question' is not an object"),
    ],
)
def test_malformed_csqa_is_refused(tmp_path: Path, change: dict[str, object], what: str) -> None:
    (problem,) = problems(tmp_path, "csqa_jsonl", json.dumps({**CSQA, **change}))
    assert problem.what == what


def test_copa_asks_in_english_and_may_lack_its_label(tmp_path: Path) -> None:
    hidden = {name: value for name, value in COPA.items() if name != "label"}
    lines = [json.dumps(COPA), json.dumps({**hidden, "idx": 5, "question": "cause"})]
    assert read(tmp_path, "copa_jsonl", "\r\n".join(lines)) == [
        ChoiceRow("0", "It rained. What was the effect?", ("Wet.", "Dry."), 0),
        ChoiceRow("5", "It rained. What was the cause?", ("Wet.", "Dry."), None),
    ]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"question": "why"}, "unknown kind of question"),
        ({"label": 2}, "the label is not the number of a choice"),
        ({"label": True}, "the label is not the number of a choice"),
        ({"label": "0"}, "the label is not the number of a choice"),
    ],
)
def test_malformed_copa_is_refused(tmp_path: Path, change: dict[str, object], what: str) -> None:
    (problem,) = problems(tmp_path, "copa_jsonl", json.dumps({**COPA, **change}))
    assert problem.what == what


def test_blank_lines_however_many_end_a_sentence(tmp_path: Path) -> None:
    text = "\nAda\tB-PER\r\nslept\tO\n\n \t\n\nHi\tO\n\n\n"
    rows = read(tmp_path, "tagged_words", text)
    assert rows == [TaggingRow("0", ("Ada", "slept"), ("B-PER", "O")), TaggingRow("1", ("Hi",), ("O",))]


def test_words_without_tags_are_a_hidden_test(tmp_path: Path) -> None:
    assert read(tmp_path, "tagged_words", "Ada\nslept\n\n") == [TaggingRow("0", ("Ada", "slept"), None)]


def test_a_language_mark_is_cut_only_where_every_word_has_it(tmp_path: Path) -> None:
    marked = read(tmp_path, "tagged_words", "de:Ada\tB-PER\nde:de:x\tO\n", language="de")
    assert marked == [TaggingRow("0", ("Ada", "de:x"), ("B-PER", "O"))]
    unmarked = read(tmp_path, "tagged_words", "de:Ada\tB-PER\nx\tO\n", language="de")
    assert unmarked == [TaggingRow("0", ("de:Ada", "x"), ("B-PER", "O"))]


def test_malformed_words_are_told_with_their_own_line(tmp_path: Path) -> None:
    text = "Ada\tB-PER\nslept\tVERB\n\nlonely\n\n\tO\n\nfine\tO\n"
    tag, width, word = problems(tmp_path, "tagged_words", text)
    assert (tag.what, tag.where[-2:], tag.received) == ("unknown label", ":2", "VERB")
    assert (width.what, width.where[-2:]) == ("wrong number of columns", ":4")
    assert (word.what, word.where[-2:]) == ("the word is empty", ":6")


def test_a_squad_question_carries_its_context_and_all_answers(tmp_path: Path) -> None:
    answers = [{"text": "2016", "answer_start": 19}, {"text": "Denver", "answer_start": 0}]
    rows = read(tmp_path, "squad_json", squad(question(answers=answers)))
    assert rows == [SpanRow("q1", "Who?", CONTEXT, (Answer("2016", 19), Answer("Denver", 0)))]


@pytest.mark.parametrize("answers", [None, [{"text": "", "answer_start": 0}]])
def test_blanked_or_absent_answers_are_hidden(tmp_path: Path, answers: object) -> None:
    (row,) = read(tmp_path, "squad_json", squad(question(answers=answers)))
    assert isinstance(row, SpanRow)
    assert row.answers is None


def test_an_answer_that_is_not_at_its_offset_is_told_with_where_it_is(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path, "squad_json", squad(question(answers=[{"text": "2016", "answer_start": 3}]))
    )
    assert problem.what == "the context does not have the answer at its offset"
    assert problem.where == f"{tmp_path / 'file0'}:9 data[0].paragraphs[0].qas[0]"
    assert (problem.received, problem.allowed, problem.hint) == (
        "'ver ' at 3",
        "2016",
        "the text occurs at 19",
    )


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"id": None}, "the question has no id"),
        ({"question": None}, "'question' is missing"),
        ({"answers": [{"text": "Denver"}]}, "'answer_start' is not a whole number"),
        (
            {"answers": [{"text": "Denver", "answer_start": -1}]},
            "the context does not have the answer at its offset",
        ),
        ({"answers": "Denver"}, "'answers' is not a list"),
    ],
)
def test_malformed_questions_are_refused(tmp_path: Path, changes: dict[str, object], what: str) -> None:
    (problem,) = problems(tmp_path, "squad_json", squad(question(**changes)))
    assert problem.what == what


def test_two_questions_with_one_id_are_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "squad_json", squad(question(), question()))
    assert (problem.what, problem.received) == ("two rows have the same id", "q1")
    assert problem.where.endswith("data[0].paragraphs[0].qas[1]")


@pytest.mark.parametrize(
    ("content", "what", "place"),
    [
        ('{"data":\n [}', "this is not JSON", ":2"),
        ("{}", "'data' is not a list", ":1 data"),
        ('[{"paragraphs": [{"qas": []}]}]', "'context' is missing", ":1 data[0].paragraphs[0]"),
        ('{"data": []}', "the file holds no rows", ":1"),
    ],
)
def test_a_file_that_is_no_squad_file_is_refused(tmp_path: Path, content: str, what: str, place: str) -> None:
    (problem,) = problems(tmp_path, "squad_json", content)
    assert (problem.what, problem.where) == (what, f"{tmp_path / 'file0'}{place}")


def test_a_bitext_is_sorted_by_english_with_the_index_of_the_translation(tmp_path: Path) -> None:
    rows = read(tmp_path, "bitext", "acht\nZug\nApfel\n", "eight\r\nTrain\r\napple\r\n")
    assert rows == [
        RetrievalRow("0", "Train", "acht", 1),
        RetrievalRow("1", "apple", "Zug", 2),
        RetrievalRow("2", "eight", "Apfel", 0),
    ]


def test_sides_of_different_length_or_with_blank_lines_are_refused(tmp_path: Path) -> None:
    (lengths,) = problems(tmp_path, "bitext", "eins\nzwei\n", "one\n")
    assert lengths.where == f"{tmp_path / 'file0'}:2"
    assert lengths.received == f"2 lines, but 1 in {tmp_path / 'file1'}"
    (blank,) = problems(tmp_path, "bitext", "eins\n\ndrei\n", "one\ntwo\nthree\n")
    assert (blank.what, blank.where[-2:]) == ("one side of the pair is blank", ":2")


BAD_LINES = "a\tb\tneutral\nno label\tat all\nc\td\tmaybe\ne\tf\tneutral\n"


def test_malformed_rows_are_left_out_up_to_a_number(tmp_path: Path) -> None:
    file = tmp_path / "rows.tsv"
    file.write_text(BAD_LINES)
    bad = BadRows(2)
    with leaving_out(bad):
        rows = READERS["pairs_tsv"]([file], find_task("xnli"), "en")
    assert [row.id for row in rows] == ["0", "3"]
    assert [problem.where for problem in bad.left_out] == [f"{file}:2", f"{file}:3"]
    with (
        leaving_out(BadRows(1)),
        pytest.raises(InputError, match="more malformed rows than may be left out") as refused,
    ):
        READERS["pairs_tsv"]([file], find_task("xnli"), "en")
    assert len(refused.value.problems) == 3


def test_a_file_that_breaks_off_is_never_read_in_part(tmp_path: Path) -> None:
    file = tmp_path / "squad.json"
    whole = json.loads(squad(question()))
    file.write_text(json.dumps({"data": [*whole["data"], {"paragraphs": 3}]}))
    with leaving_out(BadRows(100)), pytest.raises(InputError, match="'paragraphs' is not a list"):
        READERS["squad_json"]([file], find_task("squad_v1"), "en")
