"""This is where a report's parts are described: a section has words, tables and figures.

    table = Table("leaderboard", "Every pair.", (Column("target"), Column("score", "points")), (("xnli", 0.81),))
    table.shown()      -> [["xnli", "81.0"]]
    Section("leaderboard", "Leaderboard", ("Best first.",), (table,))

Scores in tables are in [0, 1], as everywhere inside; where people read them they are points of 100. A cell without
a value is None. A number that is not finite is refused, so that none reaches a page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Cell = str | float | int | None
Kind = Literal["text", "points", "signed", "share", "number", "count", "p"]
"""How a column is read: `points` and `signed` are shares of 1 shown as points of 100, `p` is a probability."""

MISSING = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading and how its cells are read."""

    name: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report; also written as a CSV and a LaTeX file.

    Attributes:
        name: of its files, in small letters and dashes.
        caption: what stands in it, in a sentence or two.

    Raises:
        ValueError: a row is too short or too long, or a number is not finite.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.name}: a row of {len(row)} cells below {len(self.columns)} headings")
            if any(isinstance(cell, float) and not math.isfinite(cell) for cell in row):
                raise ValueError(f"{self.name}: a number that is not finite")

    def shown(self) -> list[list[str]]:
        """Write every cell as people read it."""
        kinds = [column.kind for column in self.columns]
        return [[shown(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in self.rows]


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawn figure.

    Attributes:
        name: of its files, in small letters and dashes.
        alt: what is seen in it, for those who do not see it.
        width: in pixels, on the page.
    """

    name: str
    caption: str
    alt: str
    svg: str
    png: bytes
    width: int


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page.

    Attributes:
        name: its anchor.
        words: paragraphs; what stands between backticks is code.
        unsaid: what cannot be concluded here, and why; each a sentence.
        kept_apart: tables that are written as files and not shown on the page.
    """

    name: str
    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    unsaid: tuple[str, ...] = ()
    kept_apart: tuple[Table, ...] = ()


def shown(cell: Cell, kind: Kind) -> str:
    """Write a cell as people read it."""
    if cell is None:
        return MISSING
    if isinstance(cell, str):
        return cell
    match kind:
        case "points":
            return f"{100 * cell:.1f}"
        case "signed":
            return f"{100 * cell:+.1f}".replace("-0.0", "+0.0")
        case "count":
            return f"{cell:,.0f}"
        case "share":
            return f"{cell:.2f}"
        case "p":
            return "< 0.001" if cell < 0.001 else f"{cell:.3f}"
        case _:
            return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"


def slug(text: str) -> str:
    """Make a file's name of an expression: `tydiqa@en,sw` becomes `tydiqa-en-sw`."""
    return "-".join("".join(sign if sign.isalnum() else " " for sign in text.lower()).split())


def listed(names: list[str] | tuple[str, ...], most: int = 6) -> str:
    """Write names in a row; of many, the first ones and how many there are besides."""
    rest = len(names) - most
    if rest > 0:
        return f"{', '.join(names[:most])} and {rest} more"
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])


def cut(n: int, most: int, *, rest: str) -> tuple[str, ...]:
    """Say that figures show the first targets alone, where there are more; `rest` says where the others are."""
    return (f"Figures show the first {most} of {n} targets; {rest}.",) if n > most else ()


def counted(n: int, noun: str) -> str:
    """Count something: `1 seed`, `3 seeds`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
