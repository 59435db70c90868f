"""Every genuine file of a catalogue task is read whole: the counts are those of shared/data/README.md."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.shared_data import SHARED_DATA, needs_shared_data
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split
from xtr.data.official import OfficialSource
from xtr.data.rows import ChoiceRow, PairRow, RetrievalRow, SpanRow, TaggingRow

pytestmark = needs_shared_data()

FOLDERS = {
    "mnli": "intermediate/mnli",
    "csqa": "intermediate/commonsenseqa",
    "squad_v1": "intermediate/squad_v1.1",
    "copa": "xtreme_r/xcopa",
    "xcopa": "xcopa",
    "tatoeba": "laser/tatoeba",
    **{task: f"xtreme/{task}" for task in ("xnli", "pawsx", "udpos", "panx", "xquad", "tydiqa")},
}
SOURCE = OfficialSource(SHARED_DATA, FOLDERS)
CSQA_TEST = "intermediate/commonsenseqa/test_rand_split_no_answers.jsonl"
PANX_DEV = "af ar bn de en hi id ko mr ms sw ta te tl vi zh az gu"
UDPOS_DEV = "af el en fa he id ja mr nl ta te tr vi zh lt"
XCOPA = "et id it sw ta th tr vi zh"


@pytest.mark.parametrize(
    ("name", "split", "languages", "n_rows"),
    [
        ("mnli", "select", "en", 9_815),
        ("xnli", "dev", "ar bg de el en es fr hi ru tr vi zh", 29_880),
        ("xnli", "test", "de en tr zh", 20_040),
        ("pawsx", "select", "de en fr ko zh", 10_000),
        ("pawsx", "dev", "de en fr ko zh", 10_000),
        ("pawsx", "test", "de en fr ko zh", 10_000),
        ("copa", "train", "en", 400),
        ("copa", "select", "en", 100),
        ("xcopa", "dev", XCOPA, 900),
        ("xcopa", "test", XCOPA, 4_500),
        ("csqa", "train", "en", 9_741),
        ("csqa", "select", "en", 1_221),
        ("udpos", "train", "en", 21_253),
        ("udpos", "dev", UDPOS_DEV, 11_835),
        ("udpos", "test", "mr ta te tl", 368),
        ("panx", "train", "en sw", 21_000),
        ("panx", "dev", PANX_DEV, 80_100),
        ("panx", "test", "af sw", 2_000),
        ("squad_v1", "train", "en", 4_370),
        ("xquad", "test", "ar de en es hi ru tr vi zh ro", 11_900),
        ("tydiqa", "train", "en sw", 6_451 - 370 - 276),  # a tenth of the rows is held out
        ("tydiqa", "select", "en sw", 370 + 276),
        ("tydiqa", "test", "ar en fi id ko ru sw", 4_295),
        ("tydiqa", "dev", "ar en fi id ko ru sw", 4_295),
        ("tatoeba", "select", "da ga is", 3_000),
    ],
)
def test_a_split_has_its_published_languages_and_rows(
    name: str, split: Split, languages: str, n_rows: int
) -> None:
    task = find_task(name)
    assert SOURCE.languages(task, split) == tuple(languages.split())
    assert sum(len(SOURCE.rows(task, split, language)) for language in languages.split()) == n_rows


def test_all_of_tatoeba_is_read() -> None:
    tatoeba = find_task("tatoeba")
    test = SOURCE.languages(tatoeba, "test")
    assert set(tatoeba.added_languages) | {"da", "ga", "is"} < set(test)
    n_pairs = sum(len(SOURCE.rows(tatoeba, "test", language)) for language in test)
    assert n_pairs == 73_710 // 2


@pytest.mark.parametrize(
    ("name", "split", "path", "n_rows"),
    [
        ("csqa", "test", CSQA_TEST, 1_140),
        ("squad_v1", "select", "derived/squad_v1.1/dev-v1.1.subset.json", 705),
    ],
)
def test_a_file_named_by_the_user_takes_the_place_of_the_catalogues(
    name: str, split: Split, path: str, n_rows: int
) -> None:
    source = OfficialSource(SHARED_DATA, files={name: {split: path}})
    assert len(source.rows(find_task(name), split, "en")) == n_rows


def test_mnlis_own_release_is_read_by_its_own_field_names() -> None:
    source = OfficialSource(SHARED_DATA, {"mnli": "format_samples/multi_nli/multinli_1.0.zip"})
    first = source.rows(find_task("mnli"), "select", "en")[0]
    assert isinstance(first, PairRow)
    assert (first.id, first.second, first.label) == (
        "63735n",
        "Everyone really likes the newest benefits ",
        "neutral",
    )
    assert len(source.rows(find_task("mnli"), "train", "en")) == 5


def test_the_two_layouts_of_pawsx_hold_the_same_sentences_but_for_csv_quotes() -> None:
    official = OfficialSource(SHARED_DATA / "official").rows(find_task("pawsx"), "dev", "ko")
    xtreme = SOURCE.rows(find_task("pawsx"), "dev", "ko")
    assert len(official) == len(xtreme) == 2_000
    for row, other in zip(official, xtreme, strict=True):
        assert isinstance(row, PairRow)
        assert isinstance(other, PairRow)
        assert row.label == other.label
        if '"' not in row.first:
            assert row.first == other.first


def test_hidden_labels_are_none() -> None:
    pawsx, panx = find_task("pawsx"), find_task("panx")
    blanked = OfficialSource(SHARED_DATA / "xtreme_stripped").rows(find_task("tydiqa"), "test", "sw")
    assert len(blanked) == 499
    assert all(isinstance(row, SpanRow) and row.answers is None for row in blanked)
    assert all(isinstance(row, PairRow) and row.label is None for row in SOURCE.rows(pawsx, "test", "de"))
    assert all(isinstance(row, TaggingRow) and row.tags is None for row in SOURCE.rows(panx, "test", "sw"))
    source = OfficialSource(SHARED_DATA, FOLDERS, {"csqa": {"test": CSQA_TEST}})
    hidden = source.rows(find_task("csqa"), "test", "en")
    assert all(isinstance(row, ChoiceRow) and row.label is None for row in hidden)


def test_a_sentence_with_the_file_separator_character_stays_whole() -> None:
    rows = SOURCE.rows(find_task("pawsx"), "dev", "ko")
    assert any(isinstance(row, PairRow) and "\x1c" in row.first + row.second for row in rows)


def test_xcopa_asks_in_english_and_copa_agrees_with_its_translation() -> None:
    estonian = SOURCE.rows(find_task("xcopa"), "dev", "et")
    english = SOURCE.rows(find_task("copa"), "select", "en")
    first = estonian[0]
    assert isinstance(first, ChoiceRow)
    assert first.prompt == "Mees keeras kraani lahti. What was the effect?"
    assert first.choices == ("Tualett täitus veega.", "Tilast voolas vett.")
    labels = [[row.label for row in rows if isinstance(row, ChoiceRow)] for rows in (estonian, english)]
    assert labels[0] == labels[1]


def test_tatoeba_is_in_xtremes_line_order() -> None:
    published = SHARED_DATA / "xtreme_stripped" / "tatoeba"
    rows = [row for row in SOURCE.rows(find_task("tatoeba"), "test", "de") if isinstance(row, RetrievalRow)]
    english = (published / "de-en.en").read_text(encoding="utf-8").split("\n")[:-1]
    german = (published / "de-en.de").read_text(encoding="utf-8").split("\n")[:-1]
    assert [row.query for row in rows] == [line.strip() for line in english]
    assert [row.candidate for row in rows] == [line.strip() for line in german]
    assert all(earlier.query <= later.query for earlier, later in pairwise(rows))


@pytest.mark.parametrize("language", ["de", "ta", "tr"])
def test_tatoebas_gold_begins_like_the_official_mock_labels(language: str) -> None:
    labels = SHARED_DATA / "xtreme_mock" / "labels" / "tatoeba" / f"test-{language}.tsv"
    gold = [int(line) for line in labels.read_text(encoding="utf-8").split()]
    rows = SOURCE.rows(find_task("tatoeba"), "test", language)
    assert [row.gold for row in rows[: len(gold)] if isinstance(row, RetrievalRow)] == gold


def test_what_is_held_out_of_tydiqa_is_never_trained_on() -> None:
    tydiqa = find_task("tydiqa")
    train = {row.id for row in SOURCE.rows(tydiqa, "train", "en")}
    select = {row.id for row in SOURCE.rows(tydiqa, "select", "en")}
    assert (len(train), len(select), train & select) == (3_326, 370, set())
    assert len(SOURCE.rows(tydiqa, "train", "sw")) == 2_755 - 276
