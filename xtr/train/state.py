"""This is where a run in progress is kept and restored: weights, optimiser moments, position and scores so far.

`progress` says how a state lies on disk. Random streams need no state: each derives from seed, task and step.
A state is copied in memory and written on a thread, while the steps go on; that takes as much memory again as
weights and moments do, on the machine and not on the GPU. The leading rank writes; where the model is sharded all
take part in the copy, one tensor at a time, and a state is the same as if it were not.
"""

from __future__ import annotations

import copy
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xtr.faults import fault
from xtr.fingerprint import checked_json, file_digest
from xtr.train.progress import MOMENTS, PROGRESS, WEIGHTS, Progress, newest_state
from xtr.train.sharding import gathered, parted


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state in this machine's memory, which the steps that follow leave as it is."""

    weights: dict[str, Tensor]
    moments: dict[str, Tensor]
    progress: Progress

    @classmethod
    def of(
        cls, model: nn.Module, optimizer: torch.optim.AdamW, progress: Progress, *, leads: bool = True
    ) -> Snapshot:
        """Copy what a run goes on from; empty on a rank that only takes part in the gathering."""
        weights, moments = (_copied(each, keep=leads) for each in (_kept(model), _moments(optimizer)))
        return cls(weights, moments, copy.deepcopy(progress))


class StateWriter:
    """Writes states of a run beside its steps, one at a time; a block's end waits for the last one.

    Args:
        saved: told each time that a state is there, on the writing thread.
        leads: this is the rank that writes.
    """

    def __init__(self, folder: Path, saved: Callable[[], None], *, leads: bool = True) -> None:
        self.folder = folder
        self.saved = saved
        self.leads = leads
        self._writing: Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> StateWriter:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.wait()
        elif self._writing is not None:  # what ends the block is told, and what was begun is finished
            self._writing.join()

    def keep(self, model: nn.Module, optimizer: torch.optim.AdamW, progress: Progress) -> None:
        """Copy the state and let it be written, once the one before it has been; every rank takes part.

        Raises:
            OSError: the one before could not be written.
        """
        self.wait()
        snapshot = Snapshot.of(model, optimizer, progress, leads=self.leads)
        if not self.leads:
            return
        self._writing = Thread(target=self._write, args=(snapshot,), name="write state", daemon=True)
        self._writing.start()

    def wait(self) -> None:
        """Wait for the state that is being written.

        Raises:
            OSError: it could not be.
        """
        if self._writing is not None:
            self._writing.join()
        error, self._writing, self._error = self._error, None, None
        if error is not None:
            raise error

    def _write(self, snapshot: Snapshot) -> None:
        try:
            write_state(self.folder, snapshot)
            self.saved()
        except BaseException as error:
            self._error = error


def save_state(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW, progress: Progress) -> None:
    """Write a state and wait for it."""
    write_state(folder, Snapshot.of(model, optimizer, progress))


def write_state(folder: Path, snapshot: Snapshot) -> None:
    """Write a state atomically and drop the others, also one that is ahead but could not be read."""
    progress = snapshot.progress
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".partial-{uuid.uuid4().hex}"
    partial.mkdir()
    fault("state.folder_made")
    save_file(snapshot.weights, partial / WEIGHTS)
    save_file(snapshot.moments, partial / MOMENTS)
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
    own = _kept(model)
    model.load_state_dict({name: parted(each, own[name]) for name, each in weights.items()}, strict=False)
    _restore_moments(optimizer, load_file(path / MOMENTS))
    return progress


def _kept(model: nn.Module) -> dict[str, Tensor]:
    """Name what training changes, and constants such as which rows a table holds; not what is frozen."""
    frozen = {name for name, weights in model.named_parameters() if not weights.requires_grad}
    return {name: each for name, each in model.state_dict().items() if name not in frozen}


def _fits(weights: dict[str, Tensor], model: nn.Module) -> bool:
    """Say whether a state is of such a model: names, shapes, and constants."""
    own = _kept(model)
    if {name: each.shape for name, each in own.items()} != {
        name: each.shape for name, each in weights.items()
    }:
        return False
    constants = [name for name, _ in model.named_buffers() if name in own]
    return all(torch.equal(weights[name], own[name].cpu()) for name in constants)


def _copied(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Copy tensors to the machine's memory, each as soon as it has been gathered."""
    copies = {}
    for name, tensor in tensors.items():
        whole = gathered(tensor.detach())
        if keep:
            copies[name] = whole.to("cpu", copy=True).contiguous()
    return copies


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
    weights = [each for group in optimizer.param_groups for each in group["params"]]
    document["state"] = {
        i: {
            "step": moments[f"{i}.step"],
            "exp_avg": parted(moments[f"{i}.exp_avg"], weights[i]),
            "exp_avg_sq": parted(moments[f"{i}.exp_avg_sq"], weights[i]),
        }
        for i in places
    }
    optimizer.load_state_dict(document)
