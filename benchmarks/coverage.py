"""How often 95 % intervals hold the truth, by the number of seeds: counted on simulated scores.

    python benchmarks/coverage.py [WORLDS]

Two systems that are alike answer the same items at each seed. A seed is lucky on all items at once; `noise` is
what its answers to single items add to its mean, and `taste` what a system has for these items at every seed,
which another test set would not repeat: both as standard deviations, in that of the luck. An interval that does
not hold nought is a false alarm, since verdicts are told by the same numbers. Below ten seeds intervals are about
these items alone, so nothing is claimed of them where there is taste.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.statistics.intervals import ENOUGH_SEEDS, Summand, item_variance
from xtr.statistics.significance import side_of

SEEDS = (3, 5, 10, 20)
KINDS = ((0.0, 0.0), (0.2, 0.0), (0.5, 0.0), (0.5, 0.5))
"""Noise and taste, in standard deviations of a seed's luck."""
LEVELS = (0.05, 0.005)
"""Of tests: that of one contrast, and of the first of ten after Holm's correction."""
N_ITEMS, N_DRAWS = 150, 200
"""Draws are fewer than a verdict takes, which adds a little chance and saves most of the time."""
CHANCE = 0.999
"""So seldom is one figure beyond its goal by the luck of the simulation alone."""


def false_alarm(n_seeds: int, noise: float, taste: float, draw: np.random.Generator) -> float:
    """Return the p of "the systems are alike" in a world in which they are."""
    systems = []
    for _ in range(2):
        of_items = noise * draw.normal(size=(n_seeds, N_ITEMS)) + taste * draw.normal(size=N_ITEMS)
        systems.append(draw.normal(size=(n_seeds, 1)) + math.sqrt(N_ITEMS) * of_items)
    items = None
    if n_seeds >= ENOUGH_SEEDS:
        counted = [
            {seed: np.stack([row, np.ones(N_ITEMS)], 1) for seed, row in enumerate(each)} for each in systems
        ]
        summands = [Summand(weight, each) for weight, each in zip((1.0, -1.0), counted, strict=True)]
        items = item_variance(summands, seed=int(draw.integers(2**31)), n_draws=N_DRAWS)
    outcome = side_of((systems[0] - systems[1]).mean(1).tolist(), 0.0, above=True, items=items)
    assert outcome is not None
    return outcome.p


def figures_of(name: str, p_values: Sequence[float], *, claimed: bool) -> list[Figure]:
    """Tell the coverage of 95 % intervals, and the false alarms at each level."""
    n = len(p_values)
    figures = []
    for level in LEVELS:
        most = 100 * float(stats.binom.ppf(CHANCE, n, level)) / n
        alarms = 100 * float(np.mean(np.array(p_values) < level))
        met = alarms <= most or not claimed
        if level == LEVELS[0]:
            goal = f"{100 - most:.1f} or more" if claimed else "-"
            figures.append(Figure(f"{name}: coverage", 100 - alarms, "%", goal, met))
        goal = f"up to {most:.2f}" if claimed else "-"
        figures.append(Figure(f"{name}: p < {level:g}", alarms, "%", goal, met))
    return figures


def compare(n_worlds: int) -> None:
    """Count and keep the figures."""
    figures = []
    for n_seeds in SEEDS:
        draw = np.random.default_rng(n_seeds)
        for noise, taste in KINDS:
            p_values = [false_alarm(n_seeds, noise, taste, draw) for _ in range(n_worlds)]
            name = f"{n_seeds} seeds, noise {noise:g}, taste {taste:g}"
            figures += figures_of(name, p_values, claimed=not taste or n_seeds >= ENOUGH_SEEDS)
    keep("coverage", f"python benchmarks/coverage.py {n_worlds}", figures)


if __name__ == "__main__":
    compare(int(sys.argv[1]) if sys.argv[1:] else 4000)
