"""This is where a run in progress is kept and restored: weights, optimiser moments, position and scores so far.

`progress` says how a state lies on disk. Random streams need no state: each derives from seed, task and step.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xtr.faults import fault
from xtr.fingerprint import checked_json, file_digest
from xtr.train.progress import MOMENTS, PROGRESS, WEIGHTS, Progress, newest_state


def save_state(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW, progress: Progress) -> None:
    """Write a state atomically and drop the others, also one that is ahead but could not be read."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".partial-{uuid.uuid4().hex}"
    partial.mkdir()
    fault("state.folder_made")
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, partial / WEIGHTS)
    save_file(_moments(optimizer), partial / MOMENTS)
    fault("state.weights_written")
    hashes = {name: file_digest(partial / name) for name in (WEIGHTS, MOMENTS)}
    text = checked_json({"sha256": {**hashes}, "progress": asdict(progress)})
    (partial / PROGRESS).write_text(text, encoding="utf-8")
    final = folder / f"step-{progress.step:07d}"
    fault("state.before_rename")
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    fault("state.before_others_go")
    for other in folder.glob("step-*"):
        if other != final:
            shutil.rmtree(other, ignore_errors=True)


def load_state(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW) -> Progress | None:
    """Put the newest whole state into model and optimiser; None, and nothing changed, where none fits."""
    newest = newest_state(folder)
    if newest is None:
        return None
    path, progress = newest
    weights = load_file(path / WEIGHTS)
    if not _fits(weights, model):
        return None
    model.load_state_dict(weights)
    _restore_moments(optimizer, load_file(path / MOMENTS))
    return progress


def _fits(weights: dict[str, Tensor], model: nn.Module) -> bool:
    """Say whether a state is of such a model: names, shapes, and constants such as which rows a table holds."""
    own = model.state_dict()
    if {name: each.shape for name, each in own.items()} != {
        name: each.shape for name, each in weights.items()
    }:
        return False
    constants = [name for name, _ in model.named_buffers() if name in own]
    return all(torch.equal(weights[name], own[name].cpu()) for name in constants)


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
