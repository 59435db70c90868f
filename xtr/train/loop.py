"""This is where a model is trained: one loop for every family, on one process or many.

The loop is plain PyTorch. Who runs it says which rank it is (`World`), where states are kept, how to score the
select split and when to pause; the same call then goes on where the last state stands, bit for bit on a CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedTokenizerFast

from xtr.errors import Diverged, Drained
from xtr.faults import fault
from xtr.fingerprint import derive_seed
from xtr.model.heads import TaskModel
from xtr.model.world import World
from xtr.train.batches import Batch, Member, Sampling, Schedule
from xtr.train.compiling import compile_blocks
from xtr.train.optimise import make_optimizer, update
from xtr.train.progress import Epoch, Progress
from xtr.train.rates import linear_schedule, wsd_schedule
from xtr.train.room import Room
from xtr.train.sharding import cut, gather
from xtr.train.state import StateWriter, load_state
from xtr.train.step import Lesson, Prepared, agreed, check_together


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the mathematics of a run depends on, besides model and examples; a mixture's part as in `Schedule`.

    Attributes:
        course: of the learning rate; `linear` reads `warmup_fraction`, `wsd` the two that follow `course`.
    """

    task: str
    seed: int
    learning_rate: float
    epochs: int
    batch_size: int
    warmup_fraction: float
    weight_decay: float
    sampling: Sampling = "proportional"
    cap: int = 0
    temperature: float = 1.0
    course: Literal["linear", "wsd"] = "linear"
    warmup_steps: int = 0
    decay_fraction: float = 0.1


@dataclass(frozen=True, slots=True)
class Pause:
    """When a run is saved or stopped before its end.

    Attributes:
        folder: where states are kept.
        every_steps: a state is saved each so many optimiser steps.
        after_epoch: the run saves and returns there; None trains to the end.
        after_step: likewise, and an epoch that ends there stays open: it is closed by whoever goes on, so that
            this state is the same for runs whose epochs end there and runs whose epochs do not.
        saved: told each time that a state has been saved.
        stop: asked after every step; once it says yes, the run saves and raises Drained.
    """

    folder: Path
    every_steps: int
    after_epoch: int | None = None
    after_step: int | None = None
    saved: Callable[[], None] = lambda: None
    stop: Callable[[], bool] = lambda: False

    def reached(self, progress: Progress) -> bool:
        """Say whether a run has come as far as was asked."""
        epochs = self.after_epoch is not None and len(progress.epochs) >= self.after_epoch
        return epochs or progress.step == self.after_step


@dataclass(frozen=True, slots=True)
class Learner:
    """A model, changed in place, and the lessons it learns from: one task, or the members of a mixture.

    Attributes:
        compiled: the model's blocks are compiled before the first step.
    """

    model: TaskModel
    tokenizer: PreTrainedTokenizerFast
    lessons: tuple[Lesson, ...]
    compiled: bool = False


Scorer = Callable[[TaskModel], dict[str, float]]


def train(learner: Learner, recipe: Recipe, *, pause: Pause, score: Scorer, world: World) -> Progress:
    """Train to the end, or to the pause, starting from the newest state.

    Args:
        score: called by the leading rank after each epoch; by all where the model is sharded, since each must
            take part in its passes.

    Returns:
        Steps, seconds and per-epoch losses and scores (scores only on the leading rank).

    Raises:
        Diverged: a loss is not finite.
        Drained: `pause.stop` said so before the end; the state is saved.
        OSError: a state could not be written.
    """
    whole = learner.model
    model = cut(whole, world) if world.sharded else whole.to(torch.device(world.device))
    if learner.compiled:
        compile_blocks(model.encoder)
    with StateWriter(pause.folder, pause.saved, leads=world.leads) as writer:
        progress = _train(replace(learner, model=model), recipe, pause, score, world, writer)
    if world.sharded:
        gather(model, whole, world)
    return progress


