"""The training loop: the same bits again, through pauses, crashes and torn states."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.train.learners import RECIPE, make_learner, one_step, run, same_bits, select_scorer, weights
from xtr.data.demo.source import DemoSource
from xtr.errors import Diverged, Drained
from xtr.model.heads import TaskModel
from xtr.train.loop import Learner, Recipe
from xtr.train.optimise import make_optimizer
from xtr.train.progress import PROGRESS, Epoch, Progress, adopt_state, read_progress
from xtr.train.state import StateWriter, load_state
from xtr.train.step import MICRO_BATCH_TOKENS

Build = Callable[[], Learner]


@pytest.fixture
def build(encoder_folder: Path, demo: DemoSource) -> Build:
    return lambda: make_learner(encoder_folder, demo, dropout=0.1)


@pytest.fixture
def whole(build: Build, demo: DemoSource, tmp_path: Path) -> tuple[list[Epoch], dict[str, Tensor]]:
    """What the run comes to when nothing interrupts it."""
    learner = build()
    progress = run(learner, select_scorer(learner, demo), tmp_path / "whole")
    return progress.epochs, weights(learner)


Whole = tuple[list[Epoch], dict[str, Tensor]]


class Crash(Exception):
    """A machine that goes away."""


def crash_after(epoch: int, learner: Learner, demo: DemoSource) -> Callable[[TaskModel], dict[str, float]]:
    scorer, n_scored = select_scorer(learner, demo), 0

    def score(model: TaskModel) -> dict[str, float]:
        nonlocal n_scored
        n_scored += 1
        if n_scored == epoch:
            raise Crash
        return scorer(model)

    return score


def finish(build: Build, demo: DemoSource, folder: Path) -> tuple[Progress, dict[str, Tensor]]:
    learner = build()
    progress = run(learner, select_scorer(learner, demo), folder, every_steps=3)
    return progress, weights(learner)


def test_a_run_reports_each_epoch_and_learns(whole: Whole) -> None:
    epochs, _ = whole
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert epochs[1].loss < epochs[0].loss
    assert all(set(epoch.scores) == {"accuracy"} for epoch in epochs)


def test_the_same_run_again_gives_the_same_bits(
    whole: Whole, build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    progress, final = finish(build, demo, tmp_path / "again")
    assert progress.epochs == whole[0]
    assert same_bits(final, whole[1])


@pytest.mark.parametrize(
    "other",
    [
        replace(RECIPE, seed=2),
        replace(RECIPE, task="csqa"),
        replace(RECIPE, learning_rate=2e-3),
        replace(RECIPE, epochs=1),
        replace(RECIPE, warmup_fraction=0.5),
        replace(RECIPE, weight_decay=0.5),
        replace(RECIPE, batch_size=5),
    ],
)
def test_another_recipe_gives_other_weights(
    other: Recipe, whole: Whole, build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    learner = build()
    run(learner, select_scorer(learner, demo), tmp_path / "other", recipe=other)
    assert not same_bits(weights(learner), whole[1])


def test_a_run_paused_after_an_epoch_goes_on_to_the_same_bits(
    whole: Whole, build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    learner = build()
    paused = run(learner, select_scorer(learner, demo), tmp_path / "run", after_epoch=1)
    assert paused.epochs == whole[0][:1]
    assert paused.step == 4
    progress, final = finish(build, demo, tmp_path / "run")
    assert progress.step == 8
    assert progress.epochs == whole[0]
    assert same_bits(final, whole[1])


def test_an_epoch_that_ends_where_a_trunk_ends_is_closed_by_whoever_goes_on(
    build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, course="wsd", warmup_steps=2, decay_fraction=0.25)
    alone = build()
    expected = run(alone, select_scorer(alone, demo), tmp_path / "alone", recipe=recipe)
    trunk = build()
    progress = run(trunk, select_scorer(trunk, demo), tmp_path / "trunk", recipe=recipe, after_step=4)
    assert (progress.step, progress.epochs) == (4, [])
    longer = adopt_state(tmp_path / "trunk", tmp_path / "longer", seconds=7.0)
    assert (longer.step, longer.seconds) == (4, 7.0)
    leg = build()
    paused = run(leg, select_scorer(leg, demo), tmp_path / "longer", recipe=recipe, after_epoch=1)
    assert (paused.step, paused.epochs) == (4, expected.epochs[:1])
    rest = build()
    whole = run(rest, select_scorer(rest, demo), tmp_path / "longer", recipe=recipe)
    assert whole.epochs == expected.epochs
    assert (whole.step, whole.tokens) == (8, expected.tokens)
    assert same_bits(weights(rest), weights(alone))


def test_a_state_that_is_not_whole_is_not_adopted(build: Build, demo: DemoSource, tmp_path: Path) -> None:
    learner = build()
    run(learner, select_scorer(learner, demo), tmp_path / "trunk", after_step=4)
    [state] = (tmp_path / "trunk").iterdir()
    (state / PROGRESS).write_text("{}")
    with pytest.raises(FileNotFoundError):
        adopt_state(tmp_path / "trunk", tmp_path / "run", seconds=0.0)


def test_asking_for_a_pause_that_was_reached_trains_nothing(
    build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    for _ in range(2):
        learner = build()
        progress = run(learner, select_scorer(learner, demo), tmp_path / "run", after_epoch=1)
        assert progress.step == 4
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["step-0000004"]


def test_a_pause_at_the_last_epoch_is_the_end(
    whole: Whole, build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    learner = build()
    progress = run(learner, select_scorer(learner, demo), tmp_path / "run", after_epoch=2)
    assert progress.epochs == whole[0]
    assert same_bits(weights(learner), whole[1])


@pytest.mark.parametrize(("epoch", "kept"), [(1, "step-0000003"), (2, "step-0000006")])
def test_a_run_that_crashed_goes_on_from_its_last_state_to_the_same_bits(
    epoch: int, kept: str, whole: Whole, build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    learner = build()
    with pytest.raises(Crash):
        run(learner, crash_after(epoch, learner, demo), tmp_path / "run", every_steps=3)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [kept]
    progress, final = finish(build, demo, tmp_path / "run")
    assert progress.epochs == whole[0]
    assert same_bits(final, whole[1])


def test_a_state_saved_at_the_very_end_needs_no_more_steps(
    whole: Whole, build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    learner = build()
    run(learner, select_scorer(learner, demo), tmp_path / "run", every_steps=4)
    again = build()
    progress = run(again, crash_after(1, again, demo), tmp_path / "run")
    assert progress.epochs == whole[0]
    assert same_bits(weights(again), whole[1])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("weights.safetensors", flip_a_bit),
        ("weights.safetensors", truncate),
        ("moments.safetensors", flip_a_bit),
        ("moments.safetensors", remove),
        (PROGRESS, flip_a_bit),
        (PROGRESS, truncate),
        (PROGRESS, remove),
    ],
)
def test_a_torn_state_is_not_used_and_gives_way_to_new_ones(
    name: str, harm: Callable[[Path], None], whole: Whole, build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    learner = build()
    run(learner, select_scorer(learner, demo), tmp_path / "run", every_steps=3)
    harm(tmp_path / "run" / "step-0000006" / name)
    again = build()
    with pytest.raises(Crash):
        run(again, crash_after(1, again, demo), tmp_path / "run", every_steps=3)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["step-0000003"]
    progress, final = finish(build, demo, tmp_path / "run")
    assert progress.epochs == whole[0]
    assert same_bits(final, whole[1])


@pytest.mark.parametrize(("hit", "step"), [(1, 3), (2, 6)], ids=["the first state", "the last state"])
def test_a_state_that_cannot_be_written_ends_the_run_and_the_one_before_is_there(
    hit: int,
    step: int,
    whole: Whole,
    build: Build,
    demo: DemoSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XTR_FAULT", f"state.before_rename:{hit}:raise")
    monkeypatch.setenv("XTR_FAULT_DIR", str(tmp_path / "faults"))
    learner = build()
    with pytest.raises(RuntimeError, match=r"state\.before_rename"):
        run(learner, select_scorer(learner, demo), tmp_path / "run", every_steps=3)
    kept = read_progress(tmp_path / "run")
    assert (kept.step if kept else 0) == step - 3
    progress, final = finish(build, demo, tmp_path / "run")
    assert progress.epochs == whole[0]
    assert same_bits(final, whole[1])


def test_a_state_is_what_it_was_when_it_was_kept(build: Build, tmp_path: Path) -> None:
    learner, held, told = build(), threading.Event(), []
    optimizer = make_optimizer(learner.model, weight_decay=0.0)
    before, progress = weights(learner), Progress(step=1)

    def saved() -> None:
        told.append(read_progress(tmp_path))
        held.wait()  # the state of step 1 is there, and its writer is not done

    with StateWriter(tmp_path, saved) as writer:
        writer.keep(learner.model, optimizer, progress)
        for parameter in learner.model.parameters():
            parameter.data.zero_()
        progress.step = 2
        held.set()
    assert told == [Progress(step=1)]
    again = build()
    for parameter in again.model.parameters():
        parameter.data.zero_()
    assert load_state(tmp_path, again.model, optimizer) == Progress(step=1)
    assert same_bits(weights(again), before)


def test_a_learning_rate_beyond_reason_diverges(build: Build, demo: DemoSource, tmp_path: Path) -> None:
    learner = build()
    with pytest.raises(Diverged, match="step"):
        run(
            learner,
            select_scorer(learner, demo),
            tmp_path / "run",
            recipe=replace(RECIPE, learning_rate=1e30),
        )


def test_the_progress_of_a_state_says_where_the_run_stands(
    build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    learner = build()
    run(learner, select_scorer(learner, demo), tmp_path / "run", after_epoch=1)
    document = json.loads((tmp_path / "run" / "step-0000004" / PROGRESS).read_text())
    assert document["progress"]["step"] == 4
    assert set(document["sha256"]) == {"weights.safetensors", "moments.safetensors"}


@pytest.mark.parametrize("name", ["mnli", "csqa", "squad_v1", "udpos"])
def test_micro_batches_change_neither_the_loss_nor_the_gradients(
    name: str, encoder_folder: Path, demo: DemoSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, gradients = [], []
    for budget in (10**6, 40):
        monkeypatch.setitem(MICRO_BATCH_TOKENS, "cpu", budget)
        learner = make_learner(encoder_folder, demo, name)
        [lesson] = learner.lessons
        losses.append(one_step(learner, lesson.examples))
        gradients.append([p.grad for p in learner.model.parameters() if p.grad is not None])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    for whole, cut in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, cut, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("step", [1, 4, 7], ids=["in the first epoch", "at an epoch's end", "before the end"])
def test_a_run_that_is_asked_to_stop_keeps_its_state_after_the_step_and_goes_on_to_the_same_bits(
    whole: Whole, build: Build, demo: DemoSource, tmp_path: Path, step: int
) -> None:
    learner, answers = build(), iter([False] * (step - 1) + [True])
    with pytest.raises(Drained, match=f"step {step} of 8"):
        run(learner, select_scorer(learner, demo), tmp_path, stop=lambda: next(answers))
    kept = read_progress(tmp_path)
    assert kept is not None
    assert kept.step == step
    progress, final = finish(build, demo, tmp_path)
    assert progress.epochs == whole[0]
    assert same_bits(final, whole[1])


def test_a_run_that_is_at_its_end_is_not_stopped(
    whole: Whole, build: Build, demo: DemoSource, tmp_path: Path
) -> None:
    learner, answers = build(), iter([False] * 7)  # nobody asks after the eighth
    progress = run(learner, select_scorer(learner, demo), tmp_path, stop=lambda: next(answers))
    assert progress.epochs == whole[0]
