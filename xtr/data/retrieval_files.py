"""This is where the files of mining and ranking are read: BUCC, XQuAD-R, SQuAD as sentences, Mewsli-X.

read_xquad_r([Path("xquad-r/de.json")], LAREQA, "de")[0]
-> RankingRow(id="56beb4...", query="Wie viele Punkte ...", key="56beb4...",
              candidates=(Candidate("de_1_0", "Die Panthers-Abwehr ...", ..., keys=("56beb4...",)), ...))
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from xtr.catalogue.task import Task
from xtr.data.jsonfiles import (
    Question,
    Record,
    field_object,
    field_objects,
    field_text,
    load_object,
    read_json_lines,
    read_questions,
)
from xtr.data.parsing import MOST_PROBLEMS, RowError, numbered_lines, parse_rows, read_text
from xtr.data.rows import Candidate, MiningRow, RankingRow
from xtr.data.sentences import Span, sentence_spans
from xtr.errors import InputError


def read_mining(paths: Sequence[Path], task: Task, language: str) -> list[MiningRow]:
    """Read BUCC's two corpora, `id TAB sentence` a line, and the gold `foreign id TAB English id` if there is one.

    Foreign sentences come first. Text stays exactly as it is, since repeated sentences are told by it.
    """
    del task, language
    foreign, english = _read_corpus(paths[0], True), _read_corpus(paths[1], False)
    if len(paths) == 2:
        return [*foreign, *english]
    gold = _read_gold(paths, {row.id for row in foreign}, {row.id for row in english})
    return [
        MiningRow(row.id, row.text, row.foreign, tuple(gold.get(row.id, ())) if row.foreign else ())
        for row in (*foreign, *english)
    ]


def _read_corpus(path: Path, foreign: bool) -> list[MiningRow]:
    def parse(_number: str, line: str) -> MiningRow:
        row_id, tab, text = line.partition("\t")
        if not tab:
            raise RowError("the line has no tab", line, "an id, a tab and a sentence")
        if not row_id.strip() or not text.strip():
            raise RowError("the id or the sentence is blank", line, "an id, a tab and a sentence")
        return MiningRow(row_id.strip(), text, foreign, None)

    return parse_rows(path, numbered_lines(read_text(path)), parse)


def _read_gold(paths: Sequence[Path], foreign: set[str], english: set[str]) -> dict[str, list[str]]:
    """Read the gold pairs by foreign id; every id must be that of a sentence on its side."""
    gold: defaultdict[str, list[str]] = defaultdict(list)
    problems = []
    for line, text in numbered_lines(read_text(paths[2])):
        try:
            ids = [each.strip() for each in text.split("\t")]
            if len(ids) != 2:
                raise RowError("wrong number of columns", text, "two ids between a tab")
            for row_id, known, path in zip(ids, (foreign, english), paths, strict=False):
                if row_id not in known:
                    raise RowError("no sentence has this id", row_id, f"ids of {path}")
            gold[ids[0]].append(ids[1])
        except RowError as fault:
            problems.append(fault.problem(paths[2], line))
            if len(problems) == MOST_PROBLEMS:
                break
    if not gold and not problems:
        problems = [RowError("the file holds no pairs", "", "", "fetch the file again").problem(paths[2], 1)]
    if problems:
        raise InputError(problems)
    return gold


def read_xquad_r(paths: Sequence[Path], task: Task, language: str) -> list[RankingRow]:
    """Read XQuAD-R: SQuAD's layout, and in each paragraph the places of its sentences.

    As LAReQA's own loader, this cuts the context at `sentence_breaks` and ignores `sentences`, which differ
    from that in one Turkish paragraph. The right sentences are those with the text of the sentence in which
    the answer begins; a question whose answer begins in none is left out.
    """
    del task
    return _read_sentences(paths[0], language, _given_spans)


def read_squad_sentences(paths: Sequence[Path], task: Task, language: str) -> list[RankingRow]:
    """Read SQuAD, cut into sentences by rule, since it does not say where they end."""
    del task
    return _read_sentences(
        paths[0], language, lambda paragraph: sentence_spans(field_text(paragraph, "context"))
    )


def _read_sentences(path: Path, language: str, spans: Callable[[Record], list[Span]]) -> list[RankingRow]:
    read: dict[int, tuple[Candidate, ...]] = {}

    def parse(_number: str, question: Question) -> RankingRow | None:
        if question.number not in read:
            read.clear()
            read[question.number] = _paragraph(question, language, spans(question.paragraph))
        candidates, key = read[question.number], field_text(question.record, "id")
        if not any(key in candidate.keys for candidate in candidates):
            return None
        return RankingRow(key, field_text(question.record, "question"), key, candidates)

    return read_questions(path, parse)


def _paragraph(question: Question, language: str, spans: Sequence[Span]) -> tuple[Candidate, ...]:
    """Make candidates of a paragraph's sentences, each with the questions that it answers."""
    context = question.context
    sentences = [context[start:end] for start, end in spans]
    answered: defaultdict[str, list[str]] = defaultdict(list)
    for record in field_objects(question.paragraph, "qas"):
        start = _first_answer(record)
        holding = next((text for text, (a, b) in zip(sentences, spans, strict=True) if a <= start < b), None)
        if holding:
            answered[holding].append(field_text(record, "id"))
    return tuple(
        Candidate(f"{language}_{question.number}_{place}", text, context, tuple(answered.get(text, ())))
        for place, text in enumerate(sentences)
    )


