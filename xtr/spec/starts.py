"""This is where first trials come from: what the sweep file writes, and what the literature has published.

first_settings(spec, Pair("mnli", "xnli"), dimensions)    -> [{"target.learning_rate": 1e-5, "target.epochs": 2}]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xtr.catalogue.lookup import find_task
from xtr.catalogue.published import INTERMEDIATE_RECIPE, TARGET_RECIPES
from xtr.spec.space import STAGES, Dimension, Fixed, Value
from xtr.spec.sweep import Pair, SweepSpec


def first_settings(
    spec: SweepSpec, pair: Pair, dimensions: Mapping[str, Dimension]
) -> list[dict[str, Value]]:
    """List the settings that a pair tries first, as far as it has the dimensions; empty ones are left out."""
    free = {name: each for name, each in dimensions.items() if not isinstance(each, Fixed)}
    found: list[dict[str, Value]] = []
    for entry in spec.search.start_with:
        if isinstance(entry, dict):
            found.append({name: value for name, value in entry.items() if name in free})
        elif entry == "published":
            found.append(published(pair, free))
    return [settings for settings in found if settings]


def published(pair: Pair, free: Mapping[str, Dimension]) -> dict[str, Value]:
    """Return the literature's values for the dimensions of a pair.

    A stage's recipe is taken as a whole or not at all: where one of its values lies outside its dimension, another
    one alone is no recipe.
    """
    settings: dict[str, Value] = {}
    for stage in STAGES:
        recipe = dict(_recipe(pair, free, stage))
        if all(free[name].contains(value) for name, value in recipe.items()):
            settings |= recipe
    return settings


def _recipe(pair: Pair, free: Mapping[str, Dimension], stage: str) -> Iterator[tuple[str, Value]]:
    training = find_task(pair.target_task).training_task
    recipe = INTERMEDIATE_RECIPE if stage == "intermediate" else TARGET_RECIPES.get(training or "")
    for name in free:
        field = name.rsplit(".", 1)[-1]
        if recipe is not None and name.startswith(f"{stage}.") and field in recipe.settings:
            yield name, recipe.settings[field]
