"""This is where the order of training is decided: which examples make up which optimiser step.

The order is global. Step t of an epoch owns examples [t * B, (t + 1) * B) of one seeded permutation; the ranks
of a data-parallel run share those out, so the number of workers changes only the order of summation.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from xtr.families.family import Example
from xtr.fingerprint import derive_seed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many steps a run has: `n_examples` of training data, `batch_size` of them a step."""

    n_examples: int
    batch_size: int
    epochs: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one pass; the last may be smaller."""
        return -(-self.n_examples // self.batch_size)

    @property
    def n_steps(self) -> int:
        """Optimiser steps in all."""
        return self.steps_per_epoch * self.epochs


def epoch_order(n_examples: int, *, seed: int, task: str, epoch: int) -> list[int]:
    """Draw the order of one epoch from (training seed, training task, epoch), and from nothing else."""
    order = list(range(n_examples))
    random.Random(derive_seed(seed, task, "order", epoch)).shuffle(order)
    return order


def step_batch(order: Sequence[int], step: int, batch_size: int) -> Sequence[int]:
    """Return the examples of a step within its epoch."""
    return order[step * batch_size : (step + 1) * batch_size]


def rank_share(batch: Sequence[T], *, rank: int, world_size: int) -> Sequence[T]:
    """Return one rank's part of a step; empty where the step has fewer examples than ranks."""
    return batch[rank::world_size]


def cut_by_length(examples: Sequence[Example], max_tokens: int) -> list[Sequence[Example]]:
    """Cut a step into micro-batches of at most `max_tokens` tokens, padding included, similar lengths together.

    A step that fits stays as it is. No example is ever split, so one that is longer stands alone.
    """
    if _padded(examples) <= max_tokens:
        return [examples]
    micro_batches: list[Sequence[Example]] = []
    current: list[Example] = []
    for example in sorted(examples, key=lambda each: each.length):
        if current and _padded([*current, example]) > max_tokens:
            micro_batches.append(current)
            current = []
        current.append(example)
    return [*micro_batches, current]


def _padded(examples: Sequence[Example]) -> int:
    longest = max(example.length for example in examples)
    return longest * sum(len(example.sequences) for example in examples)
