"""This is where it is read how far a run has come, without the library that computes it.

A state is a folder `step-0000123` holding `weights.safetensors`, `moments.safetensors` and, written last,
`progress.json` with the hashes of both and the digest of itself.
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
        worker_seconds: of all workers together, whose number may have changed on the way.
        workers: how many there were last.
        hardware, precision: what the leading one computed on last, and in.
        sharded, compiled: whether each worker held a part of the weights, and whether blocks were compiled, last.
    """

    step: int = 0
    tokens: int = 0
    open_loss: float = 0.0
    epochs: list[Epoch] = field(default_factory=list)
    seconds: float = 0.0
    worker_seconds: float = 0.0
    workers: int = 1
    hardware: str = ""
    precision: str = "fp32"
    sharded: bool = False
    compiled: bool = False

    def spend(self, seconds: float, workers: int) -> None:
        """Note that the run has now taken so many seconds, the last of them with so many workers."""
        self.worker_seconds += (seconds - self.seconds) * workers
        self.seconds, self.workers = seconds, workers


def read_progress(folder: Path) -> Progress | None:
    """Read the progress of the newest whole state, or None."""
    newest = newest_state(folder)
    return None if newest is None else newest[1]


def newest_state(folder: Path) -> tuple[Path, Progress] | None:
    """Find the newest whole state and read its progress; None where there is none."""
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


def adopt_state(source: Path, folder: Path, *, seconds: float = 0.0, worker_seconds: float = 0.0) -> Progress:
    """Let a run begin where another has come to: put its newest state into a folder that has none.

    Args:
        seconds: what the copy says it took; `worker_seconds` likewise, of all workers together.

    Raises:
        FileNotFoundError: there is no whole state, or it is being taken away.
    """
    newest = newest_state(source)
    if newest is None:
        raise FileNotFoundError(f"no state lies in {source}")
    path, progress = newest
    document: dict[str, Any] = read_checked_json((path / PROGRESS).read_bytes())
    progress.seconds, progress.worker_seconds = seconds, worker_seconds
    progress.workers, progress.hardware = 1, ""
    document["progress"] = asdict(progress)
    partial = folder / f".partial-{uuid.uuid4().hex}"
    partial.mkdir(parents=True)
    for name in (WEIGHTS, MOMENTS):
        _link(path / name, partial / name)
    (partial / PROGRESS).write_text(checked_json(document), encoding="utf-8")
    shutil.rmtree(folder / path.name, ignore_errors=True)
    partial.rename(folder / path.name)
    return progress


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no such thing; states never change."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
