"""This is where a model is trained: one loop for every family, on one process or many.

The loop is plain PyTorch. Who runs it says which rank it is (`World`), where states are kept, how to score the
select split and when to pause; the same call then goes on where the last state stands, bit for bit on a CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedTokenizerFast

from xtr.errors import Diverged
from xtr.faults import fault
from xtr.fingerprint import derive_seed
from xtr.model.heads import TaskModel
from xtr.train.batches import Batch, Member, Sampling, Schedule
from xtr.train.optimise import linear_schedule, make_optimizer, update
from xtr.train.state import Epoch, Progress, load_state, save_state
from xtr.train.step import Lesson, World, step_loss


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the mathematics of a run depends on, besides model and examples; a mixture's part as in `Schedule`."""

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


@dataclass(frozen=True, slots=True)
class Pause:
    """When a run is saved or stopped before its end.

    Attributes:
        folder: where states are kept.
        every_steps: a state is saved each so many optimiser steps.
        after_epoch: the run saves and returns there; None trains to the end.
    """

    folder: Path
    every_steps: int
    after_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Learner:
    """A model, changed in place, and the lessons it learns from: one task, or the members of a mixture."""

    model: TaskModel
    tokenizer: PreTrainedTokenizerFast
    lessons: tuple[Lesson, ...]


Scorer = Callable[[TaskModel], dict[str, float]]


def train(learner: Learner, recipe: Recipe, *, pause: Pause, score: Scorer, world: World) -> Progress:
    """Train to the end, or to the pause, starting from the newest state.

    Args:
        score: called by the leading rank after each epoch.

    Returns:
        Steps, seconds and per-epoch losses and scores (scores only on the leading rank).

    Raises:
        Diverged: a loss is not finite.
    """
    model = learner.model.to(torch.device(world.device))
    optimizer = make_optimizer(model, weight_decay=recipe.weight_decay)
    progress = load_state(pause.folder, model, optimizer) or Progress()
    if pause.after_epoch is not None and len(progress.epochs) >= pause.after_epoch:
        return progress
    runner = _data_parallel(model) if world.size > 1 else model
    schedule = _schedule(learner, recipe)
    started = time.monotonic() - progress.seconds

    for step, (number, chosen) in _remaining_steps(schedule, progress.step):
        model.train()
        lesson = learner.lessons[number]
        masks = derive_seed(recipe.seed, lesson.name, "masks", step)
        batch = lesson.family.drawn([lesson.examples[i] for i in chosen], learner.tokenizer, masks)
        torch.manual_seed(derive_seed(recipe.seed, recipe.task, "dropout", step, world.rank))
        loss = step_loss(runner, learner.tokenizer, lesson, batch, world)
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} at step {step + 1} (learning rate {recipe.learning_rate:g})")
        rate = linear_schedule(
            step, n_steps=schedule.n_steps, warmup_fraction=recipe.warmup_fraction, peak=recipe.learning_rate
        )
        update(model, optimizer, learning_rate=rate)
        fault("train.step_done")
        progress.step = step + 1
        progress.tokens += sum(example.n_tokens for example in batch)
        progress.open_loss += loss
        if progress.step % schedule.steps_per_epoch == 0:
            _close_epoch(progress, schedule, model, score if world.leads else None)
        progress.seconds = time.monotonic() - started
        paused = pause.after_epoch == len(progress.epochs) and progress.step < schedule.n_steps
        if world.leads and (paused or progress.step % pause.every_steps == 0):
            save_state(pause.folder, model, optimizer, progress)
        if paused:
            break
    return progress


def _data_parallel(model: TaskModel) -> nn.Module:
    """Share gradients among ranks; a step of a mixture leaves the other members' heads without any.

    Buffers hold constants, and ranks may run different numbers of forward passes, so they are not broadcast.
    """
    return DistributedDataParallel(
        model, broadcast_buffers=False, find_unused_parameters=len(model.heads) > 1
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
    )


def _remaining_steps(schedule: Schedule, done: int) -> Iterator[tuple[int, Batch]]:
    """Yield (global step, its member and examples) from step `done` on."""
    n = schedule.steps_per_epoch
    for epoch in range(done // n, schedule.epochs):
        batches = schedule.epoch(epoch)
        for step in range(max(done, epoch * n), (epoch + 1) * n):
            yield step, batches[step - epoch * n]


def _close_epoch(progress: Progress, schedule: Schedule, model: TaskModel, score: Scorer | None) -> None:
    """Note a finished epoch's mean loss and select scores."""
    scores = score(model) if score else {}
    loss = progress.open_loss / schedule.steps_per_epoch
    progress.epochs.append(Epoch(epoch=len(progress.epochs) + 1, loss=loss, scores=scores))
    progress.open_loss = 0.0
