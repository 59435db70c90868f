"""This is where one optimiser step runs forward and backward, on one process or as one of many.

    loss = step_loss(model, tokenizer, lesson, batch, World())     -> the mean loss; gradients are there

However a step is cut, into ranks' shares or micro-batches, only the order of summation changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedTokenizerFast

from xtr.families.family import Example, Family
from xtr.model.world import World
from xtr.train.batches import balanced_share, cut_by_length, rank_share


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

    def drawn(
        self, chosen: Sequence[int], tokenizer: PreTrainedTokenizerFast, seed: int
    ) -> Sequence[Example]:
        """Give the examples of a step, with what the family draws anew each time."""
        return self.family.drawn([self.examples[i] for i in chosen], tokenizer, seed)


def agreed(question: Callable[[], bool], world: World) -> bool:
    """Ask on the leading rank and tell all: ranks that disagreed would wait for each other for ever."""
    if world.size == 1:
        return question()
    answer = torch.tensor(float(world.leads and question()), device=world.device)
    torch.distributed.broadcast(answer, src=0)
    return bool(answer)


def check_together(step: int, world: World) -> None:
    """Refuse to go on from states of different steps, as machines may see them while one is still on its way.

    Raises:
        RuntimeError: ranks stand at different steps; the worker group is started again.
    """
    if world.size > 1:
        own = torch.tensor([step], device=world.device)
        all_steps = [torch.empty_like(own) for _ in range(world.size)]
        torch.distributed.all_gather(all_steps, own)
        if len({int(each) for each in all_steps}) > 1:
            raise RuntimeError(
                f"workers found states of different steps: {[int(each) for each in all_steps]}"
            )


MICRO_BATCH_TOKENS = {"cpu": 4096, "cuda": 32768}
"""Tokens that go through the encoder at once: bounds memory."""

PADDED_ON_CPU = 1024
"""Likewise, padding included, where an encoder computes it: sorted and cut small, less of it is there."""


def tokens_at_once(model: nn.Module, device: torch.device) -> int:
    """Tell how many tokens go through the encoder at once, where memory allows it."""
    most = MICRO_BATCH_TOKENS[device.type]
    return min(most, PADDED_ON_CPU) if device.type == "cpu" and not _packs(model) else most


def cut_step(examples: Sequence[Example], model: nn.Module, max_tokens: int) -> list[Sequence[Example]]:
    """Cut what one rank runs of a step into micro-batches; padding counts where the encoder computes it."""
    return cut_by_length(examples, max_tokens, padded=not _packs(model))


def _packs(model: nn.Module) -> bool:
    return bool(getattr(model, "module", model).packs)  # DistributedDataParallel has the model inside


def step_loss(
    runner: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    lesson: Lesson,
    batch: Sequence[Example],
    world: World,
    max_tokens: int | None = None,
) -> float:
    """Run one step forward and backward and return the mean loss over the whole step.

    The loss is normalised over the step's items on all ranks, so cutting the step into micro-batches changes
    nothing but the order of summation.

    Args:
        max_tokens: that go through the encoder at once; None takes what is usual for the device.
    """
    max_tokens = max_tokens or tokens_at_once(runner, torch.device(world.device))
    if lesson.family.whole_step:
        return _whole_step_loss(runner, tokenizer, lesson, batch, world, max_tokens)
    family = lesson.family
    n_items = max(1, sum(family.n_items(example) for example in batch))
    # DistributedDataParallel averages gradients over ranks; the sum is wanted.
    scale = world.size / n_items
    device = torch.device(world.device)
    total = torch.zeros((), device=device)
    passes = _passes(runner, batch, world, max_tokens)
    for i, (examples, weight) in enumerate(passes):
        last = i + 1 == len(passes)
        with runner.no_sync() if isinstance(runner, DistributedDataParallel) and not last else nullcontext():
            outputs = runner(family.inputs(examples, tokenizer, device), lesson.head)
            loss = family.loss(outputs, examples) * weight * scale
            torch.autograd.backward(loss)
        total += loss.detach() / world.size
    if world.size > 1:
        torch.distributed.all_reduce(total)
    return float(total)


def _passes(
    runner: nn.Module, batch: Sequence[Example], world: World, max_tokens: int
) -> list[tuple[Sequence[Example], float]]:
    """List this rank's micro-batches of a step, and what each counts: 1, or 0 where it only takes part.

    Every rank must take part in the reduction of gradients and, where the model is sharded, in each pass of every
    other, since that gathers what all of them hold.
    """
    cuts = []
    for rank in range(world.size) if world.sharded else [world.rank]:
        share = balanced_share(batch, rank=rank, world_size=world.size)
        cuts.append(cut_step(share, runner, max_tokens) if share else [])
    own = [(examples, 1.0) for examples in cuts[world.rank if world.sharded else 0]]
    return own + [(batch[:1], 0.0)] * (max(1, *map(len, cuts)) - len(own))


def _whole_step_loss(
    runner: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    lesson: Lesson,
    batch: Sequence[Example],
    world: World,
    max_tokens: int,
) -> float:
    """Run one step whose loss compares its examples with one another.

    Every rank runs its share, is told the others' outputs as constants and computes the loss of the whole step.
    So its gradient is the part that its share has in that loss, and the sum over ranks is the whole.
    """
    device = torch.device(world.device)
    shares = [rank_share(batch, rank=rank, world_size=world.size) or batch[:1] for rank in range(world.size)]
    parts = [cut_step(_one_by_one(share), runner, max_tokens) for share in shares]
    at_least = max(map(len, parts)) if world.sharded else 0
    outputs = _all_outputs(runner, tokenizer, lesson, parts[world.rank], device, at_least)
    whole = _gathered(outputs, len(batch), len(batch[0].sequences), world) if world.size > 1 else outputs
    n_items = sum(lesson.family.n_items(example) for example in batch)
    loss = lesson.family.loss(whole, batch) / n_items
    # DistributedDataParallel averages gradients over ranks; the sum is wanted.
    torch.autograd.backward(world.size * loss + 0 * outputs.sum())
    return float(loss.detach())


def _all_outputs(
    runner: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    lesson: Lesson,
    parts: Sequence[Sequence[Example]],
    device: torch.device,
    at_least: int,
) -> Tensor:
    """Run parts that hold a sequence an example and return their outputs in order, one a sequence.

    Args:
        at_least: passes that are made, the last of them for nothing but to take part.
    """

    def run(part: Sequence[Example]) -> Tensor:
        made: Tensor = runner(lesson.family.inputs(part, tokenizer, device), lesson.head)
        return made

    outputs = torch.cat([run(part) for part in parts])
    for _ in range(at_least - len(parts)):
        outputs = outputs + 0 * run(parts[0]).sum()
    places = torch.tensor([each.row for part in parts for each in part], device=device)
    return outputs[torch.argsort(places)]


def _one_by_one(examples: Sequence[Example]) -> list[Example]:
    """Make an example of each sequence, numbered in their order."""
    sequences = [sequence for example in examples for sequence in example.sequences]
    return [Example(i, (each,)) for i, each in enumerate(sequences)]


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
