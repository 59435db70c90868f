"""This is where the course of the learning rate is laid down: up, perhaps level, and down.

    linear_schedule(step, n_steps=1000, warmup_fraction=0.1, peak=1e-5)                  up, then down to zero
    wsd_schedule(step, n_steps=1000, warmup_steps=100, decay_fraction=0.1, peak=1e-5)    up, level, down from 900

Nothing here imports torch: a plan counts what runs share by the same branch points.
"""

from __future__ import annotations

import math
from fractions import Fraction


def linear_schedule(step: int, *, n_steps: int, warmup_fraction: float, peak: float) -> float:
    """Return the learning rate of step 0 .. n_steps - 1: up over the warm-up share, then down towards 0."""
    warmup = math.ceil(warmup_fraction * n_steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (n_steps - step) / max(1, n_steps - warmup)


def branch_point(n_steps: int, decay_fraction: float) -> int:
    """Return how many steps a run of `n_steps` makes before its decay begins: floor((1 - d) n)."""
    # In exact arithmetic: (1 - 0.9) * 10 is less than 1 in floating point.
    return math.floor((1 - Fraction(str(decay_fraction))) * n_steps)


def wsd_schedule(step: int, *, n_steps: int, warmup_steps: int, decay_fraction: float, peak: float) -> float:
    """Return the learning rate of step 0 .. n_steps - 1: warm-up, stable, decay (WSD).

    The decay is 1 - sqrt(x), x its share that is done (Hägele et al. 2024, arXiv 2405.18392). Before the branch
    point the rate does not depend on the length of the run.
    """
    rate = peak * min(1.0, (step + 1) / max(1, warmup_steps))
    branch = branch_point(n_steps, decay_fraction)
    if step < branch:
        return rate
    return rate * (1 - math.sqrt((step - branch) / (n_steps - branch)))
