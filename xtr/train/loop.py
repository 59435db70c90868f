"""This is where a model is trained: one loop for every family, on one process or many.

The loop is plain PyTorch. Who runs it says which rank it is (`World`), where states are kept, how to score the
select split and when to pause; the same call then goes on where the last state stands, bit for bit on a CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedTokenizerFast

from xtr.errors import Diverged
from xtr.families.family import Example, Family
from xtr.fingerprint import derive_seed
from xtr.model.heads import TaskModel
from xtr.train.batches import Batch, Member, Sampling, Schedule, cut_by_length, rank_share
from xtr.train.optimise import linear_schedule, make_optimizer, update
from xtr.train.state import Epoch, Progress, load_state, save_state


@dataclass(frozen=True, slots=True)
class World:
    """Who runs the loop: this process's rank among `size`, and the device it trains on."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """The first rank scores and saves."""
        return self.rank == 0


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
class Lesson:
    """What is learnt of one task: its encoded training rows, equal on every rank, and the head that reads them.

    Attributes:
        name: the task, as the random streams know it.
        head: the number of the model's head; members of a mixture may share one.
        share: of all steps, see `Member`.
    """

    name: str
    family: Family[Any, Any]
    examples: Sequence[Example]
    head: int = 0
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Learner:
    """A model, changed in place, and the lessons it learns from: one task, or the members of a mixture."""

    model: TaskModel
    tokenizer: PreTrainedTokenizerFast
    lessons: tuple[Lesson, ...]


MICRO_BATCH_TOKENS = {"cpu": 1024, "cuda": 32768}
"""Tokens, padding included, that go through the encoder at once: bounds memory, and sorted, wastes less of it."""

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
        loss = _step_loss(runner, learner.tokenizer, lesson, batch, world)
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} at step {step + 1} (learning rate {recipe.learning_rate:g})")
        rate = linear_schedule(
            step, n_steps=schedule.n_steps, warmup_fraction=recipe.warmup_fraction, peak=recipe.learning_rate
        )
        update(model, optimizer, learning_rate=rate)
        progress.step = step + 1
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
    """Share gradients among ranks; a step of a mixture leaves the other members' heads without any."""
    return DistributedDataParallel(model, find_unused_parameters=len(model.heads) > 1)


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


def _step_loss(
    runner: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    lesson: Lesson,
    batch: Sequence[Example],
    world: World,
) -> float:
    """Run one step forward and backward and return the mean loss over the whole step.

    The loss is normalised over the step's items on all ranks, so cutting the step into micro-batches changes
    nothing but the order of summation. A rank without examples runs the first one with weight 0, because every
    rank must take part in the reduction of gradients.
    """
    share = rank_share(batch, rank=world.rank, world_size=world.size)
    weight = 1.0 if share else 0.0
    family = lesson.family
    n_items = max(1, sum(family.n_items(example) for example in batch))
    # DistributedDataParallel averages gradients over ranks; the sum is wanted.
    scale = weight * world.size / n_items
    device = torch.device(world.device)
    total = torch.zeros((), device=device)
    micro_batches = cut_by_length(share or batch[:1], MICRO_BATCH_TOKENS[device.type])
    for i, examples in enumerate(micro_batches):
        last = i + 1 == len(micro_batches)
        with nullcontext() if last or world.size == 1 else runner.no_sync():  # type: ignore[operator]
            outputs = runner(family.inputs(examples, tokenizer, device), lesson.head)
            loss = family.loss(outputs, examples) * scale
            torch.autograd.backward(loss)
        total += loss.detach() / world.size
    if world.size > 1:
        torch.distributed.all_reduce(total)
    return float(total)


def _close_epoch(progress: Progress, schedule: Schedule, model: TaskModel, score: Scorer | None) -> None:
    """Note a finished epoch's mean loss and select scores."""
    scores = score(model) if score else {}
    loss = progress.open_loss / schedule.steps_per_epoch
    progress.epochs.append(Epoch(epoch=len(progress.epochs) + 1, loss=loss, scores=scores))
    progress.open_loss = 0.0
