"""This is where a mean gets its confidence interval, and where two systems are compared seed by seed.

    mean_interval([0.71, 0.73, 0.72])                            -> 0.72 with Student's t over 3 seeds
    paired_interval({1: 0.71, 2: 0.73}, {1: 0.70, 2: 0.71})      -> the mean of the differences, likewise
    items_interval(ours, theirs, seed=0)                         -> over seeds, and from ten on over test items

Chance is told by Student's t over seeds at every number of them: percentiles of draws of ten seeds are too
narrow, since so few values hardly show their spread. From ten seeds on test items are drawn anew, too, by the
bootstrap, and what other items would change is added to the variance: the interval is then about another test
set of this size, and not about this one alone. `benchmarks/coverage.py` measures how often each holds the truth.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

Counts = NDArray[np.float64]
"""What became of each item: (n_items, k) numbers that are summed over items, such as right, found and gold."""
Value = Callable[[Counts], NDArray[np.float64]]
"""A score (...) from sums over items (..., k), so that F1 is one as well as a mean."""

CONFIDENCE = 0.95
ENOUGH_SEEDS = 10
"""From here on test items are drawn anew as well."""
N_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it lies with a confidence, all in the unit of the values.

    Attributes:
        low, high: None where one seed says nothing about chance.
        n_seeds: seeds that the mean is over.
        method: `t` over seeds; `bootstrap` where what other items would change was added, by drawing them anew.
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


def share_of(sums: Counts) -> NDArray[np.float64]:
    """Be the first number over the second: right answers of all, and any mean over items (its sum, 1 an item)."""
    return sums[..., 0] / np.maximum(sums[..., 1], 1)


def f1_of(sums: Counts) -> NDArray[np.float64]:
    """Be the F1 of what was right, found and gold; 0 where nothing was found and nothing is there."""
    return 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1)


def mean_interval(
    values: Sequence[float], *, items: float | None = None, confidence: float = CONFIDENCE
) -> Interval:
    """Give the mean of seeds' values its t interval, n - 1 degrees of freedom.

    Args:
        values: (n_seeds,), one a seed.
        items: variance that other test items would add to the mean (`item_variance`); None where it is not asked.

    Raises:
        ValueError: there is no value, or one is not finite.
    """
    _check(values)
    mean, n = statistics.fmean(values), len(values)
    if n == 1:
        return Interval(mean, None, None, 1, "none", confidence)
    half = float(special.stdtrit(n - 1, (1 + confidence) / 2)) * standard_error(values, items)
    return Interval(mean, mean - half, mean + half, n, "t" if items is None else "bootstrap", confidence)


def standard_error(values: Sequence[float], items: float | None = None) -> float:
    """Tell the standard error of the mean of seeds' values, at least two; `items` as for `mean_interval`."""
    return math.sqrt(statistics.variance(values) / len(values) + (items or 0.0))


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


def jackknife_interval(
    whole: float, left_out: Sequence[float], *, confidence: float = CONFIDENCE
) -> Interval:
    """Give a number that is not a mean, such as where two curves cross, its t interval over seeds.

    The interval is that of the mean of the `pseudo_values`; of a mean it is the t interval itself.

    Args:
        whole: from all n seeds.
        left_out: (n_seeds,), from all but one of them each.
    """
    if len(left_out) < 2:
        return Interval(whole, None, None, len(left_out), "none", confidence)
    return mean_interval(pseudo_values(whole, left_out), confidence=confidence)


def pseudo_values(whole: float, left_out: Sequence[float]) -> list[float]:
    """Tell what each seed adds to a number: (n_seeds,) values whose mean is the number, and whose spread is its.

    Tukey's n whole - (n - 1) left_out (1958) without their bias, so that tests and intervals are about the number
    as it is told.
    """
    mean = statistics.fmean(left_out)
    return [whole + (len(left_out) - 1) * (mean - each) for each in left_out]


