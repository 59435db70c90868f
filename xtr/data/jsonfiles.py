"""This is where JSON becomes records whose fields have been checked, so that readers need not doubt them.

read_json_lines(path, lambda number, record: PairRow(number, field_text(record, "premise"), ...))
read_questions(path, lambda number, question: SpanRow(..., context=question.context, ...))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xtr.data.parsing import AnyRow, FileFault, RowError, numbered_lines, parse_rows, read_text
from xtr.errors import InputError

Record = Mapping[str, object]


def read_json_lines(path: Path, parse: Callable[[str, Record], AnyRow | None]) -> list[AnyRow]:
    """Read a file with one JSON object a line; blank lines are skipped.

    Raises:
        InputError: up to ten problems of the file.
    """
    lines = [(line, text) for line, text in numbered_lines(read_text(path)) if text.strip()]
    return parse_rows(path, lines, lambda number, text: parse(number, load_object(text)))


def field_text(record: Record, *names: str) -> str:
    """Return the first of the named fields that is there; it must hold text."""
    for name in names:
        if name in record:
            value = record[name]
            if not isinstance(value, str):
                raise RowError(f"{name!r} is not text", value, "text in quotes")
            return value
    wanted = " or ".join(map(repr, names))
    raise RowError(f"{wanted} is missing", f"the fields {', '.join(record)}", wanted)


def field_object(record: Record, name: str) -> Record:
    """Return a field; it must hold an object."""
    return _as_object(record.get(name), repr(name))


def field_objects(record: Record, name: str) -> list[Record]:
    """Return a field; it must hold a list of objects."""
    value = record.get(name)
    if not isinstance(value, list):
        raise RowError(f"{name!r} is not a list", value, "a list of objects")
    return [_as_object(entry, f"an entry of {name!r}") for entry in value]


def field_texts(record: Record, name: str) -> list[str]:
    """Return a field; it must hold a list of texts."""
    value = record.get(name)
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise RowError(f"{name!r} is not a list of texts", value, '["...", "..."]')
    return value


def id_of(record: Record, *names: str, number: str) -> str:
    """Return the first of the named fields that holds text or a number; otherwise the row's number."""
    found = (record[name] for name in names if name in record)
    return next((str(value) for value in found if isinstance(value, str | int)), number)


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a SQuAD file with its paragraph's context.

    Attributes:
        paragraph: the whole paragraph, other questions and all.
        number: the paragraph's number in the file, from 1.
    """

    context: str
    record: Record
    paragraph: Record = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a question stands; its line is looked up only when a message needs it."""

    text: str
    record: Record
    pointer: str

    def __str__(self) -> str:
        for name in ("id", "question"):
            for ascii_only in (True, False):
                needle = json.dumps(self.record.get(name), ensure_ascii=ascii_only)
                if name in self.record and needle in self.text:
                    line = self.text.count("\n", 0, self.text.index(needle)) + 1
                    return f"{line} {self.pointer}"
        return f"1 {self.pointer}"


def read_questions(path: Path, parse: Callable[[str, Question], AnyRow | None]) -> list[AnyRow]:
    """Read a SQuAD file: articles with paragraphs with questions, as a list or below `data`.

    Raises:
        InputError: up to ten problems of the file.
    """
    text = read_text(path)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(_not_json(error).problem(path, error.lineno)) from error

    def parse_question(number: str, item: Question | RowError) -> AnyRow | None:
        if isinstance(item, RowError):
            raise item
        return parse(number, item)

    return parse_rows(path, _walk(document, text), parse_question)


def _walk(document: object, text: str) -> Iterator[tuple[object, Question | RowError]]:
    """Yield every question; where the structure above the questions breaks, the fault ends the walk."""
    pointer, number = "data", 0
    try:
        top = {"data": document} if isinstance(document, list) else _as_object(document, "the file")
        for a, article in enumerate(field_objects(top, "data")):
            pointer = f"data[{a}]"
            for p, paragraph in enumerate(field_objects(article, "paragraphs")):
                pointer = f"data[{a}].paragraphs[{p}]"
                context, number = field_text(paragraph, "context"), number + 1
                for q, record in enumerate(field_objects(paragraph, "qas")):
                    yield (
                        _Place(text, record, f"{pointer}.qas[{q}]"),
                        Question(context, record, paragraph, number),
                    )
    except RowError as fault:
        yield f"1 {pointer}", FileFault(fault.what, fault.received, fault.allowed, fault.hint)


def load_object(text: str) -> Record:
    """Parse one JSON object."""
    try:
        return _as_object(json.loads(text), "the line")
    except json.JSONDecodeError as error:
        raise _not_json(error) from error


def _not_json(error: json.JSONDecodeError) -> RowError:
    around = error.doc[max(0, error.pos - 20) : error.pos + 20]
    return RowError("this is not JSON", f"{around!r}, column {error.colno}", error.msg)


def _as_object(value: object, name: str) -> Record:
    if not isinstance(value, dict):
        raise RowError(f"{name} is not an object", value, "{...}")
    return value
