"""This is where an encoder's blocks are compiled, where a run is long enough for that to pay.

    compiles("auto", n_steps=24_000, device="cuda:0")     -> True, and the log says why
    compile_blocks(model.encoder)                         -> each block runs what torch.compile made of it

Blocks alone are compiled: they are alike, so one compilation serves all of them, and what gathers shards or puts
adapters in stays outside. Lengths are left open, since every step has others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from xtr.model.encoder import blocks_of

if TYPE_CHECKING:  # who has a GPU and torch alone has no library for sweep files
    from xtr.spec.sweep import Compiling

LOG = logging.getLogger(__name__)

PAYS_FROM_STEPS = 10_000
"""Compiling takes half a minute to a minute and a half, and spares about a tenth of a step (Warner et al. 2024,
arXiv 2412.13663, of ModernBERT). At 60 ms a step, as large encoders take on a GPU, that is even after 10,000.
"""


VARIANTS = 32
"""Versions of a block's code: training and scoring, packed and padded, lengths that kernels tell apart."""


def compiles(asked: Compiling, *, n_steps: int, device: str) -> bool:
    """Say whether the blocks are compiled in a run of so many optimiser steps, and log why."""
    used, reason = choose(asked, n_steps, torch.device(device).type)
    LOG.info("%s: %s", "compiled" if used else "not compiled", reason)
    return used


def choose(asked: Compiling, n_steps: int, kind: str) -> tuple[bool, str]:
    """Say whether it is done, and why."""
    if asked == "never":
        return False, "it was asked for"
    if kind != "cuda":
        return False, f"only for GPUs, and this is a {kind}"
    return n_steps >= PAYS_FROM_STEPS, f"{n_steps} steps, and it pays from {PAYS_FROM_STEPS} on"


def compile_blocks(encoder: nn.Module, backend: str | Callable[..., Any] = "inductor") -> None:
    """Have each block run compiled code, in place; weights and their names stay as they are.

    What the backend cannot compile runs as it is written: a compiler that is missing ends no training.
    """
    torch._dynamo.config.suppress_errors = True
    torch._dynamo.config.recompile_limit = VARIANTS
    for block in blocks_of(encoder):
        block.forward = torch.compile(block.forward, backend=backend, dynamic=True)
