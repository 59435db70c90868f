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
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedTokenizerFast

from xtr.errors import Diverged
from xtr.families.family import Example, Family, collate
from xtr.fingerprint import derive_seed
from xtr.model.heads import TaskModel
from xtr.train.batches import Schedule, cut_by_length, epoch_order, rank_share, step_batch
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
    """What the mathematics of a run depends on, besides model and examples."""

    task: str
    seed: int
    learning_rate: float
    epochs: int
    batch_size: int
    warmup_fraction: float
    weight_decay: float


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
    """A model, changed in place, and the encoded training rows it learns from, equal on every rank."""

    model: TaskModel
    family: Family[Any, Any]
    tokenizer: PreTrainedTokenizerFast
    examples: Sequence[Example]


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
    model, examples = learner.model.to(torch.device(world.device)), learner.examples
    optimizer = make_optimizer(model, weight_decay=recipe.weight_decay)
    progress = load_state(pause.folder, model, optimizer) or Progress()
    if pause.after_epoch is not None and len(progress.epochs) >= pause.after_epoch:
        return progress
    runner: nn.Module = DistributedDataParallel(model) if world.size > 1 else model
    schedule = Schedule(len(examples), recipe.batch_size, recipe.epochs)
    started = time.monotonic() - progress.seconds

    for step, batch in _remaining_steps(schedule, recipe, progress.step):
        model.train()
        torch.manual_seed(derive_seed(recipe.seed, recipe.task, "dropout", step, world.rank))
        loss = _step_loss(runner, learner, [examples[i] for i in batch], world)
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


def _remaining_steps(schedule: Schedule, recipe: Recipe, done: int) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield (global step, its examples) from step `done` on."""
    for epoch in range(done // schedule.steps_per_epoch, schedule.epochs):
        order = epoch_order(schedule.n_examples, seed=recipe.seed, task=recipe.task, epoch=epoch)
        first = epoch * schedule.steps_per_epoch
        for step in range(max(done, first), first + schedule.steps_per_epoch):
            yield step, step_batch(order, step - first, recipe.batch_size)


def _step_loss(runner: nn.Module, learner: Learner, batch: Sequence[Example], world: World) -> float:
    """Run one step forward and backward and return the mean loss over the whole step.

    The loss is normalised over the step's items on all ranks, so cutting the step into micro-batches changes
    nothing but the order of summation. A rank without examples runs the first one with weight 0, because every
    rank must take part in the reduction of gradients.
    """
    if learner.family.whole_step:
        return _whole_step_loss(runner, learner, batch, world)
    share = rank_share(batch, rank=world.rank, world_size=world.size)
    weight = 1.0 if share else 0.0
    n_items = max(1, sum(learner.family.n_items(example) for example in batch))
    # DistributedDataParallel averages gradients over ranks; the sum is wanted.
    scale = weight * world.size / n_items
    device = torch.device(world.device)
    total = torch.zeros((), device=device)
    micro_batches = cut_by_length(share or batch[:1], MICRO_BATCH_TOKENS[device.type])
    for i, examples in enumerate(micro_batches):
        last = i + 1 == len(micro_batches)
        with nullcontext() if last or world.size == 1 else runner.no_sync():  # type: ignore[operator]
            outputs = runner(collate(examples, learner.tokenizer, device))
            loss = learner.family.loss(outputs, examples) * scale
            torch.autograd.backward(loss)
        total += loss.detach() / world.size
    if world.size > 1:
        torch.distributed.all_reduce(total)
    return float(total)


def _whole_step_loss(runner: nn.Module, learner: Learner, batch: Sequence[Example], world: World) -> float:
    """Run one step whose loss compares its examples with one another.

    Every rank runs its share, is told the others' outputs as constants and computes the loss of the whole step.
    So its gradient is the part that its share has in that loss, and the sum over ranks is the whole.
    """
    device = torch.device(world.device)
    share = rank_share(batch, rank=world.rank, world_size=world.size)
    outputs = _all_outputs(runner, learner, share or batch[:1], device)
    whole = _gathered(outputs, len(batch), len(batch[0].sequences), world) if world.size > 1 else outputs
    n_items = sum(learner.family.n_items(example) for example in batch)
    loss = learner.family.loss(whole, batch) / n_items
    # DistributedDataParallel averages gradients over ranks; the sum is wanted.
    torch.autograd.backward(world.size * loss + 0 * outputs.sum())
    return float(loss.detach())


def _all_outputs(
    runner: nn.Module, learner: Learner, examples: Sequence[Example], device: torch.device
) -> Tensor:
    """Run all sequences, similar lengths together, and return their outputs in order, one a sequence."""
    sequences = [sequence for example in examples for sequence in example.sequences]
    parts = cut_by_length(
        [Example(i, (sequence,)) for i, sequence in enumerate(sequences)], MICRO_BATCH_TOKENS[device.type]
    )
    outputs = torch.cat([runner(collate(part, learner.tokenizer, device)) for part in parts])
    places = torch.tensor([each.row for part in parts for each in part], device=device)
    return outputs[torch.argsort(places)]


def _gathered(outputs: Tensor, n_examples: int, n_sequences: int, world: World) -> Tensor:
    """Put the outputs of all ranks' shares into the order of the step; gradients reach this rank's alone.

    Args:
        outputs: of this rank's share, `n_sequences` an example.
        n_examples: of the whole step.
    """
    longest_share = -(-n_examples // world.size)
    own = outputs[: longest_share * n_sequences]
    padded = torch.cat([own, own.new_zeros(longest_share * n_sequences - len(own), own.shape[1])])
    shares = [torch.empty_like(padded) for _ in range(world.size)]
    torch.distributed.all_gather(shares, padded.detach())
    shares[world.rank] = padded
    by_example = torch.stack(shares).view(world.size, longest_share, n_sequences, -1).transpose(0, 1)
    return by_example.flatten(0, 1)[:n_examples].flatten(0, 1)


def _close_epoch(progress: Progress, schedule: Schedule, model: TaskModel, score: Scorer | None) -> None:
    """Note a finished epoch's mean loss and select scores."""
    scores = score(model) if score else {}
    loss = progress.open_loss / schedule.steps_per_epoch
    progress.epochs.append(Epoch(epoch=len(progress.epochs) + 1, loss=loss, scores=scores))
    progress.open_loss = 0.0
