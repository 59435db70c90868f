"""What a sweep comes to, before and while it runs."""

from __future__ import annotations

import random
from pathlib import Path

from tests.search.specs import drive, sweep
from xtr.analysis.plan import plan_sweep
from xtr.data.open import open_source
from xtr.search.book import Book
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
