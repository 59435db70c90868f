"""The models of the sweep file: pairs, settings, dimensions, schema, and a light import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from tests.spec.sweeps import GOOD, load_text
from xtr.spec.space import (
    FIELDS,
    Choice,
    Dimension,
    Fixed,
    FloatRange,
    IntRange,
    LogFloatRange,
    dimensions_for,
)
from xtr.spec.sweep import (
    ComputeSpec,
    Confirm,
    Exclusion,
    ModelSpec,
    Pair,
    PairsSpec,
    SearchSpec,
    SweepSpec,
    TaskSettings,
    TrainSettings,
)

HEAVY = ("torch", "ray", "transformers", "mlflow", "optuna", "pandas", "scipy", "numpy", "datasets", "faiss")


def test_the_baseline_comes_first_and_once() -> None:
    pairs = PairsSpec(intermediate=("mnli", "none", "mnli > squad_v1"), target=("xnli", "udpos"))
    assert pairs.intermediates == ("none", "mnli", "mnli>squad_v1")
    assert pairs.pairs()[:3] == tuple(Pair(each, "xnli") for each in pairs.intermediates)
    assert pairs.pairs()[3:] == tuple(Pair(each, "udpos") for each in pairs.intermediates)


def test_excluded_pairs_are_left_out_but_never_the_baseline() -> None:
    left_out = tuple(Exclusion(intermediate=each, target="xnli", because="try") for each in ("none", "mnli"))
    pairs = PairsSpec(intermediate=("mnli",), target=("xnli",), exclude=left_out)
    assert pairs.pairs() == (Pair("none", "xnli"),)


def test_settings_of_a_task_and_of_a_trial_take_precedence_in_turn() -> None:
    stage = TrainSettings(epochs=2, tasks={"tydiqa": TaskSettings(max_length=256, epochs=4)})
    assert stage.resolved_for("mnli", {}) == TrainSettings(epochs=2)
    assert stage.resolved_for("tydiqa", {}) == TrainSettings(epochs=4, max_length=256)
    trial = stage.resolved_for("tydiqa", {"learning_rate": 1e-4, "epochs": 1})
    assert trial == TrainSettings(epochs=1, max_length=256, learning_rate=1e-4)


def test_examples_and_fraction_replace_each_other() -> None:
    stage = TrainSettings(fraction=0.5, tasks={"mnli": TaskSettings(examples=100)})
    assert stage.resolved_for("csqa", {"examples": 10}) == TrainSettings(examples=10)
    assert stage.resolved_for("mnli", {}) == TrainSettings(examples=100)
    assert stage.resolved_for("mnli", {"fraction": 0.25}) == TrainSettings(fraction=0.25)


@pytest.mark.parametrize("workers", [{}, {"workers": 4, "min_workers": 1}])
def test_one_worker_shares_its_weights_with_nobody(workers: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="needs two workers"):
        ComputeSpec.model_validate({"shard": "always", **workers})
    assert ComputeSpec.model_validate({"shard": "always", "workers": 4, "min_workers": 2}).shard == "always"


def test_a_trial_of_a_wsd_stage_keeps_its_warm_up_in_steps() -> None:
    own = {"tydiqa": TaskSettings(warmup_steps=5, decay_fraction=0.2)}
    stage = TrainSettings(schedule="wsd", warmup_steps=50, tasks=own)
    assert stage.resolved_for("mnli", {"epochs": 2}).warmup_steps == 50
    settled = stage.resolved_for("tydiqa", {"epochs": 2})
    assert (settled.warmup_steps, settled.decay_fraction, settled.schedule) == (5, 0.2, "wsd")
    for each in (stage, settled, TrainSettings()):
        assert TrainSettings.model_validate(each.model_dump()) == each, "what is written can be read"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"schedule": "wsd"}, "wsd needs warmup_steps"),
        ({"schedule": "wsd", "warmup_steps": 5, "warmup_fraction": 0.2}, "does not read warmup_fraction"),
        ({"warmup_steps": 5}, "linear does not read warmup_steps"),
        ({"schedule": "linear", "decay_fraction": 0.2}, "linear does not read decay_fraction"),
        ({"tasks": {"mnli": {"decay_fraction": 0.2}}}, "does not read tasks.mnli.decay_fraction"),
        (
            {"schedule": "wsd", "warmup_steps": 5, "tasks": {"mnli": {"warmup_fraction": 0.2}}},
            "does not read tasks.mnli.warmup_fraction",
        ),
    ],
)
def test_settings_of_the_other_schedule_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TrainSettings.model_validate(wrong)


@pytest.mark.parametrize("wrong", [{"epochs": 1.5}, {"epoch": 1}, {"learning_rate": 0.0}])
def test_a_trial_cannot_set_what_is_not_there(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        TrainSettings().resolved_for("mnli", wrong)


@pytest.mark.parametrize(
    ("dimension", "size", "inside", "outside"),
    [
        (Fixed(2), 1, 2, 3),
        (Choice((0.1, 1)), 2, 0.1, 0.5),
        (IntRange(1, 3), 3, 3, 1.5),
        (FloatRange(0.0, 1.0), None, 0.5, 1.5),
        (LogFloatRange(1e-6, 1e-4), None, 1e-5, 0),
    ],
)
def test_a_dimension_knows_its_values(
    dimension: Dimension,
    size: int | None,
    inside: float,
    outside: float,
) -> None:
    assert dimension.size == size
    assert dimension.is_finite == (size is not None)
    assert dimension.contains(inside)
    assert not dimension.contains(outside)


def test_a_pair_has_only_the_dimensions_that_it_can_use() -> None:
    space: dict[str, Dimension] = {
        "intermediate.epochs": IntRange(1, 3),
        "target.epochs": Fixed(2),
        "intermediate.fraction": Fixed(1.0),
        "intermediate.mnli.epochs": Fixed(2),
    }
    assert list(dimensions_for(space, intermediates={"mnli": FIELDS}, trains_target=True)) == list(space)
    assert list(dimensions_for(space, intermediates={}, trains_target=True)) == ["target.epochs"]
    retrieval = dimensions_for(space, intermediates={"csqa": FIELDS}, trains_target=False)
    assert list(retrieval) == ["intermediate.epochs", "intermediate.fraction"]
    assert dimensions_for(space, intermediates={}, trains_target=False) == {}


def test_defaults_are_for_a_laptop() -> None:
    spec = SweepSpec(
        version=1,
        name="least",
        model=ModelSpec(name="demo"),
        pairs=PairsSpec(intermediate=(), target=("xnli",)),
        search=SearchSpec(),
    )
    assert (spec.data.source, spec.storage.root, spec.compute.per_worker.GPU) == ("demo", "runs", 0)
    assert (spec.search.early_stopping, spec.search.confirm) == (None, Confirm(top=1, seeds=()))
    assert spec.search.training_seed not in spec.search.confirm.seeds


def test_a_spec_does_not_change(tmp_path: Path) -> None:
    spec = load_text(tmp_path, GOOD)
    with pytest.raises(ValidationError):
        spec.name = "other"


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    for schema in model.__subclasses__():
        found |= models(schema)
    return found


def test_every_field_says_what_it_is() -> None:
    described = next(each for each in SweepSpec.__mro__ if each.__name__ == "Described")
    silent = [
        f"{model.__name__}.{name}"
        for model in models(described)
        for name, field in model.model_fields.items()
        if not (field.description or "").endswith(".")
    ]
    assert silent == []


def test_editors_get_a_schema() -> None:
    schema = SweepSpec.model_json_schema()
    assert schema["additionalProperties"] is False
    space = schema["$defs"]["SearchSpec"]["properties"]["space"]
    assert {"type": "number"} in space["additionalProperties"]["anyOf"]


def test_the_room_is_read_without_heavy_libraries() -> None:
    code = (
        "import sys; from xtr.spec import check, dump, load, sweep;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
