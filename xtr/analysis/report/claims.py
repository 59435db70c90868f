"""This is where what a sweep declared beforehand is held against what it measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xtr.analysis.findings.curves import MEAN
from xtr.analysis.findings.verdicts import Finding
from xtr.analysis.report.charts import About, Dots, Panel, Series, dots, panels
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.section import Cell, Column, Figure, Section, Table, counted, listed, slug

MOST_PANELS = 6
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
    figures = (*_forest(found), *_over_sizes(gathered))
    return Section("claims", "Claims", words, (table,), figures, tuple(_unsaid(found)))


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


def _over_sizes(gathered: Gathered) -> Iterable[Figure]:
    """Draw the claims over a size, a figure a dimension: points, laws, and where two curves meet."""
    by_dimension: dict[str, list[Finding]] = {}
    for each in gathered.findings:
        if each.detail.get("points"):
            by_dimension.setdefault(str(each.detail["over"]), []).append(each)
    for name, found in by_dimension.items():
        drawn = [panel_of(each) for each in found[:MOST_PANELS]]
        beside = f" The first {MOST_PANELS} of {len(found)} claims." if len(found) > MOST_PANELS else ""
        arms = listed(list(dict.fromkeys(each.name for panel in drawn for each in panel.series)))
        caption = (
            f"What is claimed over `{name}` of {arms}, in points of 100: means over languages and seeds with "
            "their 95 % intervals, and a law with its band where one can be fitted. An upright line is where "
            f"two curves meet, shaded its interval.{beside}"
        )
        alt = f"Points and curves of {arms} over {name}: {listed([each.title for each in drawn])}."
        about = About(f"claims-{slug(name)}", caption, alt, gathered.intermediates)
        yield panels(about, drawn, x=name, y="points of 100", log=True)


def panel_of(found: Finding) -> Panel:
    """Chart a claim over a size: its arms with points, laws and bands, and of a crossing where they meet."""
    detail: Mapping[str, Any] = found.detail
    laws = {law["arm"]: law["band"] for law in detail["laws"]}
    of_arm: dict[str, list[Mapping[str, Any]]] = {}
    for point in detail["points"]:
        if point["language"] == MEAN and point["size"]:
            of_arm.setdefault(point["arm"], []).append(point)
    series = tuple(_series(arm, points, laws.get(arm, ())) for arm, points in of_arm.items())
    title = f"{found.name} ({found.verdict})"
    if found.kind != "crossing":
        return Panel(title, series)
    between = None if found.low is None or found.high is None else (found.low, found.high)
    return Panel(title, series, upright=found.measured, between=between)


def _series(arm: str, points: Sequence[Mapping[str, Any]], law: Sequence[Mapping[str, Any]]) -> Series:
    points = sorted(points, key=lambda each: each["size"])
    return Series(
        arm,
        [each["size"] for each in points],
        [each["mean"] for each in points],
        curve=[(each["size"], each["value"]) for each in law],
        band=[(each["size"], each["low"], each["high"]) for each in law if each["low"] is not None],
        ends=[(each["size"], each["low"], each["high"]) for each in points if each["low"] is not None],
    )


def _unsaid(found: Sequence[Finding]) -> Iterable[str]:
    by_why: dict[str, list[str]] = {}
    for each in found:
        if each.verdict == "not tested":
            by_why.setdefault(each.why, []).append(f"`{each.name}`")
    for why, names in by_why.items():
        yield f"Not tested, {listed(names)}: {why}."
