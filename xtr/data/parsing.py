"""This is where a data file becomes lines and rows, and all that is malformed in it becomes one error.

    text = read_text(path)                                           # a BOM is dropped, bad UTF-8 refused
    rows = parse_rows(path, numbered_lines(text), parse_one_line)    # refused with up to ten problems at once

A parser of one row raises RowError; `parse_rows` adds file and line.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from xtr.catalogue.task import Task
from xtr.data.rows import Row
from xtr.errors import InputError, Problem, suggest

MOST_PROBLEMS = 10

LeftOut = Mapping[tuple[str, str, str], tuple[Problem, ...]]
"""What was wrong with the rows that were left out, by (task, split, language)."""

Item = TypeVar("Item")
AnyRow = TypeVar("AnyRow", bound=Row)


class RowError(Exception):
    """What is wrong with one row; `place` is where in the file, if that is not where the row begins."""

    def __init__(
        self, what: str, received: object = "", allowed: str = "", hint: str = "", place: object = None
    ) -> None:
        super().__init__(what)
        self.what, self.received, self.allowed, self.hint = what, received, allowed, hint
        self.place = place

    def problem(self, path: Path | str, place: object) -> Problem:
        """Say it to the user, with file and line."""
        where = f"{path}:{place if self.place is None else self.place}"
        return Problem(self.what, where, shorten(self.received), self.allowed, self.hint)


class FileFault(RowError):
    """What is wrong with a file from here on: the rows behind it cannot be read, so it is never left out."""


@dataclass(slots=True)
class BadRows:
    """How many malformed rows of a file may be left out, and what was wrong with those that were."""

    allowed: int = 0
    left_out: list[Problem] = field(default_factory=list)


_BAD: ContextVar[BadRows | None] = ContextVar("bad rows of the file that is read", default=None)


@contextmanager
def leaving_out(bad: BadRows) -> Iterator[None]:
    """Let files that are read inside lose malformed rows; outside, every one is refused."""
    token = _BAD.set(bad)
    try:
        yield
    finally:
        _BAD.reset(token)


def read_text(path: Path) -> str:
    """Read a UTF-8 file whole, without its byte order mark; line ends stay as they are, `.gz` is unpacked.

    Raises:
        InputError: a byte is not UTF-8, or the file is no gzip file although its name says so.
    """
    data = path.read_bytes()
    if path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise InputError(
                Problem("the file cannot be unpacked", str(path), str(error), hint="fetch the file again")
            ) from error
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            Problem(
                "the file is not UTF-8",
                where=f"{path}:{line}",
                received=f"byte 0x{data[error.start]:02x} at byte offset {error.start}",
                allowed="UTF-8",
                hint="fetch the file again, or convert it with `iconv -t UTF-8`",
            )
        ) from error


def numbered_lines(text: str) -> list[tuple[int, str]]:
    r"""List (line number from 1, line), splitting at \n alone: sentences may hold U+001C, U+0085 or U+2028.

    A carriage return before the line end is dropped, and so are blank lines at the end of the file.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return list(enumerate(lines, 1))


def parse_rows(
    path: Path | str,
    items: Iterable[tuple[object, Item]],
    parse: Callable[[str, Item], AnyRow | None],
) -> list[AnyRow]:
    """Turn the items of a file into rows with ids of their own; `leaving_out` says how many may be malformed.

    Args:
        path: the file, for messages.
        items: (place, item), where the place says which line it is.
        parse: makes a row of (row number from 0 as text, item), or None where the row is to be left out.

    Raises:
        InputError: up to ten problems of the file if more than may be left out, or that it holds no rows.
    """
    bad = _BAD.get() or BadRows()
    rows: list[AnyRow] = []
    places: dict[str, object] = {}
    problems: list[Problem] = []
    broken = False
    for number, (place, item) in enumerate(items):
        try:
            row = parse(str(number), item)
            if row is None:
                continue
            _refuse_repeated_id(row.id, places)
        except RowError as fault:
            problems.append(fault.problem(path, place))
            broken = broken or isinstance(fault, FileFault)
            if len(problems) >= max(MOST_PROBLEMS, bad.allowed + 1):
                break
        else:
            places[row.id] = place
            rows.append(row)
    if broken or len(problems) > bad.allowed:
        raise InputError(_too_many(path, problems, bad.allowed))
    bad.left_out += problems
    if not rows:
        raise InputError(Problem("the file holds no rows", where=f"{path}:1", hint="fetch the file again"))
    return rows


def known_label(label: str, task: Task) -> str:
    """Return a label that the task has; anything else is malformed."""
    if label not in task.labels:
        raise RowError("unknown label", label, ", ".join(task.labels), suggest(label, task.labels))
    return label


def usual_width(rows: Sequence[Sequence[str]], *, allowed: tuple[int, int]) -> int:
    """How many columns most rows of a file have, so that one broken row does not condemn the others."""
    widths = Counter(map(len, rows))
    return max(allowed, key=widths.__getitem__)


def check_width(fields: Sequence[str], n_columns: int) -> None:
    """Refuse a row that has not as many columns as its file."""
    if len(fields) != n_columns:
        received = f"{len(fields)} columns: {' | '.join(fields)}"
        raise RowError("wrong number of columns", received, f"{n_columns}, between tabs")


def _too_many(path: Path | str, problems: list[Problem], allowed: int) -> list[Problem]:
    """Show up to ten problems; where some could have been left out, say that there are more."""
    shown = problems[:MOST_PROBLEMS]
    if allowed and len(problems) > allowed:
        what = "more malformed rows than may be left out"
        shown.append(Problem(what, str(path), f"{len(problems)} or more", f"{allowed} (--skip-bad)"))
    return shown


def shorten(value: object, n_characters: int = 80) -> str:
    """Show a value met in a file within one line of a message."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= n_characters else text[: n_characters - 3] + "..."


def _refuse_repeated_id(row_id: str, places: dict[str, object]) -> None:
    if row_id in places:
        raise RowError(
            "two rows have the same id", row_id, f"ids that occur once; the first is at {places[row_id]}"
        )
