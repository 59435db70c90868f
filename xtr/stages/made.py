"""This is where it is told how a stage was made: hardware, libraries, time. No part of its key.

The process that asks has computed something, so torch is there.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType

import torch
import transformers

from xtr.fingerprint import JSON
from xtr.stages.hardware import hardware_here


@lru_cache(maxsize=4)
def hardware(device: str) -> str:
    """Name what computes: the GPU, or the processor's model."""
    if torch.device(device).type == "cuda":
        return str(torch.cuda.get_device_name(device)) if torch.cuda.is_available() else "cuda"
    return hardware_here("cpu") or platform.processor() or platform.machine()


def made(
    device: str,
    seconds: float,
    workers: int = 1,
    *,
    worker_seconds: float | None = None,
    computed_on: str = "",
    how: Mapping[str, JSON] = MappingProxyType({"precision": "fp32"}),
) -> dict[str, JSON]:
    """Say how a stage was made: what may differ between runs of one recipe.

    Args:
        worker_seconds: of all workers together, where their number has changed.
        computed_on: hardware of the workers, where this process is none of them.
        how: it was computed, whatever was asked for: the precision and, of a training, whether workers held a part
            of the weights each, and whether blocks were compiled.
    """
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "device": device,
        "hardware": computed_on or hardware(device),
        **how,
        "workers": workers,
        "threads": torch.get_num_threads(),
        "seconds": round(seconds, 3),
        "worker_seconds": round(seconds * workers if worker_seconds is None else worker_seconds, 3),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }
