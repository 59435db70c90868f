"""This is where it is settled what a pair searches and how many trials it is owed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from xtr.catalogue.lookup import find_task
from xtr.fingerprint import derive_seed
from xtr.spec.expressions import Link, parse_intermediate
from xtr.spec.pool import draw_pool, grid_of
from xtr.spec.space import FIELDS, Dimension, Fixed, Pool, Searched, Value, dimensions_for
from xtr.spec.starts import first_settings
from xtr.spec.sweep import Pair, SweepSpec

POOLED = "intermediate.*"
"""The one dimension that stands for all that vary of an intermediate stage, where its settings are a pool."""


def pair_dimensions(spec: SweepSpec, pair: Pair) -> dict[str, Searched]:
    """Say what a pair searches: the dimensions that it can use, with `share: intermediate` a pool among them."""
    written = written_dimensions(spec, pair)
    pooled = {
        name: each
        for name, each in written.items()
        if name.startswith("intermediate.") and not isinstance(each, Fixed)
    }
    if spec.search.share is None or not pooled:
        return dict(written)
    seed = derive_seed(spec.search.seed, "pool", pair.intermediate)
    pool = draw_pool(pooled, spec.search.pool, seed, first_settings(spec, pair, pooled))
    return {POOLED: pool, **{name: each for name, each in written.items() if name not in pooled}}


def written_dimensions(spec: SweepSpec, pair: Pair) -> dict[str, Dimension]:
    """Keep the dimensions that a pair can use: none has no intermediate stage, retrieval no target stage."""
    return dimensions_for(
        spec.search.space,
        intermediates=_fields_by_name(parse_intermediate(pair.intermediate).links),
        trains_target=find_task(pair.target_task).training_task is not None,
    )


def _fields_by_name(links: Sequence[Link]) -> dict[str, tuple[str, ...]]:
    """Say what can be set for each task or mixture alone; members of a mixture have own amounts, no more."""
    fields: dict[str, tuple[str, ...]] = {}
    for link in links:
        if len(link.members) > 1:
            fields |= {member.task: ("fraction", "examples") for member in link.members}
        fields[link.name] = tuple(FIELDS)
    return fields


def space_size(dimensions: Mapping[str, Searched]) -> int | None:
    """Count the points of a space; None where it is not finite."""
    sizes = [each.size for each in dimensions.values()]
    finite = [size for size in sizes if size is not None]
    return math.prod(finite) if len(finite) == len(sizes) else None


def grid(dimensions: Mapping[str, Searched]) -> list[dict[str, Value]]:
    """List the points of a finite space, every dimension by its own name."""
    single = {name: each for name, each in dimensions.items() if not isinstance(each, Pool)}
    points = grid_of(single)
    for pool in (each for each in dimensions.values() if isinstance(each, Pool)):
        points = [dict(setting) | point for setting in pool.settings for point in points]
    return points


def fits(params: Mapping[str, Value], dimensions: Mapping[str, Searched]) -> bool:
    """Say whether values cover exactly these dimensions and lie inside them."""
    rest = dict(params)
    for name, each in dimensions.items():
        if isinstance(each, Pool):
            own = {key: rest.pop(key) for key in each.settings[0] if key in rest}
            inside = each.settings[0].keys() == own.keys() and each.find(own) is not None
        else:
            inside = name in rest and each.contains(rest.pop(name))
        if not inside:
            return False
    return not rest


def search_trials(spec: SweepSpec, pair: Pair) -> int:
    """Count a pair's search trials: the budget, or the size of a smaller finite space."""
    size = space_size(pair_dimensions(spec, pair))
    budget = spec.search.trials_per_pair
    return budget if size is None else min(budget, size)


def searches(spec: SweepSpec) -> bool:
    """Say whether the search's own seed chooses: some pair has several settings, and not all are confirmed."""
    return spec.search.design is None and any(search_trials(spec, pair) > 1 for pair in spec.pairs.pairs())


def confirm_trials(spec: SweepSpec, pair: Pair) -> int:
    """Count the trials that confirm a pair's finalists."""
    confirm = spec.search.confirm
    return min(confirm.top, search_trials(spec, pair)) * len(confirm.seeds)


def control_trials(spec: SweepSpec, pair: Pair) -> int:
    """Count at most how often `none` is trained at this pair's winning target settings."""
    if pair.intermediate == "none" or find_task(pair.target_task).training_task is None:
        return 0
    n_confirming = len(spec.search.confirm.seeds)
    return n_confirming + (not n_confirming or not searches(spec))
