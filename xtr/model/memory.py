"""This is where it is found out whether work fits into a device's memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from xtr.errors import InputError, Problem

T = TypeVar("T")


def attempt(work: Callable[[], T]) -> T | None:
    """Do work; None where the device's memory is too small for it, with what it had taken given back."""
    try:
        return work()
    except torch.OutOfMemoryError:
        pass  # only from here on nothing holds the tensors of the calls that were cut short
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def too_long(n_tokens: int, task: str) -> InputError:
    """Say that one example alone is too much; no smaller batch would help."""
    return InputError(
        Problem(
            "one example alone does not fit into the device's memory",
            where=f"max_length of {task}",
            received=f"an example of {n_tokens} tokens",
            allowed="what fits beside weights, gradients and the optimiser's state",
            hint="a smaller max_length or encoder, stages.precision: bf16, or a device with more memory",
        )
    )
