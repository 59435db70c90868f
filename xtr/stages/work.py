"""This is what every stage's work needs: store, source, the encoder to start from, the rows that are scored.

Training is in `training`, evaluation in `evaluating`. Nothing in the three waits or decides; `run` does.
"""

from __future__ import annotations

import ctypes
import gc
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from xtr.catalogue.task import Task
from xtr.data.hublock import HubLock
from xtr.data.hubsource import resolve_on_hub
from xtr.data.open import open_source
from xtr.data.rows import Row
from xtr.data.source import Source
from xtr.data.subsets import nested_subset
from xtr.families.registry import family_of
from xtr.spec.expressions import parse_intermediate
from xtr.spec.sweep import DataSpec, SweepSpec
from xtr.stages.path import DEMO_MODELS
from xtr.stages.stage import Pretrained, PretrainStage, TrainStage
from xtr.stages.store import StageStore
from xtr.storage.workplace import Workplace

ENCODER, HEADS = "encoder", "heads"


def capped(rows: Sequence[Row], max_rows: int | None, task: Task) -> Sequence[Row]:
    """Take at most `max_rows` rows, the same ones for every model and seed, in file order."""
    if max_rows is None or len(rows) <= max_rows:
        return rows
    return family_of(task).cap(rows, kept(len(rows), max_rows, task))


def kept(n_rows: int, max_rows: int | None, task: Task) -> Sequence[int]:
    """Choose at most `max_rows` of the rows that are scored."""
    if max_rows is None or n_rows <= max_rows:
        return range(n_rows)
    return sorted(nested_subset(n_rows, max_rows, seed=0, task=f"{task.name} evaluation"))


def store_of(spec: SweepSpec) -> StageStore:
    """Open the sweep's stage store."""
    return StageStore(spec.storage.workplace())


def lock_model(spec: SweepSpec) -> None:
    """Lock revisions of encoders that come from the hub where the sweep names none.

    Raises:
        InputError: it is not locked yet and the hub cannot say.
    """
    lock = HubLock(spec.storage.workplace().store, resolve_on_hub)
    checkpoints = [parse_intermediate(text).checkpoint for text in spec.pairs.intermediate]
    named = [(each.name, each.revision) for each in checkpoints if each is not None]
    for name, revision in ((spec.model.name, spec.model.revision), *named):
        local = name in DEMO_MODELS or name.startswith((".", "/", "~")) or Path(name).is_dir()
        if revision is None and not local:
            lock.revision("models", name)


def source_of(spec: SweepSpec) -> Source:
    """Open the sweep's data source; one a process, so that rows are read once."""
    return _open_source(spec.data.model_dump_json(), spec.storage.workplace())


@lru_cache(maxsize=4)
def _open_source(data: str, place: Workplace) -> Source:
    return open_source(DataSpec.model_validate(json.loads(data)), place)


def encoder_of(store: StageStore, parent: Pretrained | PretrainStage | TrainStage) -> tuple[str, str | None]:
    """Name and revision for `from_pretrained`."""
    if isinstance(parent, Pretrained):
        return parent.name, parent.revision
    return str(store.checked(parent.key) / ENCODER), None


def give_memory_back() -> None:
    """Return freed memory to the system after a stage, where the C library can.

    glibc keeps freed tensors of ever new shapes in its heap: without this, a trial's warm process grew past 6 GB
    in a sweep with a six-layer encoder; with it, it stays at 0.4 GB.
    """
    gc.collect()
    _leave_alone_what_stays()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _leave_alone_what_stays() -> None:
    """Have later collections pass over what is there after the first stage, imported modules above all.

    With torch and transformers they took 0.27 s of each stage, more than a small one trains.
    """
    gc.freeze()
