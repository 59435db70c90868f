"""Files of mining and ranking: what they become, and what is said of broken ones."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.shared_data import SHARED_DATA, needs_shared_data
from xtr.catalogue.lookup import find_task
from xtr.data.official import OfficialSource
from xtr.data.rows import Candidate, MiningRow, RankingRow
from xtr.data.sentences import sentence_spans
from xtr.errors import InputError

BUCC, LAREQA, MEWSLIX, SQUAD = map(find_task, ("bucc2018", "lareqa", "mewslix", "squad_qa_retrieval"))

FOREIGN = "de-1\tGuten Tag .\nde-2\tEs regnet .\n"
ENGLISH = "en-1\tIt rains .\nen-2\tHello there .\nen-3\tGo !\n"


def bucc(folder: Path, gold: str | None, foreign: str = FOREIGN, english: str = ENGLISH) -> OfficialSource:
    (folder / "bucc2018").mkdir()
    for split in ("dev", "test"):
        for side, text in (("de", foreign), ("en", english), ("gold", gold)):
            if text is not None:
                (folder / f"bucc2018/de-en.{split}.{side}").write_text(text, encoding="utf-8")
    return OfficialSource(folder)


def test_two_corpora_become_one_list_of_sentences_that_know_their_translations(tmp_path: Path) -> None:
    rows = bucc(tmp_path, "de-2\ten-1\n").rows(BUCC, "select", "de")
    assert rows == [
        MiningRow("de-1", "Guten Tag .", True, ()),
        MiningRow("de-2", "Es regnet .", True, ("en-1",)),
        MiningRow("en-1", "It rains .", False, ()),
        MiningRow("en-2", "Hello there .", False, ()),
        MiningRow("en-3", "Go !", False, ()),
    ]


def test_without_a_gold_file_a_test_is_read_and_a_dev_is_missing(tmp_path: Path) -> None:
    source = bucc(tmp_path, None)
    assert {row.translations for row in source.rows(BUCC, "test", "de") if isinstance(row, MiningRow)} == {
        None
    }
    with pytest.raises(InputError, match="the data file is missing"):
        source.rows(BUCC, "select", "de")


def test_the_shared_task_s_own_files_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "bucc2018" / "de-en"
    folder.mkdir(parents=True)
    for split in ("sample", "training"):
        for side, text in (("de", FOREIGN), ("en", ENGLISH), ("gold", "de-1\ten-2\n")):
            (folder / f"de-en.{split}.{side}").write_text(text, encoding="utf-8")
    source = OfficialSource(tmp_path)
    assert source.languages(BUCC, "select") == source.languages(BUCC, "test") == ("de",)
    assert len(source.rows(BUCC, "test", "de")) == 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"gold": "de-9\ten-1\n"}, r"de-en\.dev\.gold:1.*no sentence has this id.*de-9"),
        ({"gold": "de-1\tde-2\n"}, r"no sentence has this id.*de-2"),
        ({"gold": "de-1 en-1\n"}, "wrong number of columns"),
        ({"gold": "\n"}, "holds no pairs"),
        ({"foreign": "de-1\tA\nde-1\tB\n"}, "two rows have the same id"),
        ({"foreign": "de-1\tA\nde-2 B\n"}, r"de-en\.dev\.de:2.*the line has no tab"),
        ({"english": "en-1\t \n"}, "blank"),
    ],
)
def test_broken_corpora_are_refused_with_file_and_line(
    change: dict[str, str], says: str, tmp_path: Path
) -> None:
    source = bucc(tmp_path, **{"gold": "de-1\ten-1\n", **change})
    with pytest.raises(InputError) as refusal:
        source.rows(BUCC, "select", "de")
    assert re.search(says, str(refusal.value), re.DOTALL), str(refusal.value)


def squad(paragraphs: Sequence[object]) -> str:
    return json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]})


def question(name: str, start: int) -> dict[str, object]:
    return {"id": name, "question": f"{name}?", "answers": [{"text": "x", "answer_start": start}]}


def test_sentences_are_cut_at_the_breaks_and_answer_by_their_text(tmp_path: Path) -> None:
    context = "Ja. Nein. Ja."
    paragraph = {
        "context": context,
        "sentence_breaks": [[0, 3], [4, 9], [10, 13]],
        "sentences": ["Ja.", "Nein!", "Ja."],
        "qas": [question("q1", 1), question("q2", 4), question("q3", 3)],
    }
    (tmp_path / "xquad-r").mkdir()
    (tmp_path / "xquad-r/de.json").write_text(squad([paragraph]), encoding="utf-8")
    rows = OfficialSource(tmp_path).rows(LAREQA, "test", "de")
    assert [row.id for row in rows] == ["q1", "q2"], "the third begins between two sentences"
    assert isinstance(rows[0], RankingRow)
    assert rows[0].candidates == (
        Candidate("de_1_0", "Ja.", context, ("q1",)),
        Candidate("de_1_1", "Nein.", context, ("q2",)),
        Candidate("de_1_2", "Ja.", context, ("q1",)),
    )


def test_xquad_without_breaks_is_not_xquad_r(tmp_path: Path) -> None:
    (tmp_path / "xquad-r").mkdir()
    (tmp_path / "xquad-r/de.json").write_text(squad([{"context": "x", "qas": [question("q", 0)]}]))
    with pytest.raises(InputError, match="'sentence_breaks' is missing"):
        OfficialSource(tmp_path).rows(LAREQA, "test", "de")


def test_squad_is_cut_into_sentences_by_rule(tmp_path: Path) -> None:
    (tmp_path / "squad").mkdir()
    context = "It rained on Mr. Li. He slept."
    document = squad([{"context": context, "qas": [question("q1", 13), question("q2", 24)]}])
    (tmp_path / "squad/train-v1.1.json").write_text(document)
    first, second = OfficialSource(tmp_path).rows(SQUAD, "train", "en")
    assert isinstance(first, RankingRow)
    assert isinstance(second, RankingRow)
    assert [(each.text, each.keys) for each in first.candidates] == [
        ("It rained on Mr. Li.", ("q1",)),
        ("He slept.", ("q2",)),
    ]
    assert second.candidates == first.candidates


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two.", ["One.", "Two."]),
        ('He said "no." Then 3 left.[12] Four came.', ['He said "no."', "Then 3 left.[12]", "Four came."]),
        ("J. S. Bach wrote it in No. 5. It is short.", ["J. S. Bach wrote it in No. 5.", "It is short."]),
        ("  no stop ", ["no stop"]),
        ("", []),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


ENTITY = {
    "entity_id": "Q1",
    "title": "Regen",
    "description": "Regen ist  nass.\nEr fällt. Rest",
    "sentence_spans": [{"start": 0, "end": 16}, {"start": 17, "end": 26}],
    "description_language": "de",
    "description_url": "u",
}
CONTEXT = {
    "document_title": "d",
    "document_url": "u",
    "document_id": "Q9",
    "language": "de",
    "text": "Erst das. Der {Regen} kam. Ende.",
    "sentence_spans": [{"start": 0, "end": 9}, {"start": 10, "end": 26}, {"start": 27, "end": 32}],
}


def mention(name: str, start: int, end: int, text: str) -> dict[str, object]:
    span = {"start": start, "end": end, "text": text}
    return {"example_id": name, "entity_id": "Q1", "mention_span": span}


def mewslix(folder: Path, articles: Sequence[object]) -> OfficialSource:
    (folder / "mewslix").mkdir()
    pair = {
        "contextual_mention": {"context": CONTEXT, "mention": mention("p1", 22, 25, "kam")},
        "entity": ENTITY,
    }
    files: dict[str, Sequence[object]] = {
        "candidate_set_entities.jsonl": [ENTITY],
        "wikipedia_pairs-train.jsonl": [pair],
        "wikinews_mentions-test.jsonl": articles,
    }
    for name, records in files.items():
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / "mewslix" / name).write_text("".join(lines), encoding="utf-8")
    return OfficialSource(folder)


def test_mewslix_is_read_as_its_authors_publish_it(tmp_path: Path) -> None:
    articles = [
        {"context": CONTEXT, "mentions": [mention("m1", 22, 25, "kam"), mention("m2", 10, 13, "Der")]},
        {"context": {**CONTEXT, "language": "fa"}, "mentions": [mention("m3", 10, 13, "Der")]},
    ]
    source = mewslix(tmp_path, articles)
    (entity,) = source.rows(MEWSLIX, "pool", "en")
    assert entity == Candidate("Q1", "Regen ist nass. Er fällt.", None, ("Q1",))
    assert source.rows(MEWSLIX, "test", "de") == [
        RankingRow("m1", "kam: Der (Regen) { kam } .", "Q1", ()),
        RankingRow("m2", "Der: { Der } (Regen) kam.", "Q1", ()),
    ]
    assert [row.id for row in source.rows(MEWSLIX, "test", "fa")] == ["m3"]
    (pair,) = source.rows(MEWSLIX, "train", "en")
    assert pair == RankingRow("p1", "kam: Der (Regen) { kam } .", "Q1", (entity,))
    assert source.languages(MEWSLIX, "pool") == source.languages(MEWSLIX, "train")[:1] == ("en",)


@pytest.mark.parametrize(
    ("article", "says"),
    [
        ({"context": {**CONTEXT, "text": ""}, "mentions": [mention("m", 0, 3, "Der")]}, "restore_text"),
        (
            {"context": CONTEXT, "mentions": [mention("m", 8, 13, ". Der")]},
            "no sentence holds the whole mention",
        ),
        ({"context": CONTEXT, "mentions": [mention("m", 5, 5, "")]}, "no span"),
        ({"context": CONTEXT}, "'mentions' is not a list"),
    ],
)
def test_broken_mentions_are_refused(article: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        mewslix(tmp_path, [article]).rows(MEWSLIX, "test", "de")


@needs_shared_data("xtreme_r/xquad-r")
def test_the_genuine_xquad_r_has_one_answering_sentence_a_question_and_language() -> None:
    source = OfficialSource(SHARED_DATA / "xtreme_r")
    pool: dict[str, Candidate] = {}
    for language in ("de", "en", "es", "tr", "zh"):
        rows = source.rows(LAREQA, "pool", language)
        assert len(rows) == 1190
        pool |= {each.id: each for row in rows if isinstance(row, RankingRow) for each in row.candidates}
    assert len(pool) == 1276 + 1180 + 1215 + 1167 + 1196
    answers = Counter(key for each in pool.values() for key in each.keys)
    assert Counter(answers.values()) == {5: 1190}


@needs_shared_data("xtreme_r/xquad-r")
def test_sentences_by_rule_agree_with_xquad_r_s_in_english() -> None:
    document = json.loads((SHARED_DATA / "xtreme_r/xquad-r/en.json").read_text(encoding="utf-8"))
    n_right = n_found = n_gold = 0
    for paragraph in (each for article in document["data"] for each in article["paragraphs"]):
        gold = {(start, end) for start, end in paragraph["sentence_breaks"]}
        found = set(sentence_spans(paragraph["context"]))
        n_right, n_found, n_gold = n_right + len(gold & found), n_found + len(found), n_gold + len(gold)
    assert 2 * n_right / (n_found + n_gold) > 0.99
