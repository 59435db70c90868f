"""Intervals: against known values, and how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from xtr.statistics.intervals import (
    Summand,
    f1_of,
    item_variance,
    items_interval,
    jackknife_interval,
    mean_interval,
    paired_differences,
    paired_interval,
    pseudo_values,
)


def test_the_t_interval_is_scipy_s_and_a_textbook_s() -> None:
    values = [5.1, 4.9, 5.6, 5.8, 5.0]
    found = mean_interval(values)
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    # Student's sleep data (1908): extra hours of sleep, drug 2 minus drug 1; R prints 0.70 to 2.46.
    gains = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    sleep = mean_interval(gains)
    assert (round(sleep.mean, 2), round(sleep.low or 0, 2), round(sleep.high or 0, 2)) == (1.58, 0.70, 2.46)
    assert sleep.excludes_nought


def test_one_seed_says_nothing_about_chance() -> None:
    found = mean_interval([0.7])
    assert (found.mean, found.low, found.high, found.method) == (0.7, None, None, "none")
    assert not found.excludes_nought


def test_seeds_that_agree_leave_no_width() -> None:
    found = mean_interval([0.5, 0.5, 0.5])
    assert (found.low, found.high) == (0.5, 0.5)


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [0.1, math.inf]])
def test_what_is_no_number_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no seed|not finite"):
        mean_interval(values)


def test_pairs_are_seeds_that_both_have() -> None:
    ours, theirs = {1: 0.5, 2: 0.7, 9: 0.0}, {2: 0.6, 1: 0.5, 3: 1.0}
    assert paired_differences(ours, theirs) == pytest.approx({1: 0.0, 2: 0.1})
    assert paired_interval(ours, theirs).mean == pytest.approx(0.05)
    with pytest.raises(ValueError, match="no seed"):
        paired_interval({1: 0.5}, {2: 0.5})


@pytest.mark.parametrize("n_seeds", [2, 3, 5, 9])
def test_t_intervals_hold_the_truth_as_often_as_they_say(n_seeds: int) -> None:
    draw = np.random.default_rng(n_seeds)
    n = 2000
    held = [
        (each.low or 0) <= 0.3 <= (each.high or 0)
        for each in map(mean_interval, draw.normal(0.3, 0.02, size=(n, n_seeds)).tolist())
    ]
    assert abs(np.mean(held) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / n)


def counted(right: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.stack([right, np.ones(len(right))], 1).astype(float)


def outcomes(
    draw: np.random.Generator, n_seeds: int, n_items: int, gain: float
) -> list[dict[int, NDArray[np.float64]]]:
    """Two systems' outcomes, 0 or 1: items differ in difficulty, seeds in luck."""
    hard = draw.normal(0, 1, n_items)
    systems = []
    for shift in (gain, 0.0):
        luck = draw.normal(0, 0.1, n_seeds)
        chance = 1 / (1 + np.exp(-(hard + shift + luck[:, None])))
        systems.append({i: counted(draw.random(n_items) < row) for i, row in enumerate(chance)})
    return systems


def test_from_ten_seeds_on_items_are_drawn_anew() -> None:
    draw = np.random.default_rng(1)
    ours, theirs = outcomes(draw, 12, 150, gain=0.5)
    found = items_interval(ours, theirs, seed=3)
    assert found == items_interval(ours, theirs, seed=3)
    assert (found.method, found.n_seeds) == ("bootstrap", 12)
    assert found.excludes_nought
    assert found.mean == pytest.approx(
        float(
            np.mean([each[:, 0] for each in ours.values()])
            - np.mean([each[:, 0] for each in theirs.values()])
        )
    )
    few = items_interval({i: ours[i] for i in range(9)}, theirs, seed=3)
    assert (few.method, few.n_seeds) == ("t", 9)
    with pytest.raises(ValueError, match="same items"):
        items_interval(ours, {i: row[1:] for i, row in theirs.items()}, seed=3)


def test_intervals_are_wider_for_fewer_items_and_for_fewer_seeds() -> None:
    draw = np.random.default_rng(2)
    ours, theirs = outcomes(draw, 40, 800, gain=0.3)

    def width(n_seeds: int, n_items: int) -> float:
        one, other = ({i: each[i][:n_items] for i in range(n_seeds)} for each in (ours, theirs))
        found = items_interval(one, other, seed=1)
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    assert width(40, 800) < width(10, 800)
    assert width(40, 800) < width(40, 50)


