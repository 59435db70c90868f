"""How often 95 % intervals hold the truth, by the number of seeds: counted on simulated outcomes.

    python benchmarks/coverage.py [WORLDS]

Two systems answer the same items; items differ in difficulty, seeds in luck, and one system is better by a known
amount. The truth is the difference over endless seeds and items of that kind. The t interval over seeds is only to
hold the difference on *these* items, so that is what it is held against; the bootstrap is held against both.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.statistics.intervals import ENOUGH_SEEDS, Interval, items_interval

GAIN, LUCK, N_ITEMS = 0.3, 0.15, 300
"""Of the better system, and a seed's standard deviation, both in logits; test items."""


def chances(hard: np.ndarray, shift: float, luck: np.ndarray) -> np.ndarray:
    """Give the chance of a right answer: (n_seeds, n_items)."""
    return 1 / (1 + np.exp(-(hard + shift + luck[:, None])))


def truth(hard: np.ndarray, draw: np.random.Generator) -> float:
    """Tell the difference on some items over endless seeds."""
    luck = draw.normal(0, LUCK, 400)
    return float(chances(hard, GAIN, luck).mean() - chances(hard, 0.0, luck).mean())


def held(interval: Interval, value: float) -> bool:
    """Say whether an interval holds a value."""
    return interval.low is not None and interval.high is not None and interval.low <= value <= interval.high


def coverage(n_seeds: int, n_worlds: int) -> tuple[float, float]:
    """Count the shares of worlds whose interval holds the truth on its items, and on endless ones."""
    draw = np.random.default_rng(n_seeds)
    everywhere = truth(draw.normal(0, 1, 20_000), draw)
    here = anywhere = 0
    for world in range(n_worlds):
        hard = draw.normal(0, 1, N_ITEMS)
        systems = []
        for shift in (GAIN, 0.0):
            right = draw.random((n_seeds, N_ITEMS)) < chances(hard, shift, draw.normal(0, LUCK, n_seeds))
            systems.append({seed: np.stack([row, np.ones(N_ITEMS)], 1) for seed, row in enumerate(right)})
        found = items_interval(*systems, seed=world, n_draws=500)
        here += held(found, truth(hard, draw))
        anywhere += held(found, everywhere)
    return here / n_worlds, anywhere / n_worlds


def compare(n_worlds: int) -> None:
    """Count and keep the figures."""
    figures = []
    for n_seeds in (2, 3, 5, 9, 10, 20):
        here, anywhere = coverage(n_seeds, n_worlds)
        method = "bootstrap" if n_seeds >= ENOUGH_SEEDS else "t"
        figures.append(
            Figure(f"{n_seeds} seeds, {method}: on these items", 100 * here, "%", "93 to 100", here >= 0.93)
        )
        figures.append(
            Figure(f"{n_seeds} seeds, {method}: on items of this kind", 100 * anywhere, "%", "-", True)
        )
    keep("coverage", f"python benchmarks/coverage.py {n_worlds}", figures)


if __name__ == "__main__":
    compare(int(sys.argv[1]) if sys.argv[1:] else 1000)
