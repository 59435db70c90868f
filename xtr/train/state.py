"""This is where a run in progress is kept: weights, optimiser moments, position and scores so far.

A state is a folder `step-0000123` holding `weights.safetensors`, `moments.safetensors` and, written last,
`progress.json` with the hashes of both and the digest of itself. Random streams need no state: each derives from
seed, task and step.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xtr.fingerprint import checked_json, file_digest, read_checked_json

WEIGHTS, MOMENTS, PROGRESS = "weights.safetensors", "moments.safetensors", "progress.json"


@dataclass(slots=True)
class Epoch:
    """What one finished epoch came to: its number from 1, the mean loss and the select scores."""

    epoch: int
    loss: float
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """How far a run has come.

    Attributes:
        step: optimiser steps done.
        tokens: trained on so far, padding left out.
        open_loss: summed over the steps of the open epoch.
        seconds: of the leading worker.
        hardware: what it computed on last.
    """

    step: int = 0
    tokens: int = 0
    open_loss: float = 0.0
    epochs: list[Epoch] = field(default_factory=list)
    seconds: float = 0.0
    hardware: str = ""


def save_state(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW, progress: Progress) -> None:
    """Write a state atomically and drop the others, also one that is ahead but could not be read."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".partial-{uuid.uuid4().hex}"
    partial.mkdir()
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, partial / WEIGHTS)
    save_file(_moments(optimizer), partial / MOMENTS)
    hashes = {name: file_digest(partial / name) for name in (WEIGHTS, MOMENTS)}
    text = checked_json({"sha256": {**hashes}, "progress": asdict(progress)})
    (partial / PROGRESS).write_text(text, encoding="utf-8")
    final = folder / f"step-{progress.step:07d}"
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    for other in folder.glob("step-*"):
        if other != final:
            shutil.rmtree(other, ignore_errors=True)


def read_progress(folder: Path) -> Progress | None:
    """Read the progress of the newest whole state, or None."""
    newest = _newest(folder)
    return None if newest is None else newest[1]


def load_state(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW) -> Progress | None:
    """Put the newest whole state into model and optimiser; None, and nothing changed, where there is none."""
    newest = _newest(folder)
    if newest is None:
        return None
    path, progress = newest
    model.load_state_dict(load_file(path / WEIGHTS))
    _restore_moments(optimizer, load_file(path / MOMENTS))
    return progress


def _newest(folder: Path) -> tuple[Path, Progress] | None:
    for path in sorted(folder.glob("step-*"), reverse=True):
        try:
            document: dict[str, Any] = read_checked_json((path / PROGRESS).read_bytes())
            whole = all(file_digest(path / name) == sha for name, sha in document["sha256"].items())
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if whole:
            values = document["progress"]
            values["epochs"] = [Epoch(**epoch) for epoch in values["epochs"]]
            return path, Progress(**values)
    return None


def _moments(optimizer: torch.optim.AdamW) -> dict[str, Tensor]:
    """Name each parameter's moments and steps by its place in the optimiser; heads of a mixture step apart."""
    return {
        f"{i}.{name}": state[name]
        for i, state in optimizer.state_dict()["state"].items()
        for name in ("exp_avg", "exp_avg_sq", "step")
    }


def _restore_moments(optimizer: torch.optim.AdamW, moments: dict[str, Tensor]) -> None:
    document = optimizer.state_dict()
    places = {int(name.split(".")[0]) for name in moments}
    document["state"] = {
        i: {
            "step": moments[f"{i}.step"],
            "exp_avg": moments[f"{i}.exp_avg"],
            "exp_avg_sq": moments[f"{i}.exp_avg_sq"],
        }
        for i in places
    }
    optimizer.load_state_dict(document)
