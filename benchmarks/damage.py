"""Damage: random bit flips and truncations over stages and states; every one must be refused.

    python benchmarks/damage.py [N] [SEED]

A stage with weights, heads, scores and predictions and a state of a paused run are made small, copied, damaged in
one place, and opened as a trial would open them.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.stages.stage import EvaluateStage, Pretrained
from xtr.stages.store import StageStore
from xtr.train.progress import Epoch, Progress, read_progress
from xtr.train.state import save_state

STAGE = EvaluateStage(Pretrained("m", None, "m"), "tydiqa", "test", "en", "rows", 96, None, 16)


@dataclass(frozen=True)
class Sample:
    """A store with one finished stage, and the states of one paused run."""

    root: Path

    def files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def accepted(self, path: Path) -> bool:
        """Say whether what a damaged file belongs to is still taken for whole."""
        store = StageStore(self.root)
        if path.is_relative_to(self.root / "progress"):
            return read_progress(store.progress_folder("run")) is not None
        return store.open(STAGE.key) is not None


def make(root: Path) -> Sample:
    torch.manual_seed(0)
    store = StageStore(root)
    with store.workspace(STAGE.key) as folder:
        for name in ("encoder/model", "heads/span"):
            (folder / name).parent.mkdir()
            save_file({"weight": torch.randn(8, 8)}, folder / f"{name}.safetensors")
        (folder / "encoder" / "config.json").write_text('{"model_type": "xlm-roberta", "hidden_size": 8}')
        (folder / "predictions.json").write_text('{"q1": "um 1900", "q2": "in Köln"}')
        (folder / "items.jsonl").write_text('{"f1":1.0,"id":"q1"}\n{"f1":0.5,"id":"q2"}\n')
        scores = {"f1": 0.7512345, "exact_match": 5e-05}
        store.publish(STAGE, folder, {"scores": {**scores}, "n": 2}, {"device": "cpu", "seconds": 1.25})
    model = torch.nn.Linear(8, 8)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 8)).sum().backward()
    optimizer.step()
    epochs = [Epoch(1, 2.5e-05, {"f1": 0.4})]
    save_state(store.progress_folder("run"), model, optimizer, Progress(12, 345, 1.5, epochs, 2.0, "a CPU"))
    return Sample(root)


def strike(path: Path, draw: random.Random) -> str:
    """Flip one bit of a file, or cut it short; say which."""
    content = bytearray(path.read_bytes())
    at = draw.randrange(len(content))
    if draw.random() < 0.75:
        bit = draw.randrange(8)
        content[at] ^= 1 << bit
        path.write_bytes(content)
        return f"bit {bit} of byte {at} of {path.name}"
    path.write_bytes(content[:at])
    return f"{path.name} cut at byte {at}"


def accepted(n: int, seed: int, scratch: Path) -> list[str]:
    """Damage a sample n times, once each; list what was taken for whole all the same."""
    draw = random.Random(seed)
    whole = make(scratch / "whole")
    missed = []
    for _ in range(n):
        copy = Sample(scratch / "copy")
        shutil.copytree(whole.root, copy.root)
        path = draw.choice(copy.files())
        assert copy.accepted(path), "the sample itself must be taken for whole"
        done = strike(path, draw)
        if copy.accepted(path):
            missed.append(done)
        shutil.rmtree(copy.root)
    return missed


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    n, seed = given + [1000, 1][len(given) :]
    with tempfile.TemporaryDirectory() as scratch:
        missed = accepted(n, seed, Path(scratch))
    for each in missed:
        print(each)
    name = f"accepted of {n} bit flips and truncations"
    keep(
        "damage", f"python benchmarks/damage.py {n} {seed}", [Figure(name, len(missed), "", "0", not missed)]
    )
