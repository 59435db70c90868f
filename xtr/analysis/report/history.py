"""This is where the search itself is looked at: what it found when, and which dimensions mattered."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from statistics import fmean

from xtr.analysis.report.charts import About, Dots, Panel, Series, dots, panels
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.rates import leading
from xtr.analysis.report.section import Cell, Column, Figure, Section, Table, cut, listed

MOST_PANELS, MOST_PAIRS = 6, 5
FEWEST_TRIALS = 3


def history(gathered: Gathered) -> Section:
    """Show how each search went."""
    if gathered.is_design:
        told = "This sweep is a design: it trains every setting at every seed, so nothing was searched."
        return Section("search", "Search", (told,))
    figures = [*_progress(gathered), *_importance(gathered)]
    tables = [table for table in [_importances(gathered)] if table.rows]
    if not figures:
        why = f"No search has finished {FEWEST_TRIALS} trials, so its course says nothing yet."
        return Section("search", "Search", unsaid=(why,))
    words = [
        "The best select score so far, by finished search trial. A line that still rises at its end says "
        "that more trials may find more.",
        *cut(len(gathered.targets), MOST_PANELS, rest="`learning-rates.csv` has the trials of all"),
    ]
    if tables:
        words.append(
            "Importance is PED-ANOVA's (arXiv 2304.10255), per study: how far the values of a pair's better "
            "trials differ from those of all its trials. It tells what the search had to get right, not what "
            "was set well."
        )
    return Section("search", "Search", tuple(words), tuple(tables), tuple(figures), tuple(_unsaid(gathered)))


def _progress(gathered: Gathered) -> Iterable[Figure]:
    drawn = []
    for target in gathered.targets:
        series = []
        for pair in leading(gathered, target, MOST_PAIRS):
            values = [100 * (row.value or 0.0) for row in gathered.searched(pair)]
            if len(values) >= FEWEST_TRIALS:
                best = list(accumulate(values, max))
                series.append(Series(pair.intermediate, range(1, len(best) + 1), best))
        if series:
            drawn.append(Panel(target, tuple(series)))
    if drawn:
        caption = "The best select score so far, in points of 100, by finished search trial of a pair."
        alt = f"Rising lines of the best score so far for {listed([panel.title for panel in drawn])}."
        about = About("search", caption, alt, gathered.intermediates)
        yield panels(about, drawn[:MOST_PANELS], x="finished search trials", y="best select score")


def _importance(gathered: Gathered) -> Iterable[Figure]:
    names = _dimensions(gathered)
    if len(names) < 2:
        return
    series = []
    for target in gathered.targets:
        own = [each for pair, each in gathered.importances.items() if pair.target == target]
        if own:
            means = {n: fmean(each.get(n, 0.0) for each in own) for n in names if any(n in e for e in own)}
            series.append(Dots(target, means))
    caption = (
        "How much each dimension matters to the searches of a target: shares of 1, means over its pairs."
    )
    alt = f"Importance of {listed(names)}; the most important on average is {names[0]}."
    yield dots(About("importance", caption, alt), names, series[:6], "importance")


def _dimensions(gathered: Gathered) -> list[str]:
    """Every dimension that has an importance, the weightiest on average first."""
    shares: dict[str, list[float]] = {}
    for each in gathered.importances.values():
        for name, share in each.items():
            shares.setdefault(name, []).append(share)
    return sorted(shares, key=lambda name: (-fmean(shares[name]), name))


def _importances(gathered: Gathered) -> Table:
    names = _dimensions(gathered)
    rows: list[tuple[Cell, ...]] = [
        (pair.target, pair.intermediate, len(gathered.searched(pair)), *(each.get(n) for n in names))
        for pair, each in gathered.importances.items()
    ]
    columns = (Column("target"), Column("intermediate"), Column("trials", "count"))
    caption = "Importance of each dimension in each study, as shares of 1."
    numbers = tuple(Column(name, "share") for name in names)
    return Table("importance", caption, (*columns, *numbers), tuple(rows))


def _unsaid(gathered: Gathered) -> Iterable[str]:
    without = [pair for pair in gathered.winners if pair not in gathered.importances]
    if without and not gathered.importances:
        yield "No importance is told: every pair has too few finished trials, one dimension, or scores all alike."
    elif without:
        names = [f"`{pair.intermediate}` for `{pair.target}`" for pair in without]
        yield (
            f"No importance for {listed(names)}: too few finished trials, one dimension at most, or scores "
            "all alike."
        )
