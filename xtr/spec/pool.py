"""This is where a pool of settings is drawn: a Latin hypercube over the dimensions of one stage.

draw_pool({"intermediate.epochs": IntRange(1, 3), "intermediate.fraction": FloatRange(0.1, 1.0)}, 6, seed=1)
    -> six settings: each number of epochs twice, each sixth of the fractions once

A Latin hypercube (McKay, Beckman and Conover 1979) cuts every dimension into as many strata as there are points
and uses each once, so that few points see all of every dimension.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence

from xtr.spec.space import Choice, Dimension, Fixed, FloatRange, IntRange, LogFloatRange, Pool, Value

Point = dict[str, Value]


def draw_pool(
    dimensions: Mapping[str, Dimension], size: int, seed: int, first: Sequence[Mapping[str, Value]] = ()
) -> Pool:
    """Draw `size` different settings; a space with no more points gives all of them.

    Args:
        first: values, of all dimensions or some, that the first settings have.
    """
    sizes = [each.size for each in dimensions.values()]
    if None not in sizes and math.prod(each or 0 for each in sizes) <= size:
        return Pool(tuple(grid_of(dimensions)))
    rng = random.Random(seed)
    pool: list[Point] = []
    for place, point in enumerate(_latin_hypercube(dimensions, size, rng)):
        given = dict(first[place]) if place < len(first) else {}
        if any(given.items() <= setting.items() for setting in pool):
            given = {}
        drawn = point | given
        while drawn in pool:
            drawn = {name: value_at(each, rng.random()) for name, each in dimensions.items()} | given
        pool.append(drawn)
    return Pool(tuple(pool))


def grid_of(dimensions: Mapping[str, Dimension]) -> list[Point]:
    """List the points of a finite space."""
    points = itertools.product(*(_values(each) for each in dimensions.values()))
    return [dict(zip(dimensions, values, strict=True)) for values in points]


def value_at(dimension: Dimension, share: float) -> Value:
    """Return the value below which that share of a dimension lies; `share` in [0, 1)."""
    match dimension:
        case Fixed(value):
            return value
        case Choice(values):
            return values[int(share * len(values))]
        case IntRange(low, high):
            return low + int(share * (high - low + 1))
        case FloatRange(low, high):
            return _rounded(low + share * (high - low), low, high)
        case LogFloatRange(low, high):
            return _rounded(low * (high / low) ** share, low, high)


def _latin_hypercube(dimensions: Mapping[str, Dimension], size: int, rng: random.Random) -> list[Point]:
    columns = {}
    for name, dimension in dimensions.items():
        strata = list(range(size))
        rng.shuffle(strata)
        columns[name] = [value_at(dimension, (stratum + rng.random()) / size) for stratum in strata]
    return [{name: column[i] for name, column in columns.items()} for i in range(size)]


def _rounded(value: float, low: float, high: float) -> float:
    """Keep six digits, so that a setting can be read and typed."""
    return min(max(float(f"{value:.6g}"), low), high)


def _values(dimension: Dimension) -> Sequence[Value]:
    match dimension:
        case Choice(values):
            return values
        case IntRange(low, high):
            return range(low, high + 1)
        case Fixed(value):
            return (value,)
    raise ValueError(f"{dimension} has no finite set of values")
