"""Segments: what runs of several lengths share is counted as comparing their batches counts it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stages.sample import a_part, a_stage
from tests.stages.trunk_sample import WSD, sizes_sweep
from xtr.data.open import open_source
from xtr.spec.space import Choice, Dimension, Fixed, IntRange, LogFloatRange, Value
from xtr.spec.sweep import Confirm, Pair, SweepSpec, TaskSettings, TrainSettings
from xtr.stages.path import Paths
from xtr.stages.segments import MOST_BRANCHES, Run, branches, shared_steps, trained_steps, trunks
from xtr.stages.stage import TrainStage
from xtr.train.batches import Member, Schedule


def a_run(n_examples: int, epochs: int, decay: float = 0.1, batch_size: int = 8) -> Run:
    settings = WSD.model_copy(
        update={"examples": n_examples, "epochs": epochs, "decay_fraction": decay, "batch_size": batch_size}
    )
    return Run(replace(a_stage(), settings=settings, parts=(a_part(settings=settings),)), n_examples)


def beginning(run: Run) -> list[tuple[int, ...]]:
    """The batches of a run before its decay."""
    settings = run.stage.settings
    members = (Member("mnli", run.n_examples),)
    schedule = Schedule(members, settings.batch_size, settings.epochs, seed=1, nested=True)
    batches = [tuple(batch) for epoch in range(settings.epochs) for _, batch in schedule.epoch(epoch)]
    assert len(batches) == run.n_steps
    return batches[: run.branch_point]


def common(one: Run, other: Run) -> int:
    pairs = zip(beginning(one), beginning(other), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


LENGTHS = st.tuples(st.integers(1, 70), st.integers(1, 3), st.sampled_from([0.1, 0.25, 0.5]))


@given(st.lists(LENGTHS, min_size=1, max_size=6, unique=True))
def test_what_runs_share_are_their_equal_first_batches(lengths: list[tuple[int, int, float]]) -> None:
    runs = [a_run(*length) for length in lengths]
    for one, other in itertools.combinations(runs, 2):
        # Two late passes may happen to have an equal batch; what is shared is never more than what is equal.
        assert shared_steps(one, other) <= common(one, other)
        assert shared_steps(one, other) == shared_steps(other, one)
    tails = sum(run.n_steps - run.branch_point for run in runs)
    nodes = {(identity(run, step), step) for run in runs for step in range(run.branch_point)}
    assert trained_steps(runs) == (sum(run.n_steps for run in runs), tails + len(nodes))
    assert trained_steps(reversed(runs)) == trained_steps(runs)


def identity(run: Run, step: int) -> int | None:
    """What a step depends on besides its number: nothing in full batches of the first pass, else the amount."""
    return None if (step + 1) * run.stage.settings.batch_size <= run.n_examples else run.n_examples


@given(st.lists(LENGTHS, min_size=2, max_size=6, unique=True))
def test_runs_that_share_steps_pass_one_trunk_of_that_many(lengths: list[tuple[int, int, float]]) -> None:
    runs = [a_run(*length) for length in lengths]
    passed = {run.stage.key: {trunk.key: trunk for trunk in trunks(run, runs)} for run in runs}
    for one, other in itertools.combinations(runs, 2):
        both = passed[one.stage.key].keys() & passed[other.stage.key].keys()
        furthest = max((passed[one.stage.key][key].steps for key in both), default=0)
        assert furthest == shared_steps(one, other)
    for run in runs:
        steps = [trunk.steps for trunk in passed[run.stage.key].values()]
        assert steps == sorted(set(steps))
        assert all(0 < each <= run.branch_point for each in steps)


def test_the_fractions_of_a_size_study_cost_what_the_formula_says() -> None:
    sizes = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0]
    naive, shared = trained_steps(a_run(round(fraction * 80_000), 1) for fraction in sizes)
    assert naive == 19_300
    assert shared == 10_930, "1 + d (sum f - 1) of the largest"


def test_other_schedules_and_mixtures_share_nothing() -> None:
    linear = TrainSettings(batch_size=8)
    runs = [
        Run(replace(a_stage(), settings=linear.model_copy(update={"epochs": epochs})), 80)
        for epochs in (1, 2)
    ]
    assert trained_steps(runs) == (30, 30)
    mixed = [Run(replace(a_run(80, n).stage, parts=(a_part(), a_part("csqa"))), 80) for n in (1, 2)]
    assert trained_steps(mixed) == (30, 30)


def a_sweep(folder: Path, space: dict[str, Dimension], **change: object) -> SweepSpec:
    spec = sizes_sweep(folder, "xlm-roberta-base")
    search = spec.search.model_copy(update={"space": space, **change})
    return spec.model_copy(update={"search": search})


def lengths_of(spec: SweepSpec, seed: int = 1, target: bool = False) -> list[tuple[float, int | None, int]]:
    paths = Paths(spec, open_source(spec.data, Path(spec.storage.root)))
    params: dict[str, Value] = dict.fromkeys(spec.search.space, 1)
    path = paths.path(Pair("mnli", "xnli"), params, seed)
    stage = path.target if target else path.intermediate[0]
    assert isinstance(stage, TrainStage)
    return [
        (each.settings.fraction, each.settings.examples, each.settings.epochs)
        for each in branches(stage, spec)
    ]


SPACE: dict[str, Dimension] = {
    "intermediate.fraction": Choice((0.5, 1.0)),
    "intermediate.epochs": IntRange(1, 2),
}


def test_the_branches_are_the_finite_amounts_and_epochs_of_the_space(tmp_path: Path) -> None:
    assert sorted(lengths_of(a_sweep(tmp_path, SPACE))) == [
        (0.5, None, 1),
        (0.5, None, 2),
        (1.0, None, 1),
        (1.0, None, 2),
    ]
    examples: dict[str, Dimension] = {"intermediate.examples": Choice((1, 20))}
    assert lengths_of(a_sweep(tmp_path, examples)) == [(1.0, 1, 3), (1.0, 20, 3)]
    special: dict[str, Dimension] = SPACE | {"intermediate.mnli.epochs": Fixed(1)}
    assert sorted(lengths_of(a_sweep(tmp_path, special))) == [(0.5, None, 1), (1.0, None, 1)]


def test_what_another_setting_says_continuously_or_finely_makes_no_branches(tmp_path: Path) -> None:
    continuous = SPACE | {"intermediate.learning_rate": LogFloatRange(1e-4, 1e-2)}
    assert len(lengths_of(a_sweep(tmp_path, continuous))) == 1
    fine: dict[str, Dimension] = {"intermediate.examples": IntRange(1, MOST_BRANCHES + 1)}
    assert len(lengths_of(a_sweep(tmp_path, fine))) == 1
    other_stage = SPACE | {"target.learning_rate": LogFloatRange(1e-4, 1e-2)}
    assert len(lengths_of(a_sweep(tmp_path, other_stage))) == 4


def test_a_confirming_seed_has_branches_where_all_of_them_are_confirmed(tmp_path: Path) -> None:
    for top, expected in ((3, 1), (4, 4)):
        spec = a_sweep(tmp_path, SPACE, confirm=Confirm(top=top, seeds=(2,)))
        assert len(lengths_of(spec, seed=2)) == expected
        assert len(lengths_of(spec, seed=1)) == 4


@pytest.mark.parametrize(("schedule", "expected"), [("linear", 1), ("wsd", 2)])
def test_a_target_has_branches_of_its_own(schedule: str, expected: int, tmp_path: Path) -> None:
    spec = a_sweep(tmp_path, {"target.epochs": Choice((1, 2))})
    target = WSD if schedule == "wsd" else TrainSettings(tasks={"mnli": TaskSettings(epochs=3)})
    spec = spec.model_copy(update={"stages": spec.stages.model_copy(update={"target": target})})
    assert len(lengths_of(spec, target=True)) == expected
