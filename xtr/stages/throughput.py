"""This is where it is remembered what finished stages took: tokens, rows, seconds and the hardware.

    [each.tokens / each.worker_seconds for each in stage_summaries(Path("runs"))]     -> [2150.0, ...]

Each manifest is read once; what it says is kept as a line of `plan/summaries.jsonl` below the storage root.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xtr.errors import CorruptArtefact
from xtr.stages.store import Manifest, StageStore
from xtr.storage import append_lines, read_lines

FILE = "summaries.jsonl"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a finished stage took.

    Attributes:
        parent: key of the stage or encoder it began with.
        task: of a mixture, its members' names.
        parts: of a training stage, the recipes of its parts.
        epochs, tokens: of a training stage; tokens over all epochs, padding left out.
        rows: that an evaluation has scored.
        seconds: on each of the workers.
    """

    key: str
    kind: str
    parent: str
    task: str
    parts: list[dict[str, Any]]
    epochs: int
    tokens: int
    rows: int
    seconds: float
    workers: int
    device: str
    hardware: str

    @property
    def worker_seconds(self) -> float:
        """Seconds of all workers together."""
        return self.seconds * self.workers


def stage_summaries(root: Path) -> Iterable[Summary]:
    """Summarise every finished stage below a storage root."""
    store, file = StageStore(root), root / "plan" / FILE
    finished = store.keys()
    known = {each.key: each for each in map(_read, read_lines(file)) if each is not None}
    new = [_summary(manifest) for key in sorted(finished - known.keys()) if (manifest := _open(store, key))]
    if new:
        with suppress(OSError):  # somebody else's folder can be planned from, too
            append_lines(file, [json.dumps(asdict(each)) for each in new])
    return [*(each for key, each in known.items() if key in finished), *new]


def _open(store: StageStore, key: str) -> Manifest | None:
    try:
        return store.read(key)
    except CorruptArtefact:  # the run that needs it moves it aside
        return None


def _read(line: str) -> Summary | None:
    try:
        return Summary(**json.loads(line))
    except (ValueError, TypeError):  # written by another version, or torn
        return None


def _summary(manifest: Manifest) -> Summary:
    recipe, result, made = (
        dict[str, Any](each) for each in (manifest.recipe, manifest.result, manifest.made)
    )
    parts = recipe.get("parts", [])
    return Summary(
        key=manifest.key,
        kind=str(recipe["kind"]),
        parent=str(recipe.get("parent", "")),
        task=recipe.get("task", "+".join(part["task"] for part in parts)),
        parts=parts,
        epochs=len(result.get("epochs", [])),
        tokens=int(result.get("tokens", 0)),
        rows=int(result.get("n", 0)),
        seconds=float(made.get("seconds", 0.0)),
        workers=int(made.get("workers", 1)),
        device=str(made.get("device", "")),
        hardware=str(made.get("hardware", "")),
    )


def of_start(summaries: Iterable[Summary], start: str) -> list[Summary]:
    """Keep the stages whose path begins with this encoder."""
    all_of_them = list(summaries)
    parents = {each.key: each.parent for each in all_of_them}

    def begins(key: str) -> str:
        while parents.get(key):
            key = parents[key]
        return key

    return [each for each in all_of_them if begins(each.parent) == start]


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
