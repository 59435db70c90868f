"""Tests of differences and of their absence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from xtr.statistics.intervals import f1_of
from xtr.statistics.significance import (
    equivalence,
    holm,
    paired_p,
    permutation_p,
    side_of,
    within,
)


def outcomes(right: Sequence[float]) -> NDArray[np.float64]:
    return np.stack([right, np.ones(len(right))], 1).astype(float)


def test_the_paired_t_test_is_scipy_s() -> None:
    ours, theirs = [0.71, 0.73, 0.70, 0.75], [0.70, 0.70, 0.69, 0.71]
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    assert paired_p(differences) == pytest.approx(stats.ttest_rel(ours, theirs).pvalue)
    assert paired_p([0.1]) is None
    assert paired_p([0.1, 0.1]) is None


def test_permutation_agrees_with_the_exact_count() -> None:
    ours, theirs = outcomes([0, 1, 1, 1, 1, 0]), outcomes([0, 0, 0, 0, 0, 1])
    # Of the 32 signings of the five that differ, 12 have a sum of at least 3 in size.
    found = permutation_p(ours, theirs, seed=1, n_draws=20_000)
    assert found == pytest.approx(12 / 32, abs=0.015)
    assert permutation_p(ours, ours, seed=1) == 1.0
    with pytest.raises(ValueError, match="same items"):
        permutation_p(ours, ours[1:], seed=1)


def test_permutation_of_f1_swaps_whole_items() -> None:
    draw = np.random.default_rng(5)
    right = draw.integers(0, 3, 80)
    ours = np.stack([right, right + 1, right + 1], 1).astype(float)
    theirs = np.stack([right * 0.0, right + 1, right + 1], 1).astype(float)
    assert permutation_p(ours, theirs, f1_of, seed=1, n_draws=999) == pytest.approx(0.001)
    assert permutation_p(ours, ours[::-1].copy(), f1_of, seed=1, n_draws=999) == 1.0, "the same sums"


def test_permutation_errs_as_often_as_it_says_where_nothing_is() -> None:
    draw = np.random.default_rng(0)
    worlds = draw.integers(0, 2, size=(400, 2, 60))
    p = [permutation_p(outcomes(one), outcomes(other), seed=1, n_draws=500) for one, other in worlds]
    assert abs(np.mean(np.array(p) <= 0.05) - 0.05) < 0.04


def test_holm_s_adjustment() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_of_many_tests_without_an_effect_holm_errs_in_one_family_of_twenty() -> None:
    draw = np.random.default_rng(3)
    families = draw.random((2000, 40))
    wrong = [min(holm(dict(enumerate(map(float, row)))).values()) < 0.05 for row in families]
    assert abs(np.mean(wrong) - 0.05) < 0.02


def test_no_effect_is_a_finding_where_the_seeds_lie_close_and_only_there() -> None:
    close, wide = [0.001, -0.001, 0.0005, -0.0004], [0.02, -0.03, 0.01, -0.01]
    found = equivalence(close, margin=0.005)
    assert found is not None
    assert found < 0.05
    unsure = equivalence(wide, margin=0.005)
    assert unsure is not None
    assert unsure > 0.05
    real = equivalence([0.019, 0.021, 0.020], margin=0.005)
    assert real is not None
    assert real > 0.99
    assert equivalence([0.0], margin=0.005) is None
    with pytest.raises(ValueError, match="above 0"):
        equivalence(close, margin=0)


def test_equivalence_is_the_larger_of_scipy_s_one_sided_tests() -> None:
    values = [0.3, -0.1, 0.25, 0.05]
    from_below = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
    from_above = stats.ttest_1samp(values, 0.5, alternative="less").pvalue
    assert equivalence(values, margin=0.5) == pytest.approx(max(from_below, from_above))
    assert equivalence([-each for each in values], margin=0.5) == pytest.approx(max(from_below, from_above))


def test_the_side_of_a_bound_is_scipy_s_test_against_it() -> None:
    values = [2.1, 1.4, 1.9, 1.2]
    found = side_of(values, 1.0, above=True)
    assert found is not None
    assert found.p == pytest.approx(stats.ttest_1samp(values, 1.0).pvalue)
    assert found.as_expected
    below = side_of(values, 1.0, above=False)
    assert below is not None
    assert (below.p, below.as_expected) == (found.p, False)
    assert side_of([1.5], 1.0, above=True) is None
    assert side_of([0.1 + 0.2, 0.3], 1.0, above=True) is None, "a spread of rounding is none"


def test_beyond_the_margin_it_is_tested_whether_it_is_beyond() -> None:
    inside, outside = within([0.1, -0.1, 0.05], 1.0), within([2.1, 1.9, 2.0], 1.0)
    assert inside is not None
    assert outside is not None
    assert inside.as_expected
    assert inside.p < 0.05
    assert not outside.as_expected
    assert outside.p == pytest.approx(stats.ttest_1samp([2.1, 1.9, 2.0], 1.0).pvalue)
    assert within([-each for each in (2.1, 1.9, 2.0)], 1.0) == outside
    assert within([0.5, 0.5], 1.0) is None


def test_what_other_items_would_change_widens_every_test() -> None:
    values = [0.3, -0.1, 0.25, 0.05, 0.4]
    # As much again as the seeds' own variance: t is smaller by the root of two.
    items = float(np.var(values, ddof=1)) / len(values)
    t = float(stats.ttest_1samp(values, 0.0).statistic) / math.sqrt(2)
    p = 2 * stats.t.sf(t, len(values) - 1)
    assert paired_p(values, items=items) == pytest.approx(p)
    side = side_of(values, 0.0, above=True, items=items)
    assert side is not None
    assert side.p == pytest.approx(p)
    assert side.as_expected
    assert paired_p(values, items=0.0) == paired_p(values)
    alike, beyond = within(values, 1.0, items=items), within(values, 0.1, items=items)
    surer = within(values, 1.0)
    assert alike is not None
    assert surer is not None
    assert alike.p == equivalence(values, margin=1.0, items=items)
    assert alike.p > surer.p
    assert beyond == side_of(values, 0.1, above=False, items=items)


def test_p_becomes_as_small_as_the_effect_is_large() -> None:
    draw = np.random.default_rng(0)
    found = side_of(draw.normal(5.0, 0.1, 10).tolist(), 0.0, above=True, items=0.001)
    assert found is not None
    assert holm(dict.fromkeys(range(100), found.p))[0] < 1e-6, "also over a hundred contrasts"
