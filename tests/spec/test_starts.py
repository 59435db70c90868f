"""Which settings a pair tries first: those of the file, and published ones that lie in its space."""

from __future__ import annotations

from typing import Any

import pytest

from tests.search.specs import sweep
from xtr.catalogue.lookup import TASKS
from xtr.catalogue.published import TARGET_RECIPES
from xtr.spec.budget import written_dimensions
from xtr.spec.space import LIMITS
from xtr.spec.starts import first_settings
from xtr.spec.sweep import Pair

SPACE: dict[str, Any] = {
    "intermediate.learning_rate": {"log_float": [5e-6, 5e-5]},
    "target.learning_rate": {"log_float": [5e-6, 5e-5]},
    "target.epochs": {"int": [1, 3]},
    "target.fraction": {"choice": [0.5, 1.0]},
}
AFTER, ALONE, RETRIEVAL = Pair("squad_v1", "tydiqa"), Pair("none", "tydiqa"), Pair("squad_v1", "tatoeba")


def firsts(tmp_path: Any, pair: Pair, space: dict[str, Any], start_with: list[Any]) -> list[dict[str, Any]]:
    spec = sweep(tmp_path, space=space, start_with=start_with)
    return first_settings(spec, pair, written_dimensions(spec, pair))


def test_published_settings_fill_the_dimensions_that_they_name(tmp_path: Any) -> None:
    target = {"target.learning_rate": 1e-5, "target.epochs": 2}
    assert firsts(tmp_path, ALONE, SPACE, ["published"]) == [target]
    assert firsts(tmp_path, AFTER, SPACE, ["published"]) == [{"intermediate.learning_rate": 1e-5, **target}]
    assert firsts(tmp_path, RETRIEVAL, SPACE, ["published"]) == [{"intermediate.learning_rate": 1e-5}]


def test_a_recipe_that_does_not_fit_is_left_out_as_a_whole(tmp_path: Any) -> None:
    elsewhere = SPACE | {"target.learning_rate": {"log_float": [1e-4, 1e-3]}}
    assert firsts(tmp_path, AFTER, elsewhere, ["published"]) == [{"intermediate.learning_rate": 1e-5}]
    assert firsts(tmp_path, ALONE, elsewhere, ["published"]) == []


def test_mappings_and_published_settings_come_in_the_order_of_the_file(tmp_path: Any) -> None:
    own = {"target.epochs": 3}
    said = firsts(tmp_path, ALONE, SPACE, ["winners", own, "published"])
    assert said == [own, {"target.learning_rate": 1e-5, "target.epochs": 2}]


@pytest.mark.parametrize("task", TARGET_RECIPES)
def test_a_recipe_is_of_a_task_that_targets_train_on_and_of_known_fields(task: str) -> None:
    assert any(each.training_task == task for each in TASKS.values())
    for field, value in TARGET_RECIPES[task].settings.items():
        assert LIMITS[f"target.{field}"].admits(value)
