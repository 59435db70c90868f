"""This is where it is decided whether a difference is more than chance, and whether there is none worth the name.

p = paired_p([0.01, 0.02, 0.015])                  -> two-sided, Student's t over seeds
holm({"de": 0.01, "sw": 0.04, "th": 0.03})         -> {"de": 0.03, "sw": 0.06, "th": 0.06}
equivalence([0.001, -0.002, 0.0], margin=0.005)    -> p of "the difference lies within the margin"

Where `items` is said, the variance that other test items would add to the mean (`intervals.item_variance`), a
test is about another test set of this size, too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import special

from xtr.statistics.intervals import Counts, Value, share_of, standard_error

K = TypeVar("K", bound=Hashable)

ROUNDING = 1e-12
"""A smaller spread is that of floating-point numbers."""


def paired_p(differences: Sequence[float], *, items: float | None = None) -> float | None:
    """Return the two-sided p of "the mean difference is nought", by the paired t test over seeds.

    Returns:
        None where one seed, or differences without any spread, allow no test.
    """
    if not _testable(differences):
        return None
    return 2 * _tail(differences, items, less=statistics.fmean(differences) < 0)


def permutation_p(
    ours: Counts, theirs: Counts, value: Value = share_of, *, seed: int, n_draws: int = 10_000
) -> float:
    """Return the two-sided p of "the two systems are alike" on the same items, by swapping outcomes.

    The paired permutation test (approximate randomisation, Noreen 1989): the two outcomes of each item are swapped
    by a coin; p is the share of such draws whose difference is at least as large, the one seen included.

    Args:
        ours, theirs: (n_items, k) counts of the same items.
        value: what a system's score is, from its counts summed over items.

    Raises:
        ValueError: there is no item, or other numbers of them.
    """
    if np.shape(ours) != np.shape(theirs) or not len(ours):
        raise ValueError("the two systems were not scored on the same items")
    n_items, both = len(ours), (ours + theirs).sum(0)
    seen = abs(float(value(ours.sum(0)) - value(theirs.sum(0))))
    draw, as_large = np.random.default_rng(seed), 0
    block = max(1, 2_000_000 // n_items)  # some 16 MB of coins at a time
    for begin in range(0, n_draws, block):
        kept = draw.integers(0, 2, size=(min(block, n_draws - begin), n_items)).astype(float)
        one = kept @ ours + (1 - kept) @ theirs
        apart = np.abs(value(one) - value(both - one))
        as_large += int((apart >= seen - 1e-12).sum())
    return (as_large + 1) / (n_draws + 1)


def holm(p_values: Mapping[K, float]) -> dict[K, float]:
    """Adjust the p of several tests so that all together err as seldom as one (Holm 1979)."""
    adjusted: dict[K, float] = {}
    largest = 0.0
    for rank, key in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[key]))
        adjusted[key] = largest
    return {key: adjusted[key] for key in p_values}


def equivalence(differences: Sequence[float], *, margin: float, items: float | None = None) -> float | None:
    """Return the p of "the mean difference is as large as the margin", by two one-sided t tests (Schuirmann 1987).

    A small p is a finding: there is no effect worth the name.

    Args:
        margin: above 0, in the unit of the differences.

    Returns:
        None where one seed, or differences without any spread, allow no test.

    Raises:
        ValueError: the margin is not above 0.
    """
    if margin <= 0:
        raise ValueError("a margin of equivalence is above 0")
    if not _testable(differences):
        return None
    from_below = _tail([each + margin for each in differences], items, less=False)
    from_above = _tail([each - margin for each in differences], items, less=True)
    return max(from_below, from_above)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a number stands to what was expected of it.

    Attributes:
        p: of "it lies on the border", on the side where it was measured.
        as_expected: whether it was measured on the side that was expected.
    """

    p: float
    as_expected: bool


def side_of(
    values: Sequence[float], bound: float, *, above: bool, items: float | None = None
) -> Outcome | None:
    """Test on which side of a bound a mean lies, by the two-sided t test over seeds.

    Args:
        values: (n_seeds,), in the unit of the bound.
        above: whether it is expected above.

    Returns:
        None where one seed, or values without any spread, allow no test.
    """
    p = paired_p([value - bound for value in values], items=items)
    return None if p is None else Outcome(p, (statistics.fmean(values) > bound) == above)


def within(values: Sequence[float], margin: float, *, items: float | None = None) -> Outcome | None:
    """Test whether a mean lies within a margin of nought (`equivalence`); beyond it, whether it does not.

    Returns:
        None where one seed, or values without any spread, allow no test.
    """
    mean = statistics.fmean(values)
    if abs(mean) < margin:
        p = equivalence(values, margin=margin, items=items)
        return None if p is None else Outcome(p, as_expected=True)
    border = side_of(values, math.copysign(margin, mean), above=True, items=items)
    return None if border is None else Outcome(border.p, as_expected=False)


def _tail(differences: Sequence[float], items: float | None, *, less: bool) -> float:
    """Return the one-sided p of "the mean is nought" against "it is less", or against "it is more"."""
    t = statistics.fmean(differences) / standard_error(differences, items)
    return float(special.stdtr(len(differences) - 1, t if less else -t))


def _testable(differences: Sequence[float]) -> bool:
    """Say whether there is a spread that is more than rounding."""
    return len(differences) > 1 and statistics.pstdev(differences) > ROUNDING
