"""Why a key is what it is, and why two stages are not one."""

from __future__ import annotations

from dataclasses import replace

from tests.stages.sample import SMALL, a_part, a_stage
from xtr.analysis.upkeep.recipes import differences, hashed_text, parts_of
from xtr.stages.stage import EvaluateStage

PARENT, OTHER_PARENT = a_stage(), replace(a_stage(), settings=SMALL.model_copy(update={"epochs": 3}))
CHILD, OTHER = (
    replace(a_stage(seed=seed), parent=parent, parts=(a_part("csqa"),))
    for seed, parent in ((1, PARENT), (2, OTHER_PARENT))
)
RECIPES = {stage.key: stage.recipe for stage in (PARENT, OTHER_PARENT, CHILD, OTHER)}


def nothing_stored(key: str) -> None:
    del key


def test_every_part_of_a_recipe_is_listed_and_its_hash_begins_with_the_key() -> None:
    parts = dict(parts_of(CHILD.recipe))
    assert parts["parent"] == f'"{PARENT.key}"'
    assert parts["parts.0.task"] == '"csqa"'
    assert parts["settings.learning_rate"] == "0.001"
    text, sha = hashed_text(CHILD.recipe)
    assert sha.startswith(CHILD.key)
    assert all(value in text for value in parts.values())


def test_two_stages_differ_in_their_own_settings_and_in_their_parents() -> None:
    assert differences(CHILD.recipe, OTHER.recipe, RECIPES.get) == [
        ("parent.settings.epochs", "2", "3"),
        ("seed", "1", "2"),
    ]
    assert differences(CHILD.recipe, CHILD.recipe, RECIPES.get) == []


def test_a_parent_that_is_not_stored_is_told_by_its_key() -> None:
    assert differences(CHILD.recipe, OTHER.recipe, nothing_stored)[0] == (
        "parent",
        f'"{PARENT.key}"',
        f'"{OTHER_PARENT.key}"',
    )


def test_what_two_stages_differ_in_is_told_once() -> None:
    fitted, other = (
        EvaluateStage(parent, "bucc2018", "dev", "de", "rows", 32, None, 8)
        for parent in (PARENT, OTHER_PARENT)
    )
    one, two = (replace(fit, split="test", parent=fit.parent, calibration=fit) for fit in (fitted, other))
    recipes = RECIPES | {fitted.key: fitted.recipe, other.key: other.recipe}
    assert differences(one.recipe, two.recipe, recipes.get) == [("parent.settings.epochs", "2", "3")]


def test_what_only_one_of_them_has_is_told_leaf_by_leaf() -> None:
    carried = PARENT.recipe | {"extra": {"a": 1, "b": [1, 2]}}
    assert differences(PARENT.recipe, carried, nothing_stored) == [
        ("extra.a", "-", "1"),
        ("extra.b.0", "-", "1"),
        ("extra.b.1", "-", "2"),
    ]
