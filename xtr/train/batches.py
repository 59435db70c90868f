"""This is where the order of training is decided: which examples make up which optimiser step.

The order is global. Step t of an epoch owns examples [t * B, (t + 1) * B) of one seeded permutation; the ranks
of a data-parallel run share those out, so the number of workers changes only the order of summation.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeVar

from xtr.fingerprint import derive_seed

if TYPE_CHECKING:  # a plan counts steps without torch
    from xtr.families.family import Example

T = TypeVar("T")
Sampling = Literal["proportional", "capped", "temperature"]


@dataclass(frozen=True, slots=True)
class Member:
    """A task in a run: the name that its random streams derive from, and how many examples it has.

    Attributes:
        share: of all steps, where that is asked for (masked language modelling); None shares by size.
    """

    name: str
    n_examples: int
    share: float | None = None


Batch = tuple[int, Sequence[int]]
"""A step: which member, and which of its examples."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps of a run: a pass over one task, or over a mixture whose members share the steps.

    Attributes:
        sampling: `proportional` passes over every example once an epoch; `capped` and `temperature` have as many
            steps an epoch, share them by size, capped and flattened, and draw each member's examples in passes of
            its own. T5's mixing (Raffel et al. 2020, 3.5.2) is `temperature` with its cap.
        seed: the training seed.
        nested: the first pass takes the examples as they stand, so that it begins like that of a larger run whose
            examples begin with these.
    """

    members: tuple[Member, ...]
    batch_size: int
    epochs: int
    seed: int
    sampling: Sampling = "proportional"
    cap: int = 0
    temperature: float = 1.0
    nested: bool = False

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one pass; the last of a task may be smaller."""
        return sum(self.quotas)

    @property
    def n_steps(self) -> int:
        """Optimiser steps in all."""
        return self.steps_per_epoch * self.epochs

    @property
    def quotas(self) -> tuple[int, ...]:
        """Steps an epoch of each member, at least one."""
        own = [-(-member.n_examples // self.batch_size) for member in self.members]
        sized = [i for i, member in enumerate(self.members) if member.share is None]
        n_sized = sum(own[i] for i in sized)
        if self.sampling != "proportional":
            rates = [self._rate(self.members[i].n_examples) for i in sized]
            for i, quota in zip(sized, _apportion(n_sized, rates), strict=True):
                own[i] = quota
        shares = sum(member.share or 0.0 for member in self.members)
        for i, member in enumerate(self.members):
            if member.share is not None and sized:
                own[i] = max(1, round(n_sized * member.share / (1 - shares)))
        return tuple(own)

    def epoch(self, epoch: int) -> list[Batch]:
        """List the steps of an epoch, counted from 0; of a mixture, in a seeded order of their own."""
        batches = [
            (i, self._batch(member, epoch * quota + k))
            for i, (member, quota) in enumerate(zip(self.members, self.quotas, strict=True))
            for k in range(quota)
        ]
        if len(self.members) > 1:
            names = "+".join(member.name for member in self.members)
            random.Random(derive_seed(self.seed, names, "mixture", epoch)).shuffle(batches)
        return batches

    def _rate(self, n_examples: int) -> float:
        capped = min(n_examples, self.cap)
        return float(capped) if self.sampling == "capped" else capped ** (1 / self.temperature)

    def _batch(self, member: Member, k: int) -> Sequence[int]:
        """The k-th step's examples in the member's passes, one permutation after the other."""
        steps_a_pass = -(-member.n_examples // self.batch_size)
        number, step = divmod(k, steps_a_pass)
        order: Sequence[int] = range(member.n_examples)
        if number or not self.nested:
            order = _pass_order(member.n_examples, self.seed, member.name, number)
        return step_batch(order, step, self.batch_size)


@lru_cache(maxsize=16)
def _pass_order(n_examples: int, seed: int, task: str, epoch: int) -> list[int]:
    return epoch_order(n_examples, seed=seed, task=task, epoch=epoch)


def _apportion(n: int, rates: Sequence[float]) -> list[int]:
    """Share n steps out by rates, largest remainders first, at least one each."""
    exact = [n * rate / sum(rates) for rate in rates]
    quotas = [int(each) for each in exact]
    by_remainder = sorted(range(len(rates)), key=lambda i: (quotas[i] - exact[i], i))
    for i in by_remainder[: n - sum(quotas)]:
        quotas[i] += 1
    return [max(1, quota) for quota in quotas]


def epoch_order(n_examples: int, *, seed: int, task: str, epoch: int) -> list[int]:
    """Draw the order of one pass from (training seed, training task, pass), and from nothing else."""
    order = list(range(n_examples))
    random.Random(derive_seed(seed, task, "order", epoch)).shuffle(order)
    return order


def step_batch(order: Sequence[int], step: int, batch_size: int) -> Sequence[int]:
    """Return the examples of a step within its pass."""
    return order[step * batch_size : (step + 1) * batch_size]


def rank_share(batch: Sequence[T], *, rank: int, world_size: int) -> Sequence[T]:
    """Return one rank's part of a step; empty where the step has fewer examples than ranks."""
    return batch[rank::world_size]


def balanced_share(batch: Sequence[Example], *, rank: int, world_size: int) -> Sequence[Example]:
    """Return one rank's part of a step, chosen so that all ranks have about equally many tokens.

    The longest first, each to the rank that has the fewest so far: shares differ by one example's tokens at most.
    Empty where the step has fewer examples than ranks.
    """
    if world_size == 1:
        return batch
    shares: list[list[Example]] = [[] for _ in range(world_size)]
    tokens = [0] * world_size
    for example in sorted(batch, key=lambda each: -each.n_tokens):
        least = tokens.index(min(tokens))
        shares[least].append(example)
        tokens[least] += example.n_tokens
    return shares[rank]


def cut_by_length(
    examples: Sequence[Example], max_tokens: int, *, padded: bool = True
) -> list[Sequence[Example]]:
    """Cut a step into micro-batches of at most `max_tokens` tokens, similar lengths together.

    A step that fits stays as it is. No example is ever split, so one that is longer stands alone.

    Args:
        padded: padding counts too.
    """
    size = _padded if padded else _unpadded
    if size(examples) <= max_tokens:
        return [examples]
    micro_batches: list[Sequence[Example]] = []
    current: list[Example] = []
    for example in sorted(examples, key=lambda each: each.length):
        if current and size([*current, example]) > max_tokens:
            micro_batches.append(current)
            current = []
        current.append(example)
    return [*micro_batches, current]


def _padded(examples: Sequence[Example]) -> int:
    longest = max(example.length for example in examples)
    return longest * sum(len(example.sequences) for example in examples)


def _unpadded(examples: Sequence[Example]) -> int:
    return sum(example.n_tokens for example in examples)
