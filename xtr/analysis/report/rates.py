"""This is where the learning rate is looked at: every trial of a pair by its rate, not just the best.

A pair whose best rate lies at the border of what was searched may have a better one beyond it, and a useless
intermediate task may owe its place to a luckier rate; both are seen here and said.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from statistics import fmean

from xtr.analysis.report.charts import About, Panel, Series, panels
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.section import Cell, Column, Figure, Section, Table, counted, cut, listed, slug
from xtr.spec.sweep import Pair

MOST_PANELS, MOST_PAIRS = 6, 3
"""Targets that are drawn, and pairs in each: the leading ones and `none`; the table's file has all."""
FEWEST_RATES = 3
"""Different rates from which a figure is drawn."""


def rates(gathered: Gathered) -> Section:
    """Show scores by learning rate, a figure for each dimension that is one."""
    names = sorted({n for row in gathered.trials for n in row.params if n.endswith("learning_rate")})
    figures = [figure for name in names for figure in _figures(gathered, name)]
    words = (
        "Each point is a finished trial of the search (of a design, of any seed), whose other dimensions "
        "vary with it. In a design a line joins the means at each rate; in a search it would follow how often "
        "and with what else a rate was tried. A ring marks a pair's best. Trials that were stopped early are "
        "left out. Drawn are the leading pairs of each target; "
        "`learning-rates.csv` has every trial.",
        *cut(len(gathered.targets), MOST_PANELS, rest="the file has all"),
    )
    if not figures:
        why = f"Learning rates are drawn from {FEWEST_RATES} different ones on; no pair has finished with as many."
        return Section("rates", "Learning rates", unsaid=(why,))
    unsaid = (*_at_borders(gathered, names), *left_out(gathered, names))
    return Section("rates", "Learning rates", words, (), tuple(figures), unsaid, (_table(gathered, names),))


def leading(gathered: Gathered, target: str, most: int) -> list[Pair]:
    """Name `none` and the pairs of a target that lead the others."""
    pairs = [Pair(row.intermediate, row.target) for row in gathered.ranked(target)]
    rivals = [pair for pair in pairs if pair.intermediate != "none"]
    return [*(pair for pair in pairs if pair.intermediate == "none"), *rivals[: most - 1]]


def left_out(gathered: Gathered, names: Iterable[str]) -> Iterable[str]:
    """Say how many finished trials have collapsed that curves over these dimensions would have shown."""
    n = sum(row.value is not None and any(name in row.params for name in names) for row in gathered.collapsed)
    if n:
        yield f"{counted(n, 'trial')} left out of the curves for having collapsed to one class."


def _figures(gathered: Gathered, name: str) -> Iterable[Figure]:
    drawn = []
    for target in gathered.targets:
        series = [_series(gathered, pair, name) for pair in leading(gathered, target, MOST_PAIRS)]
        with_rates = tuple(each for each in series if len(set(each.x)) >= FEWEST_RATES)
        if with_rates:
            drawn.append(Panel(target, with_rates))
    if not drawn:
        return
    caption = f"Select score by `{name}`, in points of 100, for the leading pairs of each target."
    alt = f"Scores by {name} for {listed([panel.title for panel in drawn])}; a ring marks each pair's best."
    about = About(f"rates-{slug(name)}", caption, alt, gathered.intermediates)
    yield panels(about, drawn[:MOST_PANELS], x=name, y="select score", log=True)


def _series(gathered: Gathered, pair: Pair, name: str) -> Series:
    searched = [row for row in gathered.searched(pair) if not row.collapsed]
    rows = [row for row in searched if _is_rate(row.params.get(name))]
    points = sorted((float(row.params[name]), 100 * (row.value or 0.0)) for row in rows)
    best = max(points, key=lambda point: point[1], default=None)
    by_rate = {rate: [y for _, y in each] for rate, each in groupby(points, key=itemgetter(0))}
    curve = [(rate, fmean(each)) for rate, each in by_rate.items()] if gathered.is_design else []
    x, y = [x for x, _ in points], [y for _, y in points]
    return Series(pair.intermediate, x, y, joined=False, curve=curve, marked=best)


def _is_rate(value: object) -> bool:
    return isinstance(value, (int, float)) and value > 0


def _at_borders(gathered: Gathered, names: Iterable[str]) -> Iterable[str]:
    """Say whose best rate is the lowest or highest of three or more that were tried."""
    for name in names:
        found = []
        for pair in gathered.winners:
            series = _series(gathered, pair, name)
            if len(set(series.x)) >= FEWEST_RATES and series.marked is not None:
                lowest, highest = min(series.x), max(series.x)
                if series.marked[0] in (lowest, highest):
                    found.append(f"`{pair.intermediate}` for `{pair.target}`")
        if found:
            yield (
                f"The best `{name}` is the lowest or highest that was tried for {listed(found)}: a better "
                "one may lie beyond."
            )


def _table(gathered: Gathered, names: list[str]) -> Table:
    columns = (
        Column("target"),
        Column("intermediate"),
        Column("trial", "count"),
        Column("seed", "count"),
        *(Column(name, "number") for name in names),
        Column("score", "points"),
    )
    rows: list[tuple[Cell, ...]] = [
        (pair.target, pair.intermediate, row.number, row.seed, *(row.params.get(n) for n in names), row.value)
        for pair in gathered.of_pair
        for row in gathered.searched(pair)
    ]
    return Table("learning-rates", "Every finished search trial by its learning rates.", columns, tuple(rows))
