"""This is where scores at several sizes become a law, and data of one kind are told in data of another.

    law = fit_power_law([100, 1000, 10_000], [0.6, 0.4, 0.3])      -> loss = limit + scale * size ** -exponent
    law.loss(3000), law.size(0.35)                                 -> forward, and back: the effective data
    crossing(one, other, between=(100, 10_000))                    -> size from which on the other law is ahead

The form and its fit follow Hoffmann et al. (2022, arXiv 2203.15556, D.2): a Huber loss on logarithms, from many
starts, the best kept. What was transferred is told as by Hernandez et al. (2021, arXiv 2102.01293): the effective
data D_E are what direct training would need for the same loss, and D_T = D_E - D_F of them were transferred.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

HUBER = 1e-2
"""In logarithms: a point that lies more than 1 % off the curve pulls at it no harder."""
FEWEST_SIZES = 3
MOST_STEPS = 60
"""Of a fit: one that takes more creeps along a valley where the loss hardly changes, or is in a bad one."""
STARTS = tuple(itertools.product((0.0, 0.5, 0.9), (0.2, 0.5, 1.0)))
"""Limit, as a share of the smallest loss, and exponent."""
STARTS_BESIDE = ((0.5, 0.2), (0.9, 0.5))
"""Of a fit that starts from a near law: whose limit of about nought has no slope in its logarithm to leave by."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """loss(size) = limit + scale * size ** -exponent, all of them not below 0.

    Attributes:
        limit: in the unit of the loss, what no amount of data goes below.
    """

    limit: float
    scale: float
    exponent: float

    def loss(self, size: float) -> float:
        """Tell the loss at a size, counted in examples."""
        return self.limit + self.scale * math.pow(size, -self.exponent)

    def size(self, loss: float) -> float | None:
        """Tell the size at which the loss is reached; None where no size does."""
        if loss <= self.limit or self.scale <= 0 or self.exponent <= 0:
            return None
        logarithm = math.log(self.scale / (loss - self.limit)) / self.exponent
        return math.exp(logarithm) if logarithm < 700 else None


def fit_power_law(
    sizes: Sequence[float], losses: Sequence[float], *, near: PowerLaw | None = None
) -> PowerLaw:
    """Fit a law to points, several of which may share a size.

    Args:
        sizes: (n,), above 0.
        losses: (n,), above 0, in any unit.
        near: a law of almost the same points, from which the fit starts, and from fewer others.

    Raises:
        ValueError: fewer than three sizes, or values that are not above 0.
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(losses, dtype=float)
    if x.shape != y.shape or len(set(sizes)) < FEWEST_SIZES:
        raise ValueError(f"a law of scale needs at least {FEWEST_SIZES} sizes")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("sizes and losses must be above 0")
    return _best(x, y, _starts(x, y, near))


def bootstrap_laws(
    by_seed: Mapping[int, Mapping[float, float]], *, seed: int, n_draws: int = 1000
) -> list[PowerLaw]:
    """Fit a law to each of many draws of seeds, with replacement: their spread is the law's uncertainty.

    Args:
        by_seed: loss by size, for each training seed.
        seed: of the draws.

    Raises:
        ValueError: as `fit_power_law`.
    """
    numbers = sorted(by_seed)
    points = {number: np.array(sorted(by_seed[number].items()), dtype=float) for number in numbers}
    whole = fit_power_law(*np.concatenate([points[number] for number in numbers]).T)
    draw = np.random.default_rng(seed)
    drawn = [tuple(sorted(draw.choice(numbers, size=len(numbers)).tolist())) for _ in range(n_draws)]
    laws = {}
    for chosen in dict.fromkeys(drawn):  # of few seeds there are few draws that differ
        x, y = np.concatenate([points[number] for number in chosen]).T
        laws[chosen] = _best(x, y, _starts(x, y, whole))
    return [laws[chosen] for chosen in drawn]


def loss_band(
    laws: Sequence[PowerLaw], sizes: Sequence[float], *, confidence: float = 0.95
) -> list[tuple[float, float]]:
    """Take percentiles of drawn laws: (n_sizes,) pairs of low and high, in the unit of the loss."""
    losses = np.array([[law.loss(size) for size in sizes] for law in laws])
    low, high = np.quantile(losses, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def crossing(one: PowerLaw, other: PowerLaw, *, between: tuple[float, float]) -> float | None:
    """Find the smallest size in a range from which on another law has less loss, where one had before.

    Beyond the sizes that were measured a law is a guess, so the range should be theirs.

    Returns:
        None where they do not meet, or only the other way round.
    """

    def apart(logarithm: float) -> float:
        size = math.exp(logarithm)
        return one.loss(size) - other.loss(size)

    grid = np.linspace(math.log(between[0]), math.log(between[1]), 200)
    told = [(float(each), lead) for each in grid if (lead := apart(float(each))) != 0]
    for (left, before), (right, after) in itertools.pairwise(told):
        if before < 0 < after:
            return math.exp(float(optimize.brentq(apart, left, right)))
    return None


def _starts(x: Floats, y: Floats, near: PowerLaw | None) -> list[Floats]:
    """List where fits start: at many places, or at a near law and few others."""
    places = STARTS_BESIDE if near else STARTS
    starts = [_start(x, y, share, exponent) for share, exponent in places]
    return [_logs(near), *starts] if near else starts


def _start(x: Floats, y: Floats, share: float, exponent: float) -> Floats:
    """Guess the logarithms of limit, scale and exponent."""
    limit = max(share * y.min(), 1e-6 * y.min())
    scale = max(float(np.median((y - limit) * x**exponent)), 1e-12)
    return np.log([limit, scale, exponent])


def _logs(law: PowerLaw) -> Floats:
    return np.log(np.maximum([law.limit, law.scale, law.exponent], 1e-12))


def _best(x: Floats, y: Floats, starts: Sequence[Floats]) -> PowerLaw:
    log_x, log_y = np.log(x), np.log(y)

    def residuals(logs: Floats) -> Floats:
        limit, scale, exponent = logs
        return np.asarray(np.logaddexp(limit, scale - np.exp(exponent) * log_x) - log_y)

    def slopes(logs: Floats) -> Floats:
        limit, scale, exponent = logs
        power = scale - np.exp(exponent) * log_x
        share = np.exp(power - np.logaddexp(limit, power))  # of what decays in the whole loss
        return np.stack([1 - share, share, -share * np.exp(exponent) * log_x], 1)

    bounds = ([-40.0, -40.0, -6.0], [float(log_y.max()), 60.0, 2.0])
    fits = [
        optimize.least_squares(
            residuals,
            np.clip(start, *bounds),
            slopes,
            bounds,
            loss="huber",
            f_scale=HUBER,
            max_nfev=MOST_STEPS,
        )
        for start in starts
    ]
    best = min(fits, key=lambda fit: fit.cost)
    return PowerLaw(*(float(each) for each in np.exp(best.x)))