def _first_answer(record: Record) -> int:
    answers = field_objects(record, "answers")
    start = answers[0].get("answer_start") if answers else None
    if not isinstance(start, int):
        raise RowError(
            "the question has no answer with an 'answer_start'", record.get("id"), "a whole number"
        )
    return start


def _given_spans(paragraph: Record) -> list[Span]:
    breaks = paragraph.get("sentence_breaks")
    if not isinstance(breaks, list):
        hint = "take XQuAD-R from google-research-datasets/lareqa; XQuAD and the hub's copy have no breaks"
        raise RowError("'sentence_breaks' is missing", list(paragraph), "[[start, end], ...]", hint)
    return [_span(pair) for pair in breaks]


def _span(pair: object) -> Span:
    match pair:
        case [int(start), int(end)] | {"start": int(start), "end": int(end)} if 0 <= start < end:
            return start, end
    raise RowError("this is no span of characters", pair, "a start and an end behind it")


def read_mewslix_pairs(paths: Sequence[Path], task: Task, language: str) -> list[RankingRow]:
    """Read Mewsli-X's Wikipedia pairs: a mention in its context and the entity that it means."""
    del task, language

    def parse(_number: str, record: Record) -> RankingRow:
        contextual = field_object(record, "contextual_mention")
        entity = _entity(field_object(record, "entity"))
        return _mention(field_object(contextual, "context"), field_object(contextual, "mention"), (entity,))

    return read_json_lines(paths[0], parse)


def read_mewslix_mentions(paths: Sequence[Path], task: Task, language: str) -> list[RankingRow]:
    """Read Mewsli-X's WikiNews mentions in one language: an article a line, with one or more mentions."""
    del task

    def parse(_number: str, item: tuple[Record, Record] | RowError) -> RankingRow:
        if isinstance(item, RowError):
            raise item
        return _mention(*item, ())

    return parse_rows(paths[0], _mentions(paths[0], language), parse)


def _mentions(path: Path, language: str) -> Iterator[tuple[object, tuple[Record, Record] | RowError]]:
    for line, text in numbered_lines(read_text(path)):
        try:
            article = load_object(text)
            context = field_object(article, "context")
            if field_text(context, "language") == language:
                for mention in field_objects(article, "mentions"):
                    yield line, (context, mention)
        except RowError as fault:
            yield line, fault


def read_mewslix_entities(paths: Sequence[Path], task: Task, language: str) -> list[Candidate]:
    """Read Mewsli-X's candidate set: an entity a line, with a description in one of fifty languages."""
    del task, language
    return read_json_lines(paths[0], lambda _number, record: _entity(record))


def _entity(record: Record) -> Candidate:
    """Describe an entity by its description's sentences, as XTREME-R's baseline does."""
    entity, text = field_text(record, "entity_id"), field_text(record, "description")
    sentences = [text[start:end] for start, end in map(_span, field_objects(record, "sentence_spans"))]
    return Candidate(entity, _one_line(" ".join(sentences)), None, (entity,))


def _mention(context: Record, mention: Record, candidates: tuple[Candidate, ...]) -> RankingRow:
    """Write a mention as XTREME-R's baseline does: `Smith: The verdict came back for { Smith } , who ...`."""
    text, place = field_text(context, "text"), field_object(mention, "mention_span")
    name, (start, end) = (
        field_text(place, "text"),
        _span({"start": place.get("start"), "end": place.get("end")}),
    )
    if text[start:end] != name:
        hint = "" if text else "restore the articles' texts with Mewsli-X's restore_text"
        raise RowError("the context does not have the mention at its offsets", text[start:end], name, hint)
    spans = [_span(span) for span in field_objects(context, "sentence_spans")]
    around = next(((a, b) for a, b in spans if a <= start and end <= b), None)
    if around is None:
        raise RowError(
            "no sentence holds the whole mention", name, "a mention inside one of 'sentence_spans'"
        )
    left, right = (_without_braces(part) for part in (text[around[0] : start], text[end : around[1]]))
    query = _one_line(f"{name}: {left} {{ {name} }} {right}")
    return RankingRow(field_text(mention, "example_id"), query, field_text(mention, "entity_id"), candidates)


def _without_braces(text: str) -> str:
    return re.sub(r"\{(.*?)\}", r"(\1)", text)


def _one_line(text: str) -> str:
    return " ".join(text.splitlines()).replace("  ", " ").strip()
