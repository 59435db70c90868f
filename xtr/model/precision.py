"""This is where it is settled what a model computes in: bfloat16, or float32 throughout.

    model.precision = settled("auto", "cuda:0")     -> "bf16" where the GPU has it
    model.precision = settled("auto", "cpu")        -> "fp32"

Under `bf16` torch's autocast runs matrix products and attention in bfloat16; norms keep their sums in float32.
Weights, gradients and the optimiser's state are float32 whatever is asked, and so are the outputs, so that the
loss is computed in it. bfloat16 has float32's range, so losses need no scaling.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:  # a machine with torch and transformers alone can run a model
    from xtr.spec.settings import Precision

M = TypeVar("M")
Used = Literal["fp32", "bf16"]
LOG = logging.getLogger(__name__)


@lru_cache
def settled(asked: Precision, device: str) -> Used:
    """Say what a device computes in, and log why, once for each question."""
    used, reason = _chosen(asked, torch.device(device).type)
    LOG.info("%s: %s", used, reason)
    return used


def _chosen(asked: Precision, kind: str) -> tuple[Used, str]:
    if asked != "auto":
        return asked, "it was asked for"
    if kind != "cuda":
        return "fp32", f"auto is bf16 on GPUs alone, and this is a {kind}"
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        return "fp32", "auto is bf16 where the GPU has it, and this one has not"
    return "bf16", "auto, and this GPU has it"


def device_here() -> tuple[str, Used, str]:
    """Name what torch computes on here, what `auto` means there, and why."""
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if kind == "cuda" else kind
    return (name, *_chosen("auto", kind))


def in_its_precision(
    forward: Callable[[M, dict[str, Tensor], int], Tensor],
) -> Callable[[M, dict[str, Tensor], int], Tensor]:
    """Let a model's forward pass compute in what its `precision` says, and return float32."""

    @wraps(forward)
    def run(model: Any, inputs: dict[str, Tensor], head: int = 0) -> Tensor:
        if model.precision == "fp32":
            return forward(model, inputs, head)
        with torch.autocast(inputs["input_ids"].device.type, torch.bfloat16):
            outputs = forward(model, inputs, head)
        return outputs.float()

    return run