def _train(
    learner: Learner, recipe: Recipe, pause: Pause, score: Scorer, world: World, writer: StateWriter
) -> Progress:
    model = learner.model
    optimizer = make_optimizer(model, weight_decay=recipe.weight_decay)
    progress = load_state(pause.folder, model, optimizer) or Progress()
    check_together(progress.step, world)
    schedule = _schedule(learner, recipe)
    if pause.reached(progress):
        return progress
    room = Room(model, learner.tokenizer, world)
    room.agree(learner.lessons, optimizer)
    runner = _data_parallel(model, world)  # from here on every rank has read the state
    if _close_epoch(progress, schedule, pause, model, score, world):
        writer.keep(model, optimizer, progress)
    if pause.reached(progress):
        return progress
    started = time.monotonic() - progress.seconds

    coming = _prepared(learner, recipe, schedule, room, progress.step)
    ready = next(coming, None)
    while ready is not None:
        step, prepared = ready
        model.train()
        dropout = derive_seed(recipe.seed, recipe.task, "dropout", step, world.rank)
        loss = room.step_loss(runner, prepared, dropout)
        update(model, optimizer, learning_rate=_rate(recipe, step, schedule.n_steps))
        ready = next(coming, None)  # while a GPU still computes; only the loss waits for it
        progress.open_loss += _finite(float(loss), step, recipe)
        fault("train.step_done")
        progress.step = step + 1
        progress.tokens += sum(example.n_tokens for example in prepared.batch)
        _close_epoch(progress, schedule, pause, model, score, world)
        progress.spend(time.monotonic() - started, world.size)
        paused = pause.reached(progress) and progress.step < schedule.n_steps
        drained = not paused and progress.step < schedule.n_steps and agreed(pause.stop, world)
        if paused or drained or progress.step % pause.every_steps == 0:
            writer.keep(model, optimizer, progress)
        if drained:
            writer.wait()
            raise Drained(f"stopped after step {progress.step} of {schedule.n_steps}")
        if paused:
            break
    return progress


def _prepared(
    learner: Learner, recipe: Recipe, schedule: Schedule, room: Room, done: int
) -> Iterator[tuple[int, Prepared]]:
    """Yield the steps from step `done` on, each made ready when it is asked for."""
    for step, (number, chosen) in _remaining_steps(schedule, done):
        lesson = learner.lessons[number]
        masks = derive_seed(recipe.seed, lesson.name, "masks", step)
        yield step, room.prepare(lesson, lesson.drawn(chosen, learner.tokenizer, masks))


def steps_of_run(learner: Learner, recipe: Recipe) -> int:
    """Count the optimiser steps of a whole run."""
    return _schedule(learner, recipe).n_steps


def decay_of_run(learner: Learner, recipe: Recipe) -> float:
    """Compute what the weight decay of a whole run leaves of a weight that never has a gradient, in float64."""
    n_steps = steps_of_run(learner, recipe)
    return math.prod(1 - _rate(recipe, step, n_steps) * recipe.weight_decay for step in range(n_steps))


def _finite(loss: float, step: int, recipe: Recipe) -> float:
    if not math.isfinite(loss):
        raise Diverged(f"the loss is {loss} at step {step + 1} (learning rate {recipe.learning_rate:g})")
    return loss


def _rate(recipe: Recipe, step: int, n_steps: int) -> float:
    peak = recipe.learning_rate
    if recipe.course == "linear":
        return linear_schedule(step, n_steps=n_steps, warmup_fraction=recipe.warmup_fraction, peak=peak)
    return wsd_schedule(
        step,
        n_steps=n_steps,
        warmup_steps=recipe.warmup_steps,
        decay_fraction=recipe.decay_fraction,
        peak=peak,
    )


def _data_parallel(model: TaskModel, world: World) -> nn.Module:
    """Share gradients among ranks; a step of a mixture leaves the other members' heads without any.

    Buffers hold constants, and ranks may run different numbers of forward passes, so they are not broadcast.
    """
    if world.size == 1 or world.sharded:  # shards exchange their gradients by themselves
        return model
    return DistributedDataParallel(
        model,
        broadcast_buffers=False,
        find_unused_parameters=len(model.heads) > 1,
        gradient_as_bucket_view=True,  # or else each gradient would lie in memory twice
    )


def _schedule(learner: Learner, recipe: Recipe) -> Schedule:
    members = tuple(Member(each.name, len(each.examples), each.share) for each in learner.lessons)
    return Schedule(
        members,
        recipe.batch_size,
        recipe.epochs,
        recipe.seed,
        recipe.sampling,
        recipe.cap,
        recipe.temperature,
        nested=recipe.course == "wsd",
    )


def _remaining_steps(schedule: Schedule, done: int) -> Iterator[tuple[int, Batch]]:
    """Yield (global step, its member and examples) from step `done` on."""
    n = schedule.steps_per_epoch
    for epoch in range(done // n, schedule.epochs):
        batches = schedule.epoch(epoch)
        for step in range(max(done, epoch * n), (epoch + 1) * n):
            yield step, batches[step - epoch * n]


def _close_epoch(
    progress: Progress, schedule: Schedule, pause: Pause, model: TaskModel, score: Scorer, world: World
) -> bool:
    """Note the mean loss of an epoch that has just ended and, on the leading rank, its scores; say if one has."""
    ended = progress.step // schedule.steps_per_epoch
    if len(progress.epochs) == ended or progress.step == pause.after_step:
        return False
    scores = score(model) if world.leads or world.sharded else {}
    if not world.leads:
        scores = {}
    loss = progress.open_loss / schedule.steps_per_epoch
    progress.epochs.append(Epoch(epoch=len(progress.epochs) + 1, loss=loss, scores=scores))
    progress.open_loss = 0.0
    return True
