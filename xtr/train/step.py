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


@dataclass(frozen=True, slots=True)
class Pass:
    """What goes through the encoder at once.

    Attributes:
        weight: what its loss counts: 1, or 0 where this rank only takes part.
        inputs: on the device, or on their way there.
    """

    examples: Sequence[Example]
    weight: float
    inputs: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A step that one rank can run: its examples, and the passes that this rank makes."""

    lesson: Lesson
    batch: Sequence[Example]
    passes: tuple[Pass, ...]


def prepare(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    lesson: Lesson,
    batch: Sequence[Example],
    world: World,
    max_tokens: int | None = None,
) -> Prepared:
    """Cut a step into passes and make their inputs; the device may still compute the step before.

    Args:
        max_tokens: that go through the encoder at once; None takes what is usual for the device.
    """
    device = torch.device(world.device)
    cut = _passes(model, lesson, batch, world, max_tokens or tokens_at_once(model, device))
    return Prepared(
        lesson,
        batch,
        tuple(
            Pass(examples, weight, lesson.family.inputs(examples, tokenizer, device))
            for examples, weight in cut
        ),
    )


def _passes(
    model: nn.Module, lesson: Lesson, batch: Sequence[Example], world: World, max_tokens: int
) -> list[tuple[Sequence[Example], float]]:
    """List this rank's micro-batches of a step, and what each counts.

    Every rank must take part in the reduction of gradients and, where the model is sharded, in each pass of every
    other, since that gathers what all of them hold.
    """
    cuts = []
    for rank in range(world.size) if world.sharded else [world.rank]:
        share = _share(lesson, batch, rank, world)
        cuts.append(cut_step(share, model, max_tokens) if share else [])
    own = cuts[world.rank] if world.sharded else cuts[0]
    idle = max(1, *map(len, cuts)) - len(own)
    return [(each, 1.0) for each in own] + [((own or [batch[:1]])[0], 0.0)] * idle


def _share(lesson: Lesson, batch: Sequence[Example], rank: int, world: World) -> Sequence[Example]:
    """Return what a rank runs of a step; where all is compared with all, sequence by sequence, at least one."""
    if not lesson.family.whole_step:
        return balanced_share(batch, rank=rank, world_size=world.size)
    share = rank_share(batch, rank=rank, world_size=world.size) or batch[:1]
    sequences = [sequence for example in share for sequence in example.sequences]
    return [Example(i, (each,)) for i, each in enumerate(sequences)]


def step_loss(runner: nn.Module, step: Prepared, world: World) -> Tensor:
    """Run one step forward and backward and return the mean loss over the whole step, on the device.

    The loss is normalised over the step's items on all ranks, so cutting the step into micro-batches changes
    nothing but the order of summation.
    """
    family = step.lesson.family
    if family.whole_step:
        return _whole_step_loss(runner, step, world)
    n_items = max(1, sum(family.n_items(example) for example in step.batch))
    # DistributedDataParallel averages gradients over ranks; the sum is wanted.
    scale = world.size / n_items
    total = torch.zeros((), device=world.device)
    for each in step.passes:
        last = each is step.passes[-1]
        with runner.no_sync() if isinstance(runner, DistributedDataParallel) and not last else nullcontext():
            outputs = runner(each.inputs, step.lesson.head)
            loss = family.loss(outputs, each.examples) * (each.weight * scale)
            torch.autograd.backward(loss)
        total += loss.detach() / world.size
    if world.size > 1:
        torch.distributed.all_reduce(total)
    return total


def _whole_step_loss(runner: nn.Module, step: Prepared, world: World) -> Tensor:
    """Run one step whose loss compares its examples with one another.

    Every rank runs its share, is told the others' outputs as constants and computes the loss of the whole step.
    So its gradient is the part that its share has in that loss, and the sum over ranks is the whole.
    """
    batch, family = step.batch, step.lesson.family
    outputs = _all_outputs(runner, step)
    whole = _gathered(outputs, len(batch), len(batch[0].sequences), world) if world.size > 1 else outputs
    n_items = sum(family.n_items(example) for example in batch)
    loss = family.loss(whole, batch) / n_items
    # DistributedDataParallel averages gradients over ranks; the sum is wanted.
    torch.autograd.backward(world.size * loss + 0 * outputs.sum())
    return loss.detach()


def _all_outputs(runner: nn.Module, step: Prepared) -> Tensor:
    """Run all sequences, similar lengths together, and return their outputs in order, one a sequence."""
    made = [runner(each.inputs, step.lesson.head) for each in step.passes]
    counted = [(each, out) for each, out in zip(step.passes, made, strict=True) if each.weight]
    idle = [out.sum() * 0 for each, out in zip(step.passes, made, strict=True) if not each.weight]
    outputs = torch.cat([out for _, out in counted])
    rows = [example.row for each, _ in counted for example in each.examples]
    ordered = outputs[torch.argsort(torch.tensor(rows, device=outputs.device))]
    return ordered + sum(idle) if idle else ordered


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
