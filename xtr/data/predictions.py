"""This is where the files that official scorers read are read: predictions, and labels in the same layouts.

    read_labels(path, allowed=("0", "1"))   -> ["0", "1", "1"]
    read_tags(path, allowed=UPOS)           -> [["DET", "NOUN"], ["VERB"]]
    read_gold_answers(path)                 -> {"q1": ["Paris", "the city of Paris"]}

Every function raises InputError with up to ten problems of the file, with its lines. The layouts are those of
evaluate.py of google-research/xtreme; `read_rankings` also reads our own layout for LAReQA.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from xtr.data.jsonfiles import Question, Record, field_objects, field_text, read_questions
from xtr.data.parsing import MOST_PROBLEMS, RowError, numbered_lines, read_text
from xtr.data.rows import Answer, SpanRow
from xtr.errors import InputError, Problem, suggest

MOST_RANKED = 20

Item = TypeVar("Item")
Value = TypeVar("Value")


def read_labels(path: Path, allowed: Sequence[str]) -> list[str]:
    """Read one label a line."""
    return _parsed(path, numbered_lines(read_text(path)), lambda text: _known(text.strip(), allowed))


def read_indices(path: Path) -> list[int]:
    """Read one plain whole number a line, counted from 0."""
    return _parsed(path, numbered_lines(read_text(path)), _index)


def read_choices(path: Path) -> list[int]:
    """Read one JSON object a line, whose `label` is the number of the choice."""
    return _parsed(path, numbered_lines(read_text(path)), _choice)


def read_tags(path: Path, allowed: Sequence[str]) -> list[list[str]]:
    """Read one tag a line; blank lines, however many, end a sentence."""
    lines = numbered_lines(read_text(path))
    tags = _parsed(path, lines, lambda text: _known(text.strip(), allowed) if text.strip() else "")
    sentences: list[list[str]] = [[]]
    for tag in tags:
        if tag:
            sentences[-1].append(tag)
        elif sentences[-1]:
            sentences.append([])
    return [sentence for sentence in sentences if sentence]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read the ids of a foreign and an English sentence a line, a tab between; the file may hold no pair."""
    lines = [(line, text) for line, text in numbered_lines(read_text(path)) if text.strip()]
    return _parsed(path, lines, _pair, may_be_empty=True)


def read_answers(path: Path) -> dict[str, str]:
    """Read one JSON object from question to answer."""
    return _entries(path, _text)


def read_rankings(path: Path, most: int | None = MOST_RANKED) -> dict[str, list[str]]:
    """Read one JSON object from query to ids, best first, each once, at most `most` of them."""
    return _entries(path, lambda value: _ranking(value, most))


def read_gold_answers(path: Path) -> dict[str, list[str]]:
    """Read the right answers of every question of SQuAD's JSON; the contexts may be left out of it."""
    rows = read_questions(path, _gold_answers)
    return {row.id: [answer.text for answer in row.answers or ()] for row in rows}


def _parsed(
    path: Path,
    items: Iterable[tuple[object, Item]],
    parse: Callable[[Item], Value],
    *,
    may_be_empty: bool = False,
) -> list[Value]:
    values: list[Value] = []
    problems: list[Problem] = []
    for place, item in items:
        try:
            values.append(parse(item))
        except RowError as fault:
            problems.append(fault.problem(path, place))
    if not values and not problems and not may_be_empty:
        problems = [Problem("the file is empty", where=f"{path}:1", hint="write it again")]
    if problems:
        raise InputError(problems[:MOST_PROBLEMS])
    return values


def _entries(path: Path, parse: Callable[[object], Value]) -> dict[str, Value]:
    """Read a JSON object whose keys occur once; a problem names the line that its key stands on."""
    text = read_text(path)
    try:
        pairs: object = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise InputError(Problem("this is not JSON", f"{path}:{error.lineno}", allowed=error.msg)) from error
    if not isinstance(pairs, _Pairs):
        raise InputError(Problem("the file is not one JSON object", f"{path}:1", allowed="{id: ..., ...}"))
    entries: dict[str, Value] = {}
    problems: list[Problem] = []
    for key, value in pairs:
        try:
            if key in entries:
                raise RowError("an id occurs twice", key, "every id once")
            entries[key] = parse(value)
        except RowError as fault:
            problems.append(fault.problem(path, f"{_line_of(key, text)} {key}"))
    if problems:
        raise InputError(problems[:MOST_PROBLEMS])
    return entries


class _Pairs(list[tuple[str, object]]):
    """An object of a JSON file with its repeated keys."""


def _line_of(key: str, text: str) -> int:
    for ascii_only in (True, False):
        place = text.find(json.dumps(key, ensure_ascii=ascii_only))
        if place >= 0:
            return text.count("\n", 0, place) + 1
    return 1


def _known(label: str, allowed: Sequence[str]) -> str:
    if label not in allowed:
        what = "unknown label" if label else "the line is blank"
        raise RowError(what, label, ", ".join(allowed), suggest(label, allowed))
    return label


def _index(text: str) -> int:
    number = text.strip()
    if not (number.isascii() and number.isdigit() and str(int(number)) == number):
        hint = "write the number without brackets" if number.startswith("[") else ""
        raise RowError("this is not a plain whole number", text, "0, 1, 2, ...", hint)
    return int(number)


def _choice(text: str) -> int:
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise RowError("this is not JSON", text, '{"label": 0}') from error
    label = record.get("label") if isinstance(record, dict) else None
    if type(label) is not int or label not in (0, 1):
        raise RowError("'label' is not the number of a choice", text, '{"label": 0} or {"label": 1}')
    return label


def _pair(text: str) -> tuple[str, str]:
    fields = [field.strip() for field in text.split("\t")]
    if len(fields) != 2 or not all(fields):
        raise RowError("this is not a pair of ids", text, "foreign id, tab, English id")
    return fields[0], fields[1]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise RowError("the answer is not text", value, "text in quotes")
    return value


def _ranking(value: object, most: int | None) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise RowError("this is not a list of ids", value, "ids in quotes, best first")
    if most is not None and len(value) > most:
        raise RowError("too many ids", f"{len(value)} ids", f"at most {most}", "leave out the lowest ones")
    if len(set(value)) < len(value):
        raise RowError("an id is ranked twice", value, "every id once")
    return value


def _gold_answers(_number: str, question: Question) -> SpanRow:
    record: Record = question.record
    row_id = field_text(record, "id")
    answers = tuple(Answer(field_text(answer, "text"), 0) for answer in field_objects(record, "answers"))
    if not any(answer.text for answer in answers):
        raise RowError(
            "the question has no answer",
            row_id,
            "a text in answers",
            "XTREME's test files hide the answers; take the original data set's",
        )
    return SpanRow(row_id, "", "", answers)
