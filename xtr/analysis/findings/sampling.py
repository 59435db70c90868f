"""This is where a weighted sum of scores gets its interval over seeds, and is held against what was expected.

    found = sample(weights, table, seeds=(1, 2, 3), store=store)
    found.interval, found.against(Expectation("above", 0))

It is Student's t of the seeds' values. From ten seeds on test items are drawn anew, where those of all scores are
still stored, and what other items would change is added to the variance. All in points of 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xtr.analysis.findings.weighing import Table, Weights, total
from xtr.analysis.records.outcomes import read_items, value_of
from xtr.errors import XtrError
from xtr.spec.contrasts import Expectation
from xtr.stages.store import StageStore
from xtr.statistics.intervals import (
    ENOUGH_SEEDS,
    Interval,
    Summand,
    item_variance,
    mean_interval,
)
from xtr.statistics.significance import Outcome, side_of, within

SEED = 0
"""Of the bootstrap: two calls say the same."""
MOST_FILES = 4000
"""A sum of more scores than these has its items not read: its interval is about these items."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A weighted sum of scores, in points.

    Attributes:
        by_seed: (n_seeds,) its values.
        items: variance that other test items would add to the mean, where items were drawn anew.
    """

    by_seed: tuple[float, ...]
    interval: Interval
    items: float | None = None

    def against(self, expected: Expectation) -> Outcome | None:
        """Hold it against what was expected; None where one seed, or no spread, allows no test."""
        if expected.what == "within":
            return within(self.by_seed, expected.value, items=self.items)
        above = expected.what in ("above", "rises")
        return side_of(self.by_seed, expected.value, above=above, items=self.items)


def seeds_of(sums: Sequence[Weights], table: Table) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """List the seeds that all scores of some sums have, and those that only some have."""
    all_seeds = [set(table.scores[cell]) for weights in sums for cell in weights]
    common = set.intersection(*all_seeds)
    return tuple(sorted(common)), tuple(sorted(set.union(*all_seeds) - common))


def sample(weights: Weights, table: Table, seeds: Sequence[int], store: StageStore | None = None) -> Sample:
    """Compute a sum at each seed, and its interval.

    Args:
        store: where test items are read, from ten seeds on; None reads none.
    """
    by_seed = tuple(100 * total(weights, table, seed) for seed in seeds)
    if store is not None and len(seeds) >= ENOUGH_SEEDS and len(weights) * len(seeds) <= MOST_FILES:
        summands = _summands(weights, table, seeds, store)
        if summands:
            items = 100**2 * item_variance(summands, seed=SEED)
            return Sample(by_seed, mean_interval(by_seed, items=items), items)
    return Sample(by_seed, mean_interval(by_seed))


def _summands(
    weights: Weights, table: Table, seeds: Sequence[int], store: StageStore
) -> list[Summand] | None:
    """Read how each item went in every score; None where that is not stored any more.

    Scores on items of the same ids share their draws: those of two arms, and of parallel test sets.
    """
    summands = []
    for cell, weight in weights.items():
        rows = {seed: table.scores[cell][seed] for seed in seeds}
        try:
            items = {seed: read_items(store, row.stage, row.metric) for seed, row in rows.items()}
        except (XtrError, OSError):
            return None
        ids = {each for each, _ in items.values()}
        if len(ids) > 1:
            return None
        counts = {seed: each for seed, (_, each) in items.items()}
        summands.append(Summand(weight, counts, value_of(counts[seeds[0]]), ids.pop()))
    return summands