def test_the_jackknife_of_a_mean_is_the_t_interval_and_of_another_number_holds_it() -> None:
    values = [5.1, 4.9, 5.6, 5.8, 5.0]
    left_out = [float(np.mean([*values[:i], *values[i + 1 :]])) for i in range(5)]
    found, expected = jackknife_interval(float(np.mean(values)), left_out), mean_interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert np.mean(pseudo_values(2.0, [1.0, 2.5, 2.2])) == pytest.approx(2.0), (
        "about the number, not beside it"
    )
    alone = jackknife_interval(1.0, [2.0])
    assert (alone.mean, alone.low, alone.method) == (1.0, None, "none")
    draw, held = np.random.default_rng(0), []
    for sample in draw.normal(3.0, 0.3, size=(1000, 6)):
        left = [math.log(float(np.delete(sample, i).mean())) for i in range(6)]
        of_log = jackknife_interval(math.log(float(sample.mean())), left)
        held.append((of_log.low or 0) <= math.log(3.0) <= (of_log.high or 0))
    assert abs(np.mean(held) - 0.95) < 0.03


@pytest.mark.parametrize("n_seeds", [10, 20])
@pytest.mark.parametrize(("noise", "taste"), [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5)])
def test_from_ten_seeds_on_intervals_hold_the_truth_as_often_as_they_say(
    n_seeds: int, noise: float, taste: float
) -> None:
    draw, n_items, n, held = np.random.default_rng(n_seeds), 50, 300, 0
    for world in range(n):
        systems = []
        for _ in range(2):
            of_items = noise * draw.normal(size=(n_seeds, n_items)) + taste * draw.normal(size=n_items)
            scores = draw.normal(size=(n_seeds, 1)) + math.sqrt(n_items) * of_items
            systems.append({i: np.stack([row, np.ones(n_items)], 1) for i, row in enumerate(scores)})
        found = items_interval(systems[0], systems[1], seed=world, n_draws=100)
        held += (found.low or 0) <= 0 <= (found.high or 0)
    assert held / n > 0.95 - 3.1 * math.sqrt(0.95 * 0.05 / n)


def test_what_items_add_is_what_moves_all_seeds_together() -> None:
    draw, n_items = np.random.default_rng(4), 400
    taste = draw.normal(0.5, 1.0, n_items)

    def counts(noise: float) -> dict[int, NDArray[np.float64]]:
        drawn = {seed: taste + draw.normal(0, noise, n_items) for seed in range(10)}
        return {seed: np.stack([row, np.ones(n_items)], 1) for seed, row in drawn.items()}

    quiet, noisy = counts(0.1), counts(2.0)
    expected = float(taste.var()) / n_items
    found = [item_variance([Summand(1.0, each, items="a")], seed=1) for each in (quiet, noisy)]
    assert found == pytest.approx([expected] * 2, rel=0.2), "a seed's own noise is in the spread over seeds"
    halves = [Summand(0.5, quiet, items="a"), Summand(0.5, quiet, items="a")]
    assert item_variance(halves, seed=1) == pytest.approx(found[0])
    same = [Summand(1.0, quiet, items="a"), Summand(-1.0, quiet, items="a")]
    assert item_variance(same, seed=1) == pytest.approx(0)
    other_items = [Summand(1.0, quiet, items="a"), Summand(-1.0, quiet, items="b")]
    assert item_variance(other_items, seed=1) == pytest.approx(2 * expected, rel=0.2)
    right = (draw.random((10, 100)) < 0.5).astype(float)
    plain = {seed: counted(row > 0) for seed, row in enumerate(right)}
    three = {seed: np.stack([row, row * 0 + 1, row * 0 + 1], 1) for seed, row in enumerate(right)}
    as_f1 = item_variance([Summand(1.0, three, f1_of)], seed=1)
    assert as_f1 == pytest.approx(item_variance([Summand(1.0, plain)], seed=1))
    with pytest.raises(ValueError, match="same seeds"):
        item_variance([Summand(1.0, plain), Summand(1.0, {0: plain[0]})], seed=1)
    with pytest.raises(ValueError, match="same items"):
        item_variance([Summand(1.0, plain), Summand(1.0, {i: e[1:] for i, e in plain.items()})], seed=1)
