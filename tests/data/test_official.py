"""Where files are looked for, and what is done where a split has none of its own."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from xtr.catalogue.lookup import find_task
from xtr.data.official import OfficialSource
from xtr.data.rows import PairRow
from xtr.data.source import Source
from xtr.errors import InputError
from xtr.fingerprint import file_digest

PAIRS = "a\tb\tneutral\n"
XNLI, TYDIQA, PAWSX = find_task("xnli"), find_task("tydiqa"), find_task("pawsx")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def write_tydiqa(root: Path, n_questions: int, language: str = "en") -> Path:
    answers = [{"text": "Denver", "answer_start": 0}]
    questions = [{"id": f"q{n}", "question": "Who?", "answers": answers} for n in range(n_questions)]
    text = json.dumps([{"paragraphs": [{"context": "Denver won.", "qas": questions}]}])
    return write(root / f"tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.{language}.train.json", text)


def test_languages_are_those_whose_files_lie_there_unread(tmp_path: Path) -> None:
    for language in ("zh", "de"):
        write(tmp_path / f"xnli/dev-{language}.tsv", "not read")
    source: Source = OfficialSource(tmp_path)
    assert source.languages(XNLI, "dev") == ("de", "zh")
    assert source.languages(XNLI, "test") == ()
    assert source.languages(XNLI, "train") == ()


def test_training_files_in_other_languages_follow_those_of_the_catalogue(tmp_path: Path) -> None:
    for language in ("de", "en"):
        write(tmp_path / f"xnli/train-{language}.tsv", PAIRS)
    source = OfficialSource(tmp_path)
    assert source.languages(find_task("mnli"), "train") == ("en", "de")
    assert len(source.rows(find_task("mnli"), "train", "de")) == 1


def test_a_file_whose_name_says_no_language_is_english(tmp_path: Path) -> None:
    line = json.dumps({"premise": "a", "hypothesis": "b", "label": "neutral"})
    write(tmp_path / "xnli/multinli_1.0/multinli_1.0_train.jsonl", line)
    source = OfficialSource(tmp_path)
    assert source.languages(find_task("mnli"), "train") == ("en",)
    with pytest.raises(InputError, match="the data file is missing"):
        source.rows(find_task("mnli"), "train", "de")


def test_the_first_layout_that_exists_is_read(tmp_path: Path) -> None:
    source = OfficialSource(tmp_path)
    write(tmp_path / "pawsx/x-final/de/dev_2k.tsv", "id\tsentence1\tsentence2\tlabel\n7\ta\tb\t1\n")
    assert source.rows(PAWSX, "dev", "de")[0].id == "7"
    write(tmp_path / "pawsx/dev-de.tsv", "a\tb\t1\n")
    assert source.rows(PAWSX, "dev", "de")[0].id == "0"


def test_a_folder_can_lie_elsewhere_below_the_root(tmp_path: Path) -> None:
    write(tmp_path / "deep/down/dev-de.tsv", PAIRS)
    source = OfficialSource(tmp_path, {"xnli": "deep/down"})
    assert source.rows(XNLI, "dev", "de") == [PairRow("0", "a", "b", "neutral")]


def test_a_file_of_a_split_can_be_named(tmp_path: Path) -> None:
    write(tmp_path / "mine/de.tsv", PAIRS)
    source = OfficialSource(tmp_path, files={"xnli": {"test": "mine/{lang}.tsv"}})
    assert source.languages(XNLI, "test") == ("de",)
    assert source.languages(XNLI, "dev") == ()
    assert len(source.rows(XNLI, "test", "de")) == 1


def test_test_files_double_as_dev_where_there_is_no_dev(tmp_path: Path) -> None:
    write_tydiqa(tmp_path, 3).rename(tmp_path / "sw.json")
    source = OfficialSource(tmp_path, files={"tydiqa": {"test": "{lang}.json"}})
    assert source.languages(TYDIQA, "dev") == ("sw",)
    assert source.rows(TYDIQA, "dev", "sw") == source.rows(TYDIQA, "test", "sw")


def test_a_missing_file_is_told_with_the_paths_looked_for_and_the_setting(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        OfficialSource(tmp_path).rows(PAWSX, "dev", "de")
    (problem,) = refused.value.problems
    assert problem.where == "pawsx dev de"
    assert str(tmp_path / "pawsx/dev-de.tsv") in problem.received
    assert str(tmp_path / "pawsx/x-final/de/dev_2k.tsv") in problem.received
    assert "data.official_root" in problem.hint
    assert "data.folders.pawsx" in problem.hint


def test_a_split_that_the_catalogue_does_not_have_is_told_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        OfficialSource(tmp_path).rows(XNLI, "select", "en")
    (problem,) = refused.value.problems
    assert (problem.what, problem.allowed) == ("there is no such split", "splits dev, test")


def test_both_sides_of_a_bitext_must_be_there(tmp_path: Path) -> None:
    tatoeba = find_task("tatoeba")
    source = OfficialSource(tmp_path)
    write(tmp_path / "tatoeba/v1/tatoeba.dan-eng.dan", "en\n")
    assert source.languages(tatoeba, "select") == ()
    write(tmp_path / "tatoeba/v1/tatoeba.dan-eng.eng", "one\n")
    assert source.languages(tatoeba, "select") == ("da",)
    assert len(source.rows(tatoeba, "select", "da")) == 1


def test_unlabelled_rows_cannot_train_or_select(tmp_path: Path) -> None:
    write(tmp_path / "pawsx/train-en.tsv", "a\tb\n")
    with pytest.raises(InputError, match="train needs labels"):
        OfficialSource(tmp_path).rows(PAWSX, "train", "en")


@pytest.mark.parametrize(("n_rows", "n_select"), [(2, 1), (9, 1), (40, 4), (47, 5)])
def test_held_out_rows_and_the_rest_make_up_the_english_training_rows(
    tmp_path: Path, n_rows: int, n_select: int
) -> None:
    write_tydiqa(tmp_path, n_rows)
    source = OfficialSource(tmp_path)
    train = [row.id for row in source.rows(TYDIQA, "train", "en")]
    select = [row.id for row in source.rows(TYDIQA, "select", "en")]
    assert len(select) == n_select
    assert sorted(train + select) == sorted(f"q{n}" for n in range(n_rows))
    assert train == sorted(train, key=lambda row_id: int(row_id[1:]))


def test_held_out_rows_are_the_same_for_ever(tmp_path: Path) -> None:
    write_tydiqa(tmp_path, 40)
    select = OfficialSource(tmp_path).rows(TYDIQA, "select", "en")
    assert [row.id for row in select] == ["q11", "q20", "q28", "q31"]


def test_a_single_row_cannot_be_held_out(tmp_path: Path) -> None:
    write_tydiqa(tmp_path, 1)
    with pytest.raises(InputError, match="one row cannot be split"):
        OfficialSource(tmp_path).rows(TYDIQA, "train", "en")


def test_every_language_that_can_be_trained_in_has_its_own_rows_held_out(tmp_path: Path) -> None:
    write_tydiqa(tmp_path, 40, "sw")
    source = OfficialSource(tmp_path)
    assert [len(source.rows(TYDIQA, split, "sw")) for split in ("train", "select")] == [36, 4]
    assert source.languages(TYDIQA, "select") == ("sw",)


def test_a_named_select_file_ends_the_holding_out(tmp_path: Path) -> None:
    path = write_tydiqa(tmp_path, 40)
    write(tmp_path / "select.json", path.read_text())
    source = OfficialSource(tmp_path, files={"tydiqa": {"select": "select.json"}})
    assert len(source.rows(TYDIQA, "train", "en")) == len(source.rows(TYDIQA, "select", "en")) == 40
    assert source.identity(TYDIQA, "train", "en") == file_digest(path)


def test_identity_is_the_hash_of_the_bytes_wherever_they_lie(tmp_path: Path) -> None:
    path = write(tmp_path / "xnli/dev-de.tsv", PAIRS)
    write(tmp_path / "elsewhere/dev-de.tsv", PAIRS)
    source = OfficialSource(tmp_path)
    assert source.identity(XNLI, "dev", "de") == file_digest(path)
    moved = OfficialSource(tmp_path, {"xnli": "elsewhere"})
    assert moved.identity(XNLI, "dev", "de") == source.identity(XNLI, "dev", "de")
    write(path, PAIRS + PAIRS)
    assert source.identity(XNLI, "dev", "de") == file_digest(path)


def test_identity_says_what_was_held_out(tmp_path: Path) -> None:
    path = write_tydiqa(tmp_path, 40)
    source = OfficialSource(tmp_path)
    assert source.identity(TYDIQA, "train", "en") == f"{file_digest(path)} held_out 0.1 train"
    assert source.identity(TYDIQA, "select", "en") == f"{file_digest(path)} held_out 0.1 select"


def test_identity_of_a_bitext_depends_on_both_sides(tmp_path: Path) -> None:
    tatoeba = find_task("tatoeba")
    source = OfficialSource(tmp_path)
    write(tmp_path / "tatoeba/tatoeba.deu-eng.deu", "eins\n")
    english = write(tmp_path / "tatoeba/tatoeba.deu-eng.eng", "one\n")
    before = source.identity(tatoeba, "test", "de")
    write(english, "uno!\n")
    assert source.identity(tatoeba, "test", "de") != before


def test_a_source_travels_to_other_processes(tmp_path: Path) -> None:
    source = OfficialSource(tmp_path, {"xnli": "deep"})
    assert pickle.loads(pickle.dumps(source)) == source


def test_languages_of_one_file_are_different_data(tmp_path: Path) -> None:
    header = "\t".join(["language", "gold_label", *"cdef", "sentence1", "sentence2", "promptID", "pairID"])
    rows = [
        "\t".join([language, "neutral", *"....", "one", "other", "1", str(number)])
        for number, language in enumerate(("de", "en"))
    ]
    write(tmp_path / "xnli/XNLI-1.0/xnli.dev.tsv", "\n".join([header, *rows]) + "\n")
    source = OfficialSource(tmp_path)
    assert source.identity(XNLI, "dev", "de") != source.identity(XNLI, "dev", "en")
