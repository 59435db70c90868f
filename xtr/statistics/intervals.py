"""This is where a mean gets its confidence interval, and where two systems are compared seed by seed.

    mean_interval([0.71, 0.73, 0.72])                            -> 0.72 with Student's t over 3 seeds
    paired_interval({1: 0.71, 2: 0.73}, {1: 0.70, 2: 0.71})      -> the mean of the differences, likewise
    items_interval(ours, theirs, seed=0)                         -> over seeds and test items, by bootstrap

Below ten seeds the bootstrap over seeds is too narrow, since so few values hardly show their spread: there the
t interval of the seeds' means is right, as long as these are about normal. From ten seeds on items and seeds are
drawn anew together, which also says what another test set of this size would have shown. `benchmarks/coverage.py`
measures how often each holds the truth.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
ENOUGH_SEEDS = 10
"""From here on the bootstrap over items and seeds is used."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it lies with a confidence, all in the unit of the values.

    Attributes:
        low, high: None where one seed says nothing about chance.
        n_seeds: seeds that the mean is over.
        method: what made the interval.
        confidence: the share of such intervals that hold the truth.
    """

    mean: float
    low: float | None
    high: float | None
    n_seeds: int
    method: Literal["t", "bootstrap", "none"]
    confidence: float = CONFIDENCE

    @property
    def excludes_nought(self) -> bool:
        """Whether the whole interval lies on one side of nought."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def mean_interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """Give the mean of seeds' values its t interval, n - 1 degrees of freedom.

    Args:
        values: (n_seeds,), one a seed.

    Raises:
        ValueError: there is no value, or one is not finite.
    """
    _check(values)
    mean, n = statistics.fmean(values), len(values)
    if n == 1:
        return Interval(mean, None, None, 1, "none", confidence)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * statistics.stdev(values) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n, "t", confidence)


def paired_interval(
    ours: Mapping[int, float], theirs: Mapping[int, float], *, confidence: float = CONFIDENCE
) -> Interval:
    """Give the mean difference of two systems its t interval, over the seeds that both have.

    Raises:
        ValueError: they have no seed in common.
    """
    return mean_interval(list(paired_differences(ours, theirs).values()), confidence=confidence)


def paired_differences(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[int, float]:
    """Subtract seed by seed, over the seeds that both have."""
    return {seed: ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())}


def items_interval(
    ours: Mapping[int, Sequence[float]],
    theirs: Mapping[int, Sequence[float]],
    *,
    seed: int,
    n_draws: int = 2000,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Compare two systems on the same test items, over seeds, for scores that are means over items.

    Below ten common seeds this is the t interval of the seeds' mean differences. From ten on, seeds and items are
    drawn anew independently of one another (Owen 2007, the pigeonhole bootstrap) and the percentiles of the mean
    difference are taken.

    Args:
        ours, theirs: by seed, (n_items,) outcomes of the same items in the same order.
        seed: of the draws.

    Raises:
        ValueError: no seed in common, or other numbers of items.
    """
    common = sorted(ours.keys() & theirs.keys())
    if len({len(each[number]) for each in (ours, theirs) for number in common}) > 1:
        raise ValueError("the two systems were not scored on the same items")
    differences = np.array([np.subtract(ours[number], theirs[number]) for number in common], dtype=float)
    by_seed = [float(each.mean()) for each in differences] if differences.size else []
    if len(common) < ENOUGH_SEEDS:
        return mean_interval(by_seed, confidence=confidence)
    _check(by_seed)
    n_seeds, n_items = differences.shape
    draw = np.random.default_rng(seed)
    # How often each seed, and each item, is drawn: the mean of a draw is then a product with two count vectors.
    seeds = draw.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n_draws)
    means = np.empty(n_draws)
    for i, counts in enumerate(seeds):
        items = draw.multinomial(n_items, np.full(n_items, 1 / n_items))
        means[i] = counts @ differences @ items / (n_seeds * n_items)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(differences.mean()), float(low), float(high), n_seeds, "bootstrap", confidence)


def _check(values: Sequence[float]) -> None:
    if not values:
        raise ValueError("there is no seed to compare")
    if not all(map(math.isfinite, values)):
        raise ValueError("a value is not finite")
