"""This is where what a sweep declared beforehand is held against what it measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xtr.analysis.findings.verdicts import Finding
from xtr.analysis.report.charts import About, Dots, dots
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.section import Cell, Column, Figure, Section, Table, counted, listed

IN_POINTS = ("difference", "difference_of_differences")
COLUMNS = (
    *map(Column, ("name", "claim", "expected")),
    *(Column(name, "number") for name in ("measured", "low", "high")),
    Column("p (Holm)", "p"),
    Column("seeds", "count"),
    *map(Column, ("verdict", "why")),
)


def claims(gathered: Gathered) -> Section | None:
    """Give the verdicts on the contrasts that the sweep file declares; None where it declares none."""
    found = gathered.findings
    if not found:
        return None
    told = {verdict: sum(each.verdict == verdict for each in found) for verdict in VERDICTS}
    words = (
        f"{counted(len(found), 'claim')} declared in the sweep file: "
        f"{', '.join(f'{n} {VERDICTS[verdict]}' for verdict, n in told.items() if n)}.",
        "Numbers are points of 100; of a curve points per doubling of its size, of a crossing the size "
        "itself. Intervals hold 95 %, and p is corrected over all claims (Holm).",
    )
    table = Table(
        "claims", "What was claimed, what was measured, and what follows.", COLUMNS, tuple(map(_line, found))
    )
    return Section("claims", "Claims", words, (table,), tuple(_forest(found)), tuple(_unsaid(found)))


VERDICTS = {"holds": "held", "refuted": "refuted", "open": "left open", "not tested": "not tested"}


def _line(each: Finding) -> tuple[Cell, ...]:
    claim = f"{each.claim} [{each.source}]" if each.source else each.claim
    numbers = (each.measured, each.low, each.high, each.p, each.n_seeds or None)
    return (each.name, claim, each.expected, *numbers, each.verdict, each.why)


def _forest(found: Sequence[Finding]) -> Iterable[Figure]:
    """Draw the differences with their intervals, a row each."""
    drawn = [each for each in found if each.kind in IN_POINTS and each.measured is not None]
    if not drawn:
        return
    names = [f"{each.name} ({each.verdict})" for each in drawn]
    values = {
        name: each.measured for name, each in zip(names, drawn, strict=True) if each.measured is not None
    }
    ends = {
        name: (each.low, each.high)
        for name, each in zip(names, drawn, strict=True)
        if each.low is not None and each.high is not None
    }
    caption = "Measured differences with their 95 % intervals, in points of 100."
    alt = f"A row for each of {listed(names)}: the difference and its interval."
    yield dots(
        About("claims", caption, alt), names, [Dots("measured", values, ends)], "points of 100", nought=True
    )


def _unsaid(found: Sequence[Finding]) -> Iterable[str]:
    by_why: dict[str, list[str]] = {}
    for each in found:
        if each.verdict == "not tested":
            by_why.setdefault(each.why, []).append(f"`{each.name}`")
    for why, names in by_why.items():
        yield f"Not tested, {listed(names)}: {why}."
