"""This is where it is read off this machine what it computes on, without asking torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def hardware_here(device: str) -> str:
    """Name this machine's GPU or processor as manifests do; empty where there is none, or none is known."""
    if device == "cuda":
        files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        field, sources = "Model", files[:1]
    else:
        field, sources = "model name", [Path("/proc/cpuinfo")]
    for source in sources:
        with suppress(OSError):
            named = [line.partition(":") for line in source.read_text().splitlines()]
            return next((value.strip() for name, _, value in named if name.strip() == field), "")
    return ""