@dataclass(frozen=True, slots=True)
class Summand:
    """One score in a sum of scores.

    Attributes:
        weight: of the score in the sum; -1 subtracts it.
        counts: by seed, (n_items, k) counts of the same items in the same order.
        value: what the score is, from counts summed over items.
        items: summands with the same name here were scored on the same items, which are drawn together.
    """

    weight: float
    counts: Mapping[int, Counts]
    value: Value = share_of
    items: Hashable = None


def item_variance(summands: Sequence[Summand], *, seed: int, n_draws: int = N_DRAWS) -> float:
    """Tell how much variance other test items would add to a weighted sum of scores, by bootstrap.

    Items are drawn anew, alike for all seeds. What moves one seed alone is in the spread over seeds already; what
    the items add is what moves two seeds together, the mean covariance of their sums.

    Args:
        summands: with the same seeds, at least two.
        seed: of the draws.

    Returns:
        In the unit of the scores squared.

    Raises:
        ValueError: other seeds, or other numbers of items under one name.
    """
    numbers = sorted(summands[0].counts)
    if any(sorted(part.counts) != numbers for part in summands):
        raise ValueError("the scores are not of the same seeds")
    draw = np.random.default_rng(seed)
    sums = np.zeros((n_draws, len(numbers)))
    for name in dict.fromkeys(part.items for part in summands):
        alike = [(part, _stacked(part, numbers)) for part in summands if part.items == name]
        n_items = len(alike[0][1])
        if any(len(stacked) != n_items for _, stacked in alike):
            raise ValueError("the systems were not scored on the same items")
        block = max(1, 4_000_000 // n_items)  # some 32 MB of draws at a time
        for begin in range(0, n_draws, block):
            drawn = sums[begin : begin + block]
            # How often each item is drawn: sums over drawn items are then products with the counts.
            items = draw.multinomial(n_items, np.full(n_items, 1 / n_items), size=len(drawn)).astype(float)
            for part, stacked in alike:
                drawn += part.weight * part.value((items @ stacked).reshape(len(drawn), len(numbers), -1))
    covariance = np.cov(sums, rowvar=False)
    together = covariance[~np.eye(len(numbers), dtype=bool)].mean()
    return max(0.0, float(together))


def items_interval(
    ours: Mapping[int, Counts],
    theirs: Mapping[int, Counts],
    value: Value = share_of,
    *,
    seed: int,
    n_draws: int = N_DRAWS,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Compare two systems on the same test items, over seeds.

    This is the t interval of the seeds' differences, from ten common seeds on with what other items would add to
    their variance (`item_variance`).

    Args:
        ours, theirs: by seed, (n_items, k) counts of the same items in the same order.
        value: what a system's score is, from its counts summed over items.
        seed: of the draws.

    Raises:
        ValueError: no seed in common, or other numbers of items.
    """
    common = sorted(ours.keys() & theirs.keys())
    if len({np.shape(each[number]) for each in (ours, theirs) for number in common}) > 1:
        raise ValueError("the two systems were not scored on the same items")
    by_seed = [float(value(ours[number].sum(0)) - value(theirs[number].sum(0))) for number in common]
    if len(common) < ENOUGH_SEEDS:
        return mean_interval(by_seed, confidence=confidence)
    summands = [
        Summand(weight, {number: each[number] for number in common}, value)
        for weight, each in ((1.0, ours), (-1.0, theirs))
    ]
    items = item_variance(summands, seed=seed, n_draws=n_draws)
    return mean_interval(by_seed, items=items, confidence=confidence)


def _stacked(part: Summand, numbers: Sequence[int]) -> Counts:
    """Lay the counts of all seeds side by side: (n_items, n_seeds * k)."""
    return np.concatenate([part.counts[number] for number in numbers], axis=1)


def _check(values: Sequence[float]) -> None:
    if not values:
        raise ValueError("there is no seed to compare")
    if not all(map(math.isfinite, values)):
        raise ValueError("a value is not finite")
