"""This is where a store is looked after: what is broken, what nobody needs, and how the latter is removed.

What may go: finished stages that nobody refers to, states that no unfinished trial goes on from, workspaces and
leases of dead processes, and what was set aside long ago. A stage whose lease is alive is left alone.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xtr.analysis.references import References, kept_stages
from xtr.errors import CorruptArtefact
from xtr.fingerprint import file_digest
from xtr.stages.index import Index
from xtr.stages.lease import HEARTBEAT_S, Watch
from xtr.stages.store import StageStore

LeftoverKind = Literal["stage", "state", "workspace", "quarantine", "lease"]
N_SIGNS = 32
DAY_S = 86400


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that nobody needs: where it lies, its bytes, and why it may go."""

    kind: LeftoverKind
    key: str
    path: Path
    bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class Damage:
    """A stage that is not as it was published, and in which way."""

    key: str
    what: str


def damaged(store: StageStore, keys: Sequence[str]) -> Iterator[tuple[str, Damage | None]]:
    """Read every byte of stages, and tell of each whether it is as it was published."""
    for key in keys:
        try:
            what = _difference(store, key)
        except CorruptArtefact as error:
            what = str(error)
        yield key, Damage(key, what) if what else None


def _difference(store: StageStore, key: str) -> str:
    manifest = store.read(key)
    if manifest is None:
        return "its manifest is missing"
    folder = store.folder(key)
    for name, sha in manifest.files.items():
        path = folder / name
        if not path.exists():
            return f"{name} is missing"
        if (size := path.stat().st_size) != manifest.sizes.get(name, size):
            return f"{name} has {size} bytes, was published with {manifest.sizes[name]}"
        if file_digest(path) != sha:
            return f"{name} has another hash than when it was published"
    return ""


def leftovers(
    store: StageStore, index: Index, references: References, *, keep_days: float, now: float | None = None
) -> list[Leftover]:
    """Find what may be removed, given who refers to what.

    Args:
        keep_days: how long what was set aside for being broken is kept.
        now: seconds since the epoch; the present where None.
    """
    living, dead = lease_keys(store.root / "leases")
    busy = living | (_names(store.root / "leases") - dead)  # also what was claimed a moment ago
    kept = kept_stages(index, references)
    found = [*_stages(store, index, kept | busy), *_states(store, references.states | busy)]
    found += [
        _leftover("workspace", path, "the process that built it is gone")
        for path in _folders(store.root / "partial")
        if path.name[:N_SIGNS] not in busy
    ]
    for path in _folders(store.root / "quarantine"):
        days = ((time.time() if now is None else now) - path.stat().st_mtime) / DAY_S
        if days >= keep_days:
            found.append(_leftover("quarantine", path, f"it was set aside {days:.0f} days ago"))
    leases = [store.root / "leases" / key for key in sorted(dead)]
    return [*found, *(_leftover("lease", path, "its holder's heartbeat has stopped") for path in leases)]


def remove(store: StageStore, found: Collection[Leftover]) -> None:
    """Take leftovers away; children before their parents, so that what is left is whole at any moment."""
    for each in reversed(list(found)):
        if each.kind == "stage":
            store.remove(each.key)
        elif each.kind == "lease":
            each.path.unlink(missing_ok=True)
        else:
            shutil.rmtree(each.path, ignore_errors=True)


def lease_keys(folder: Path) -> tuple[set[str], set[str]]:
    """Watch all leases for as long as it takes to tell which are alive and which are dead, about three beats."""
    watches = {name: Watch(folder / name) for name in _names(folder)}
    living: set[str] = set()
    dead: set[str] = set()
    while watches:
        for name, watch in list(watches.items()):
            if watch.beats():
                living.add(name)
            elif watch.stale():
                dead.add(name)
            elif watch.path.exists():
                continue  # no sign yet, of life or of death
            del watches[name]
        if watches:
            next(iter(watches.values())).wait(HEARTBEAT_S / 10)
    return living, dead


def _stages(store: StageStore, index: Index, kept: Collection[str]) -> Iterator[Leftover]:
    """List what is not kept, parents first."""
    children = Counter(needed for entry in index.entries.values() for needed in entry.needs)
    for key, entry in index.entries.items():
        if key not in kept:
            also = f", nor to the {children[key]} made from it" if children[key] else ""
            why = f"no sweep, evaluation, export or pin refers to it{also}"
            yield Leftover("stage", key, store.folder(key), entry.bytes, why)


def _states(store: StageStore, needed: Collection[str]) -> Iterator[Leftover]:
    for path in _folders(store.root / "progress"):
        if store.has(path.name):
            yield _leftover("state", path, "its stage is finished")
        elif path.name not in needed:
            yield _leftover("state", path, "no unfinished trial goes on from it")


def _leftover(kind: LeftoverKind, path: Path, why: str) -> Leftover:
    size = sum(each.lstat().st_size for each in (path, *path.rglob("*")) if each.is_file())
    return Leftover(kind, path.name[:N_SIGNS], path, size, why)


def _names(folder: Path) -> set[str]:
    return (
        {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        if folder.is_dir()
        else set()
    )


def _folders(folder: Path) -> list[Path]:
    return [folder / name for name in sorted(_names(folder))]
