"""This is where scores are drawn against the amount of data, with a power law where one can be fitted.

Sizes are those dimensions that end in `.fraction` or `.examples`. A size is represented, seed by seed, by the best
that n of its trials are expected to reach, n being the fewest that any has: the best of all of them would rise
with their number, which a search chooses by scores. In the languages, which a design evaluates at all of its
points, it is what the best on select has there. Trials that confirm are left out: only the winner's size has some.

Of a design a law is fitted from three sizes on, with a band from three seeds on; of a search none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import correlation, fmean

from xtr.analysis.answers.groups import groups_of
from xtr.analysis.answers.leaderboard import told
from xtr.analysis.records.trials import TrialRow
from xtr.analysis.report.charts import About, Panel, Series, panels
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.rates import leading, left_out
from xtr.analysis.report.section import Cell, Column, Figure, Section, Table, counted, cut, listed, slug
from xtr.analysis.report.standings import bounds
from xtr.fingerprint import canonical_json
from xtr.metrics.expected_best import expected_choice
from xtr.spec.sweep import Pair
from xtr.statistics.intervals import mean_interval
from xtr.statistics.scaling import FEWEST_SIZES, PowerLaw, bootstrap_laws, fit_power_law, loss_band

SIZES = (".fraction", ".examples")
SELECT = "select"
MOST_PANELS, MOST_PAIRS = 6, 3
FEWEST_SEEDS, DRAWS, STEPS = 3, 200, 30
RISES = 0.5
"""Correlation of score and logarithm of the size from which on a law is fitted."""


Tried = tuple[float, float]
"""Of a trial: the select score, by which the best is chosen, and the score that is shown, in [0, 1]."""
Cells = Mapping[int, Mapping[float, Sequence[Tried]]]
"""A pair's trials by seed and size."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Scores of a pair by size.

    Attributes:
        dimension: what the size is, as the sweep file names it.
        where: `select`, or a group of languages of the split that was evaluated.
        n: trials that a score is the best of.
        scores: by seed, then by size, in [0, 1].
    """

    pair: Pair
    dimension: str
    where: str
    n: int
    scores: Mapping[int, Mapping[float, float]]

    @property
    def sizes(self) -> list[float]:
        """Every size, rising."""
        return sorted({size for each in self.scores.values() for size in each})

    def at(self, size: float) -> list[float]:
        """The scores at a size, a seed each."""
        return [each[size] for each in self.scores.values() if size in each]


def scaling(gathered: Gathered) -> Section:
    """Draw the score by size, for every dimension that is one."""
    names = sorted({n for row in gathered.trials for n in row.params if n.endswith(SIZES)})
    curves = [curve for name in names for curve in curves_of(gathered, name)]
    if not curves:
        why = f"No pair has finished trials at {FEWEST_SIZES} or more sizes, so no curve over size is drawn."
        return Section("scaling", "Size and scaling", unsaid=(why, *left_out(gathered, names)))
    laws = {
        (each.pair, each.dimension, each.where): law
        for each in _drawn(gathered, curves)
        if gathered.is_design and (law := _law(each))
    }
    figures = [
        figure
        for name in names
        for is_select in (True, False)
        for figure in _figures(gathered, name, [c for c in curves if (c.where == SELECT) == is_select], laws)
    ]
    words = (
        "A point is the best that n trials of a size are expected to reach, averaged over seeds; n stands "
        "above each chart and is the fewest trials that any of its sizes has, so that none gains by having "
        "been tried more often.",
        _of_laws(gathered),
        *cut(len(gathered.targets), MOST_PANELS, rest="`sizes.csv` has all"),
    )
    unsaid = (*_unsaid(curves, laws, fitting=gathered.is_design), *left_out(gathered, names))
    tables = [table for table in [_laws(laws)] if table.rows]
    return Section(
        "scaling", "Size and scaling", words, tuple(tables), tuple(figures), unsaid, (_table(curves),)
    )


def _of_laws(gathered: Gathered) -> str:
    if gathered.is_design:
        return (
            "A curve is the law loss = limit + scale · size^(−exponent), with loss = 1 − score, fitted as in "
            "arXiv 2203.15556; a band holds 95 % of the laws of seeds drawn anew. No law is fitted where scores "
            "do not rise with size; there the points are joined."
        )
    return (
        "This sweep is a search: its points are of one seed, without the trials that confirm winners, and no "
        "law is fitted. A search tries promising sizes with settings that it has improved meanwhile, so a rise "
        "may be its own doing; what size brings, a design tells (`search.design`)."
    )


def curves_of(gathered: Gathered, name: str) -> Iterator[Curve]:
    """Yield the curves over a size, of every pair that has enough of them."""
    for target in gathered.targets:
        found: dict[str, dict[Pair, Cells]] = {}
        for pair in gathered.winners:
            if pair.target == target:
                for where, cells in _cells(gathered, pair, name):
                    if len({size for each in cells.values() for size in each}) >= FEWEST_SIZES:
                        found.setdefault(where, {})[pair] = cells
        for where, of_pair in found.items():
            tried = [
                each for cells in of_pair.values() for by_size in cells.values() for each in by_size.values()
            ]
            n = min(map(len, (*tried, *level_of(gathered, target, name, where).values())))
            for pair, cells in of_pair.items():
                yield _curve(pair, name, where, n, cells)


def _curve(pair: Pair, name: str, where: str, n: int, cells: Cells) -> Curve:
    scores = {
        seed: {size: expected_choice(tried, n) for size, tried in each.items()}
        for seed, each in cells.items()
    }
    return Curve(pair, name, where, n, scores)


def _cells(gathered: Gathered, pair: Pair, name: str) -> Iterator[tuple[str, Cells]]:
    by_cell: dict[tuple[int, float], list[TrialRow]] = {}
    for row in gathered.tried(pair):
        size = row.params.get(name)
        if isinstance(size, (int, float)) and size > 0 and not row.collapsed:
            by_cell.setdefault((row.seed, float(size)), []).append(row)
    found: dict[int, dict[float, list[Tried]]] = {}
    for (seed, size), rows in by_cell.items():
        scores = told(rows)
        if scores:
            found.setdefault(seed, {})[size] = [(score, score) for score in scores]
    yield SELECT, found
    yield from _in_languages(gathered, pair, name)


def _in_languages(gathered: Gathered, pair: Pair, name: str) -> Iterator[tuple[str, Cells]]:
    """Yield the source language, the others, and the resource classes among them."""
    collapsed = {
        (row.seed, canonical_json(dict(row.params))) for row in gathered.of_pair[pair] if row.collapsed
    }
    by_point: dict[tuple[int, str], dict[str, float]] = {}
    size_of: dict[str, float] = {}
    for row in gathered.scores_of_pair.get(pair, ()):
        size = row.settings.get(name)
        if row.split == gathered.split and isinstance(size, (int, float)) and size > 0:
            point = canonical_json(dict(row.settings))
            if (row.seed, point) in collapsed:
                continue
            size_of[point] = float(size)
            by_point.setdefault((row.seed, point), {})[row.language] = row.value
    if len(set(size_of.values())) < FEWEST_SIZES:
        return
    select = {
        (row.seed, canonical_json(dict(row.params))): row.value or 0.0 for row in gathered.searched(pair)
    }
    for where, codes in _groups(gathered, {code for each in by_point.values() for code in each}):
        found: dict[int, dict[float, list[Tried]]] = {}
        for (seed, point), scores in by_point.items():
            own = [scores[code] for code in codes if code in scores]
            if own:
                at_size = found.setdefault(seed, {}).setdefault(size_of[point], [])
                at_size.append((select.get((seed, point), 0.0), fmean(own)))
        yield where, found


def _groups(gathered: Gathered, codes: set[str]) -> Iterator[tuple[str, Sequence[str]]]:
    source = gathered.spec.stages.source_language
    if source in codes:
        yield source, (source,)
    others = sorted(codes - {source})
    if others:
        yield "other languages", others
    for group in groups_of(others):
        if group.by == "resources" and len(group.languages) < len(others):
            yield f"resources {group.name}", group.languages


def _drawn(gathered: Gathered, curves: Iterable[Curve]) -> list[Curve]:
    leaders = {target: leading(gathered, target, MOST_PAIRS) for target in gathered.targets[:MOST_PANELS]}
    return [each for each in curves if each.pair in leaders.get(each.pair.target, ())]


def _law(curve: Curve) -> PowerLaw | None:
    """Fit a law through all seeds; None where scores do not rise with size, or one of 1 leaves no loss to fit."""
    points = [(size, score) for each in curve.scores.values() for size, score in sorted(each.items())]
    sizes, scores = zip(*points, strict=True)
    if max(scores) >= 1 or max(scores) - min(scores) < 1e-9:
        return None
    if correlation([log(size) for size in sizes], scores) < RISES:
        return None
    return fit_power_law(sizes, [1 - score for score in scores])


Laws = Mapping[tuple[Pair, str, str], PowerLaw]


def _figures(gathered: Gathered, name: str, curves: Sequence[Curve], laws: Laws) -> Iterator[Figure]:
    together: dict[tuple[str, str], list[Curve]] = {}
    for each in _drawn(gathered, curves):
        if each.dimension == name:
            together.setdefault((each.pair.target, each.where), []).append(each)
    if not together:
        return
    drawn = []
    for (target, where), beside in list(together.items())[:MOST_PANELS]:
        series = [_series(each, laws.get((each.pair, each.dimension, where))) for each in beside]
        title = (
            f"{target}, best of {beside[0].n}"
            if where == SELECT
            else f"{target}: {where}, best of {beside[0].n}"
        )
        drawn.append(Panel(title, (*series, *_without(gathered, beside))))
    split = SELECT if (SELECT in {where for _, where in together}) else str(gathered.split)
    fitted = ", with fitted laws" if laws else ""
    caption = f"Score on {split} by `{name}`, in points of 100{fitted}."
    alt = f"Score by {name} for {listed([each.title for each in drawn])}, the size on a logarithmic scale."
    about = About(f"scaling-{split}-{slug(name)}", caption, alt, gathered.intermediates)
    yield panels(about, drawn, x=name, y=f"{split} score", log=True)


def _without(gathered: Gathered, beside: Sequence[Curve]) -> Iterator[Series]:
    """Yield `none` as a level: it has no intermediate stage whose size could vary."""
    first = beside[0]
    level = level_of(gathered, first.pair.target, first.dimension, first.where)
    if level:
        sizes = [size for each in beside for size in each.sizes]
        score = fmean(expected_choice(tried, first.n) for tried in level.values())
        yield Series("none", [min(sizes), max(sizes)], [100 * score] * 2)


def level_of(gathered: Gathered, target: str, name: str, where: str) -> dict[int, list[Tried]]:
    """List by seed what `none` has reached, where a curve is held against it."""
    if where != SELECT or not name.startswith("intermediate."):
        return {}
    by_seed: dict[int, list[TrialRow]] = {}
    for row in gathered.tried(Pair("none", target)):
        if not row.collapsed:
            by_seed.setdefault(row.seed, []).append(row)
    scores = {seed: told(rows) for seed, rows in by_seed.items()}
    return {seed: [(score, score) for score in each] for seed, each in scores.items() if each}


def _series(curve: Curve, law: PowerLaw | None) -> Series:
    sizes = curve.sizes
    means = [100 * fmean(curve.at(size)) for size in sizes]
    if law is None:
        return Series(curve.pair.intermediate, sizes, means)
    steps = [sizes[0] * (sizes[-1] / sizes[0]) ** (i / STEPS) for i in range(STEPS + 1)]
    line = [(size, 100 * (1 - law.loss(size))) for size in steps]
    return Series(curve.pair.intermediate, sizes, means, curve=line, band=_band(curve, steps))


def _band(curve: Curve, steps: Sequence[float]) -> list[tuple[float, float, float]]:
    whole = {seed: each for seed, each in curve.scores.items() if len(each) >= FEWEST_SIZES}
    if len(whole) < FEWEST_SEEDS:
        return []
    losses = {seed: {size: 1 - score for size, score in each.items()} for seed, each in whole.items()}
    ends = loss_band(bootstrap_laws(losses, seed=0, n_draws=DRAWS), steps)
    return [(size, 100 * (1 - high), 100 * (1 - low)) for size, (low, high) in zip(steps, ends, strict=True)]


def _laws(laws: Laws) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (pair.target, pair.intermediate, dimension, where, 1 - law.limit, law.exponent)
        for (pair, dimension, where), law in laws.items()
    ]
    names = ("target", "intermediate", "dimension", "on")
    columns = (*map(Column, names), Column("limit of the score", "points"), Column("exponent", "number"))
    caption = (
        "Laws of scale of the leading pairs: what no amount of data goes beyond, and how fast it is neared."
    )
    return Table("laws", caption, columns, tuple(rows))


def _table(curves: Sequence[Curve]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for curve in curves:
        for size in curve.sizes:
            interval = mean_interval(curve.at(size))
            what = (curve.pair.target, curve.pair.intermediate, curve.dimension, curve.where)
            rows.append((*what, size, interval.mean, *bounds(interval), interval.n_seeds, curve.n))
    names = ("target", "intermediate", "dimension", "on")
    numbers = (
        Column("score", "points"),
        Column("low", "points"),
        Column("high", "points"),
        Column("seeds", "count"),
        Column("best of", "count"),
    )
    caption = (
        "Scores by size: the expected best of so many trials, means over seeds with their t intervals (95 %)."
    )
    return Table("sizes", caption, (*map(Column, names), Column("size", "number"), *numbers), tuple(rows))


def _unsaid(curves: Sequence[Curve], laws: Laws, *, fitting: bool) -> Iterator[str]:
    few = [each for each in curves if len(each.scores) < FEWEST_SEEDS]
    if few:
        yield (
            f"{len(few)} of {counted(len(curves), 'curve')} stand on fewer than {FEWEST_SEEDS} seeds: they "
            "have no band, and a bend in them may be chance."
        )
    perfect = {each.pair.target for each in curves if any(max(v.values()) >= 1 for v in each.scores.values())}
    if fitting and perfect:
        yield f"No law where a score is 100, for then no loss is left: {listed(sorted(perfect))}."
    far = [pair for (pair, _, _), law in laws.items() if law.exponent < 0.01 or law.limit <= 0.001]
    if far:
        names = dict.fromkeys(f"`{pair.intermediate}` for `{pair.target}`" for pair in far)
        yield f"The sizes do not show where scores level off, so the limit is a guess: {listed(list(names))}."
