"""Laws of scale: what was put in is found again, and what cannot be told is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xtr.statistics.scaling import PowerLaw, bootstrap_laws, crossing, fit_power_law, loss_band

SIZES = [100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0]
LAW = PowerLaw(limit=0.2, scale=3.0, exponent=0.4)


def noisy(law: PowerLaw, seeds: int, noise: float) -> dict[int, dict[float, float]]:
    draw = np.random.default_rng(0)
    return {
        seed: {size: law.loss(size) * math.exp(draw.normal(0, noise)) for size in SIZES}
        for seed in range(seeds)
    }


@pytest.mark.parametrize(
    "law", [LAW, PowerLaw(0.0, 1.0, 0.15), PowerLaw(0.5, 40.0, 1.0)], ids=["limit", "no limit", "steep"]
)
def test_a_law_without_noise_is_found_again(law: PowerLaw) -> None:
    found = fit_power_law(SIZES, [law.loss(size) for size in SIZES])
    assert found.exponent == pytest.approx(law.exponent, rel=0.02)
    assert found.limit == pytest.approx(law.limit, abs=0.01)
    assert [found.loss(size) for size in SIZES] == pytest.approx([law.loss(size) for size in SIZES], rel=1e-3)


def test_one_bad_point_hardly_moves_it() -> None:
    losses = [LAW.loss(size) for size in SIZES]
    losses[3] *= 1.5
    assert fit_power_law(SIZES, losses).exponent == pytest.approx(LAW.exponent, rel=0.1)


def test_the_spread_over_seeds_holds_the_truth() -> None:
    laws = bootstrap_laws(noisy(LAW, seeds=5, noise=0.01), seed=1, n_draws=60)
    at_1000 = np.quantile([law.loss(1000) for law in laws], [0.025, 0.975])
    assert at_1000[0] <= LAW.loss(1000) <= at_1000[1]
    assert at_1000[1] - at_1000[0] < 0.05
    assert laws == bootstrap_laws(noisy(LAW, seeds=5, noise=0.01), seed=1, n_draws=60)
    [(low, high)] = loss_band(laws, [1000.0])
    assert (low, high) == pytest.approx(tuple(at_1000))


def test_a_fit_that_starts_near_ends_where_many_starts_do() -> None:
    losses = [LAW.loss(size) * (1 + 0.01 * (-1) ** i) for i, size in enumerate(SIZES)]
    near = fit_power_law(SIZES, losses, near=LAW)
    assert [near.loss(each) for each in SIZES] == pytest.approx(
        [fit_power_law(SIZES, losses).loss(each) for each in SIZES], rel=1e-4
    )


def test_a_near_law_without_a_limit_does_not_hold_the_fit() -> None:
    truth = PowerLaw(limit=0.6, scale=2.0, exponent=0.3)
    near = fit_power_law(SIZES, [truth.loss(size) for size in SIZES], near=PowerLaw(1e-8, 2.0, 0.07))
    assert near.limit == pytest.approx(truth.limit, abs=0.01)


def test_effective_data_are_what_direct_training_needs() -> None:
    assert LAW.size(LAW.loss(500)) == pytest.approx(500)
    assert LAW.size(0.2) is None, "no amount of data goes below the limit"
    assert PowerLaw(0.3, 0.0, 0.5).size(0.4) is None, "a flat law tells no size"


def test_two_laws_meet_where_they_are_equal() -> None:
    direct, transferred = PowerLaw(0.1, 5.0, 0.5), PowerLaw(0.2, 1.0, 0.3)
    size = crossing(transferred, direct, between=(100, 30_000))
    assert size is not None
    assert direct.loss(size) == pytest.approx(transferred.loss(size))
    assert direct.loss(size / 2) > transferred.loss(size / 2)
    assert crossing(direct, transferred, between=(100, 30_000)) is None, (
        "the other is not ahead from there on"
    )
    assert crossing(direct, PowerLaw(0.1, 6.0, 0.5), between=(100, 30_000)) is None
    assert crossing(direct, direct, between=(100, 30_000)) is None, "who is alike overtakes nobody"


@pytest.mark.parametrize(
    ("sizes", "losses"),
    [([1, 2], [0.5, 0.4]), ([1, 1, 2], [0.5] * 3), ([0, 1, 2], [0.5] * 3), ([1, 2, 3], [0.5, 0, 1])],
)
def test_what_allows_no_law_is_refused(sizes: list[float], losses: list[float]) -> None:
    with pytest.raises(ValueError, match=r"3 sizes|above 0"):
        fit_power_law(sizes, losses)
