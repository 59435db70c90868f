"""This is where answers become plain text: aligned columns that fit a terminal and a job's log."""

from __future__ import annotations

from collections.abc import Sequence

from xtr.spec.space import Value
from xtr.spec.sweep import Pair


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align cells under their header: numbers to the right, words to the left."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    numeric = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in table
    )


def _is_number(cell: str) -> bool:
    return cell.strip("+-0123456789., %") == ""


def percent(value: float | None, *, signed: bool = False) -> str:
    """Write a share of 1 as points of 100, with one decimal; a dash for None."""
    if value is None:
        return "-"
    return f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"


def pair_name(pair: Pair) -> str:
    """Name a pair in words: `tydiqa after squad_v1`, `tydiqa alone`."""
    return (
        f"{pair.target} alone" if pair.intermediate == "none" else f"{pair.target} after {pair.intermediate}"
    )


def settings_text(params: dict[str, Value]) -> str:
    """Write settings on one line."""
    return ", ".join(f"{name}={value:g}" for name, value in sorted(params.items())) or "nothing to set"


def hours(value: float) -> str:
    """Write hours as people say them: 0.03 s, 35 s, 12 min, 3.4 h, 12 days."""
    seconds = 3600 * value
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1g} s"
    if value < 1.5:
        return f"{60 * value:.0f} min"
    return f"{value:.1f} h" if value < 48 else f"{value / 24:,.1f} days"
