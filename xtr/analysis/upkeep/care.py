"""This is where a store is looked after: what is broken, what nobody needs, and how the latter is removed.

What may go: finished stages that nobody refers to, states that no unfinished trial goes on from, workspaces and
leases of dead processes, and what was set aside long ago. A stage whose lease is alive is left alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xtr.analysis.records.references import References, kept_stages
from xtr.errors import CorruptArtefact
from xtr.fingerprint import file_digest
from xtr.stages.index import Index
from xtr.stages.store import Manifest, StageStore
from xtr.storage.interface import Storage
from xtr.storage.lease import Watch

LeftoverKind = Literal["stage", "state", "workspace", "quarantine", "lease"]
N_SIGNS = 32
DAY_S = 86400


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that nobody needs: its name below the root, its bytes, and why it may go."""

    kind: LeftoverKind
    key: str
    name: str
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
    with store.copy_of(manifest) as folder:
        return _first_difference(folder, manifest)


def _first_difference(folder: Path, manifest: Manifest) -> str:
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
    there = store.place.store
    living, dead = lease_keys(there)
    busy = living | (there.names("leases") - dead)  # also what was claimed a moment ago
    kept = kept_stages(index, references)
    states = [] if references.trunks else _states(store, references.states | busy)
    found = [*_stages(index, kept | busy), *states]
    found += [
        _leftover(there, "workspace", f"partial/{name}", "the process that built it is gone")
        for name in sorted(there.names("partial"))
        if name[:N_SIGNS] not in busy
    ]
    for name in sorted(there.names("quarantine")):
        days = ((time.time() if now is None else now) - there.weigh(f"quarantine/{name}")[1]) / DAY_S
        if days >= keep_days:
            why = f"it was set aside {days:.0f} days ago"
            found.append(_leftover(there, "quarantine", f"quarantine/{name}", why))
    stopped = "its holder's heartbeat has stopped"
    return [*found, *(_leftover(there, "lease", f"leases/{key}", stopped) for key in sorted(dead))]


def remove(store: StageStore, found: Collection[Leftover]) -> None:
    """Take leftovers away; children before their parents, so that what is left is whole at any moment."""
    for each in reversed(list(found)):
        if each.kind == "stage":
            store.remove(each.key)
        elif each.kind == "state":
            store.drop_states(each.key)
        else:
            store.place.store.remove(each.name)


def lease_keys(storage: Storage) -> tuple[set[str], set[str]]:
    """Watch all leases for as long as it takes to tell which are alive and which are dead, about two beats."""
    watches = {name: Watch(storage, f"leases/{name}") for name in storage.names("leases")}
    living: set[str] = set()
    dead: set[str] = set()
    while watches:
        for name, watch in list(watches.items()):
            if watch.beats():
                living.add(name)
            elif watch.stale():
                dead.add(name)
            elif watch.held:
                continue  # no sign yet, of life or of death
            del watches[name]
        if watches:
            next(iter(watches.values())).wait()
    return living, dead


def _stages(index: Index, kept: Collection[str]) -> Iterator[Leftover]:
    """List what is not kept, parents first."""
    children = Counter(needed for entry in index.entries.values() for needed in entry.needs)
    for key, entry in index.entries.items():
        if key not in kept:
            also = f", nor to the {children[key]} made from it" if children[key] else ""
            why = f"no sweep, evaluation, export or pin refers to it{also}"
            yield Leftover("stage", key, f"stages/{key}", entry.bytes, why)


def _states(store: StageStore, needed: Collection[str]) -> Iterator[Leftover]:
    there = store.place.store
    for key in sorted(there.names("progress")):
        if store.has(key):
            yield _leftover(there, "state", f"progress/{key}", "its stage is finished")
        elif key not in needed:
            yield _leftover(there, "state", f"progress/{key}", "no unfinished trial goes on from it")


def _leftover(storage: Storage, kind: LeftoverKind, name: str, why: str) -> Leftover:
    return Leftover(kind, name.rpartition("/")[2][:N_SIGNS], name, storage.weigh(name)[0], why)
