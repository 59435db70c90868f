"""What a sweep comes to, before and while it runs."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.search.specs import drive, sweep
from xtr.analysis.planning.plan import Plan, plan_sweep
from xtr.analysis.planning.text import plan_text
from xtr.catalogue.lookup import TASKS
from xtr.data.open import open_source
from xtr.fingerprint import JSON
from xtr.search.book import Book
from xtr.spec.sweep import DataSpec, ModelSpec, Pair, PerWorker, SweepSpec
from xtr.stages.hardware import hardware_here
from xtr.stages.path import Paths
from xtr.stages.stage import TrainStage
from xtr.stages.store import StageStore


def test_the_plan_bounds_what_the_sweep_then_does_and_ends_at_zero(tmp_path: Path) -> None:
    spec = sweep(
        tmp_path, confirm={"top": 1, "seeds": [2, 3]}, early_stopping={"rung_epochs": 1, "keep": 0.5}
    )
    source, store = open_source(spec.data, tmp_path), StageStore(tmp_path)
    before = plan_sweep(spec, source, store, [])
    book = Book(spec, tmp_path)
    drive(book, 2, random.Random(0), stop_after=9)
    between = plan_sweep(spec, source, store, book.rows)
    book = Book(spec, tmp_path)  # a new driver: what the first one had handed out is taken up
    drive(book, 2, random.Random(0))
    after = plan_sweep(spec, source, store, book.rows)
    assert before.pairs == 6
    assert before.trials == before.owed
    assert before.owed > between.owed > after.owed == 0
    assert before.trials >= after.trials == len(book.rows)
    for kind, counts in before.stages.items():
        assert counts.asked >= after.stages[kind].asked
        assert counts.distinct >= after.stages[kind].distinct
        assert counts.stored == 0


def test_intermediate_stages_are_shared_by_targets_and_bounded_by_a_finite_space(tmp_path: Path) -> None:
    spec = sweep(tmp_path)
    plan = plan_sweep(spec, open_source(spec.data, tmp_path), StageStore(tmp_path), [])
    assert plan.stages["intermediate"].asked > plan.stages["intermediate"].distinct
    assert plan.stages["intermediate"].distinct == 2 * 3  # two tasks, three fractions, two targets each


def test_a_pool_bounds_the_intermediate_stages_of_a_continuous_space(tmp_path: Path) -> None:
    space = {"intermediate.learning_rate": {"log_float": [1e-5, 1e-3]}, "target.epochs": {"int": [1, 3]}}
    source, store = open_source(sweep(tmp_path).data, tmp_path), StageStore(tmp_path)
    alone, pooled = (
        plan_sweep(sweep(tmp_path, space=space, share=share, pool=2), source, store, []).stages[
            "intermediate"
        ]
        for share in (None, "intermediate")
    )
    assert alone.distinct == alone.asked == 2 * 2 * 8  # two tasks, two targets, eight trials
    assert pooled.distinct == 2 * 2


def test_planning_writes_nothing(tmp_path: Path) -> None:
    spec = sweep(tmp_path / "root")
    plan_sweep(spec, open_source(spec.data, tmp_path / "root"), StageStore(tmp_path / "root"), [])
    assert not (tmp_path / "root").exists()


def test_a_config_with_every_number_fixed_is_planned_stage_by_stage(tmp_path: Path) -> None:
    fixed = {"intermediate.fraction": 0.5, "target.learning_rate": 1e-4, "target.epochs": 2}
    spec = sweep(tmp_path, space=fixed, confirm={"top": 1, "seeds": [2]})
    store = StageStore(tmp_path)
    before = plan_sweep(spec, open_source(spec.data, tmp_path), store, [])
    book = Book(spec, tmp_path)
    drive(book, 2, random.Random(0))
    after = plan_sweep(spec, open_source(spec.data, tmp_path), store, book.rows)
    assert before.stages["intermediate"] == after.stages["intermediate"]
    assert before.stages["evaluate"] == after.stages["evaluate"]


COUNT = {"type": "integer", "minimum": 0}
HOURS = {"type": "number", "minimum": 0}
STAGES = {
    "type": "object",
    "minProperties": 3,
    "additionalProperties": {
        "type": "object",
        "properties": dict.fromkeys(("asked", "distinct", "stored"), COUNT),
        "required": ["asked", "distinct", "stored"],
    },
}
DOCUMENT = {
    "type": "object",
    "properties": {
        "schema_version": {"const": 1},
        "pairs": COUNT,
        "trials": COUNT,
        "owed": COUNT,
        "stages": STAGES,
        "scoring": STAGES,
        "train_tokens": {
            "type": "object",
            "properties": dict.fromkeys(("naive", "shared", "owed", "likely"), COUNT),
            "required": ["naive", "shared", "owed", "likely"],
        },
        "gpu_hours": HOURS,
        "cpu_hours": HOURS,
        "money": {"type": ["number", "null"]},
        "disk_bytes": COUNT,
        "wall": {"type": "array", "minItems": 1},
        "warnings": {"type": "array", "items": {"type": "string"}},
        "guesses": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("what", "value", "why", "measure")},
                "required": ["what", "value", "why", "measure"],
            },
        },
    },
    "required": [
        *(
            "schema_version",
            "pairs",
            "trials",
            "stages",
            "train_tokens",
            "gpu_hours",
            "disk_bytes",
            "guesses",
        ),
        *("owed", "scoring", "cpu_hours", "money", "wall", "warnings"),
    ],
}


def planned(spec: SweepSpec, root: Path, gpus: tuple[int, ...] = ()) -> Plan:
    return plan_sweep(spec, open_source(spec.data, root, resolve=False), StageStore(root), [], gpus=gpus)


def changed(spec: SweepSpec, **sections: Mapping[str, Any]) -> SweepSpec:
    """A spec with values of some sections replaced."""
    return spec.model_copy(
        update={
            name: getattr(spec, name).model_copy(update=dict(values)) for name, values in sections.items()
        }
    )


def on_real_tasks(root: Path, space: Mapping[str, Any], **sections: Mapping[str, Any]) -> SweepSpec:
    """XLM-R on two pairs of official data that are nowhere, one GPU a trial."""
    return SweepSpec.model_validate(
        {
            "version": 1,
            "name": "absent",
            "model": {"name": "xlm-roberta-base"},
            "pairs": {"intermediate": ["mnli"], "target": ["xnli", "bucc2018"]},
            "search": {"space": space, "trials_per_pair": 4, **sections.pop("search", {})},
            "compute": {"per_worker": {"GPU": 1}},
            "data": {"source": "official", "official_root": str(root / "nowhere")},
            "storage": {"root": str(root)},
            **sections,
        }
    )


EPOCHS = {"intermediate.epochs": {"choice": [1, 2]}}


def test_the_document_keeps_its_contract(tmp_path: Path) -> None:
    for spec in (sweep(tmp_path), on_real_tasks(tmp_path, EPOCHS)):
        document = json.loads(json.dumps(planned(spec, tmp_path).document(), allow_nan=False))
        jsonschema.validate(document, DOCUMENT)


def test_absent_data_are_guessed_and_said_so(tmp_path: Path) -> None:
    plan = planned(on_real_tasks(tmp_path, EPOCHS), tmp_path)
    guessed = {each.what: each for each in plan.guesses}
    assert guessed["mnli train rows"].value == f"{TASKS['mnli'].n_train:,}"
    assert "missing" in guessed["mnli train rows"].why
    assert "data prepare" in guessed["mnli train rows"].measure
    assert "xlm-roberta-base on" in guessed["tokens per second on one worker"].why
    assert plan.scoring["evaluate"].asked == 2 * (15 + 4)
    assert plan.scoring["calibrate"].distinct == plan.scoring["calibrate"].asked == 2 * 4
    assert not (tmp_path / "data").exists()


def test_where_no_file_is_found_the_next_step_is_not_to_run(tmp_path: Path) -> None:
    plan = planned(on_real_tasks(tmp_path, EPOCHS), tmp_path)
    assert plan.warnings[0].startswith("no file of any task lies below")
    assert plan_text(plan, "a.yaml").splitlines()[-1].startswith("next: xtr doctor a.yaml")


def test_tokens_are_rows_times_epochs_times_tokens_a_row(tmp_path: Path) -> None:
    mnli = TASKS["mnli"].n_train * TASKS["mnli"].tokens_per_row
    space = {"intermediate.epochs": 2, "target.epochs": 3}
    plan = planned(on_real_tasks(tmp_path, space), tmp_path)
    # xnli after mnli, xnli alone, bucc2018 after mnli; the two mnli of 2 epochs are one stage.
    assert plan.train_tokens.naive == (2 + 3 + 3 + 2) * mnli
    assert (
        plan.train_tokens.shared == plan.train_tokens.owed == plan.train_tokens.likely == (2 + 3 + 3) * mnli
    )


def test_one_recipe_in_two_roles_is_paid_for_once(tmp_path: Path) -> None:
    mnli = TASKS["mnli"].n_train * TASKS["mnli"].tokens_per_row
    same = {"stages": {"intermediate": {"epochs": 2}, "target": {"epochs": 2}}}
    plan = planned(on_real_tasks(tmp_path, {}, **same), tmp_path)
    assert plan.stages["intermediate"].distinct == 1
    assert plan.stages["target"].distinct == 2
    assert plan.train_tokens.shared == 2 * 2 * mnli, "mnli for xnli alone is the mnli before it"


def test_an_adaptive_search_is_bounded_by_its_costliest_settings(tmp_path: Path) -> None:
    mnli = TASKS["mnli"].n_train * TASKS["mnli"].tokens_per_row
    space = {**EPOCHS, "target.epochs": {"int": [1, 3]}, "target.learning_rate": {"float": [1e-5, 2e-5]}}
    plan = planned(on_real_tasks(tmp_path, space), tmp_path)
    targets = 4 + 4 + 1  # xnli after mnli, xnli alone, and xnli alone at the winner's settings
    assert plan.train_tokens.owed == (1 + 2 + targets * 3) * mnli
    assert plan.train_tokens.likely == (1 + 2 + targets * 2) * mnli


def test_prices_make_hours_money(tmp_path: Path) -> None:
    spec = on_real_tasks(tmp_path, EPOCHS)
    free, priced = planned(spec, tmp_path), planned(changed(spec, prices={"gpu_hour": 2.0}), tmp_path)
    assert free.run.money is None
    assert priced.run.money == pytest.approx(2.0 * priced.run.gpu_hours)
    assert priced.run.gpu_hours > 1
    assert f"{priced.run.money:,.2f} USD" in plan_text(priced, "x.yaml")


def test_more_gpus_take_less_time_but_never_less_than_the_longest_chain(tmp_path: Path) -> None:
    plan = planned(on_real_tasks(tmp_path, EPOCHS), tmp_path, gpus=(1, 8, 1000))
    one, few, many = plan.wall[1:]
    assert (one.gpus, few.gpus, many.gpus) == (1, 8, 1000)
    assert one.run_hours == pytest.approx(plan.run.gpu_hours)
    assert one.run_hours > few.run_hours >= many.run_hours >= plan.chain[1] > 0
    assert plan.chain[0] == "mnli > xnli"


def test_what_was_measured_takes_the_place_of_the_table(tmp_path: Path) -> None:
    spec, store = sweep(tmp_path), StageStore(tmp_path)
    paths = Paths(spec, open_source(spec.data, tmp_path))
    guessed = planned(spec, tmp_path)
    stage = paths.path(Pair("none", "tydiqa"), {"target.epochs": 2}, seed=99).target
    assert isinstance(stage, TrainStage)
    made: dict[str, JSON] = {"device": "cpu", "hardware": "a slow one", "workers": 2, "seconds": 50.0}
    with store.workspace(stage.key) as folder:
        store.publish(stage, folder, {"tokens": 10_000, "steps": 1, "epochs": [{}, {}]}, made)
    measured = planned(spec, tmp_path)
    assert measured.rate == (100.0, "measured on 1 stage, a slow one")
    assert measured.run.cpu_hours == pytest.approx((measured.train_tokens.owed / 100) / 3600, rel=0.2), (
        "but for what is scored and the encoder itself"
    )
    assert measured.run.cpu_hours > guessed.run.cpu_hours
    assert "tokens per second on one worker" not in {each.what for each in measured.guesses}


@pytest.mark.skipif(bool(hardware_here("cuda")), reason="this machine's GPU takes the place of the table's")
def test_a_guessed_rate_is_that_of_what_is_computed_in(tmp_path: Path) -> None:
    def rate(precision: str) -> float:
        spec = sweep(tmp_path)
        stages = spec.stages.model_copy(update={"precision": precision})
        compute = spec.compute.model_copy(update={"per_worker": PerWorker(CPU=1, GPU=1)})
        model = ModelSpec(name="xlm-roberta-large")
        asked = {"stages": stages, "compute": compute, "model": model, "data": DataSpec(source="hub")}
        plan = planned(spec.model_copy(update=asked), tmp_path)
        [guess] = [each for each in plan.guesses if each.what == "tokens per second on one worker"]
        assert (", bf16;" in guess.why) == (precision != "fp32")
        return plan.rate[0]

    assert rate("auto") == rate("bf16") > 5 * rate("fp32")


def test_a_continuous_intermediate_dimension_is_warned_of_with_its_price_and_its_remedy(
    tmp_path: Path,
) -> None:
    wide = {"intermediate.learning_rate": {"log_float": [1e-5, 1e-3]}, "target.epochs": {"int": [1, 2]}}
    plan = planned(sweep(tmp_path, space=wide), tmp_path)
    (warning,) = plan.warnings
    assert "intermediate.learning_rate: {choice: [1e-5, 0.0001, 0.001]}" in warning
    narrow = {**wide, "intermediate.learning_rate": {"choice": [1e-5, 1e-4, 1e-3]}}
    remedied = planned(sweep(tmp_path, space=narrow), tmp_path)
    assert remedied.warnings == ()
    assert remedied.train_tokens.shared < plan.train_tokens.shared
    assert f"{plan.train_tokens.shared:,}" in warning
    assert f"{remedied.train_tokens.shared:,}" in warning


@pytest.mark.parametrize(
    ("sections", "gpus", "said"),
    [
        ({"budget": {"gpu_hours": 0.5}}, (), "budget.gpu_hours is 0.5"),
        ({"budget": {"money": 0.5}, "prices": {"gpu_hour": 3}}, (), "budget.money is 0.5"),
        ({"budget": {"money": 9999}}, (), "without prices"),
        ({"budget": {"wall_hours": 0.1}}, (), "budget.wall_hours is 0.1"),
        ({"search": {"concurrent_trials": 4}}, (2,), "search.concurrent_trials asks for 4"),
        ({"search": {"early_stopping": {"rung_epochs": 1, "keep": 1.0}}}, (), "early stopping stops nothing"),
        ({"search": {"early_stopping": {"rung_epochs": 9, "keep": 0.5}}}, (), "early stopping stops nothing"),
        ({"search": {"select_on": "oracle"}}, (), "oracle: selected on the target languages' dev sets"),
        ({}, (), ""),
    ],
)
def test_what_cannot_be_is_warned_of(
    sections: dict[str, Any], gpus: tuple[int, ...], said: str, tmp_path: Path
) -> None:
    plan = planned(on_real_tasks(tmp_path, EPOCHS, **sections), tmp_path, gpus)
    of_the_machine = (
        "no file of any task",
        "model.name:",
    )  # which has neither these data nor, perhaps, XLM-R
    warnings = [each for each in plan.warnings if not each.startswith(of_the_machine)]
    assert [said in each for each in warnings] == ([True] if said else [])


def test_every_task_that_is_trained_or_scored_has_an_estimate() -> None:
    assert [task.name for task in TASKS.values() if not task.tokens_per_row] == []
