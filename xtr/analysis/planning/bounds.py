"""This is where it is said what a search comes to at most and on average, before it has proposed anything.

most(IntRange(2, 4)), mean_of(IntRange(2, 4))     -> 4, 3.0
survivors(EarlyStopping(keep=0.5), 5)          -> 3
"""

from __future__ import annotations

import math

from xtr.catalogue.lookup import find_task
from xtr.spec.budget import pair_dimensions, search_trials
from xtr.spec.space import Choice, Dimension, Fixed, FloatRange, LogFloatRange, Pool, Value
from xtr.spec.sweep import EarlyStopping, Pair, SweepSpec


def survivors(stopping: EarlyStopping, n: int) -> int:
    """Count how many of n trials with equal planned epochs go on after a rung."""
    return min(n, stopping.keep) if isinstance(stopping.keep, int) else math.ceil(stopping.keep * n)


def left_over(stopping: EarlyStopping, n: int) -> int:
    """Count how many of n trials come past every rung."""
    for _ in stopping.rungs:
        n = survivors(stopping, n)
    return n


def leg_share(spec: SweepSpec, pair: Pair) -> float:
    """Return the share of a target stage that a search trial trains on average, if early stopping keeps few."""
    stopping, dimensions = spec.search.early_stopping, pair_dimensions(spec, pair)
    task = find_task(pair.target_task).training_task
    if stopping is None or task is None:
        return 1.0
    epochs = dimensions.get("target.epochs", Fixed(spec.stages.target.resolved_for(task, {}).epochs))
    assert not isinstance(epochs, Pool)
    mean, size = mean_of(epochs), min(spec.search.generation, search_trials(spec, pair))
    trained, before, n = 0.0, 0, size
    for rung in (rung for rung in stopping.rungs if rung < mean):
        trained += n * (rung - before)
        before, n = rung, survivors(stopping, n)
    return (trained + n * (mean - before)) / (size * mean)


def most(dimension: Dimension) -> Value:
    """The largest value; more epochs, rows and so on never cost less."""
    match dimension:
        case Fixed(value):
            return value
        case Choice(values):
            return max(values)
    return dimension.high


def mean_of(dimension: Dimension) -> float:
    """The mean of the values, each as likely as the search makes it at random."""
    match dimension:
        case Fixed(value):
            return value
        case Choice(values):
            return sum(values) / len(values)
        case LogFloatRange(low, high):
            return (high - low) / math.log(high / low)
        case FloatRange(low, high):
            return (low + high) / 2
    return (dimension.low + dimension.high) / 2
