"""This is where the store is listed: what every finished stage is, in one file, so that nobody opens thousands.

    read_index(StageStore(root)).entries["3fa9..."]    -> Entry(kind="train", task="squad_v1", steps=120, ...)

<root>/stages-index.jsonl is a cache. Stages never change, so one look at the folder says which are new and which
are gone; only the manifests of new ones are read. A file that is damaged or of another version is written anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from xtr.errors import CorruptArtefact, InputError, Problem
from xtr.fingerprint import JSON, canonical_json, digest
from xtr.spec.expressions import REPLAY
from xtr.stages.store import Manifest, StageStore
from xtr.storage import write_atomic

FILE = "stages-index.jsonl"
KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished stage in short.

    Attributes:
        task: as the sweep names it; of a mixture, its members joined by `+`.
        parent: key of the stage before it, or `model:...` of the encoder that it starts from.
        start: key of the encoder at the beginning of the chain, or of a stage on the way to it that is gone.
        needs: keys of the stages that its recipe names: its parent, and what an evaluation calibrates on or ranks.
        max_length: tokens of the longest input.
        parts: of a training stage, the recipes of its parts.
        tokens: trained on over all epochs, padding left out.
        rows: that an evaluation has scored.
        seconds: of the leading worker.
        worker_seconds: of all workers together.
        workers: how many there were, at the end where their number changed.
        bytes: of all files, the manifest left out.
        at: when it was finished, ISO 8601 in UTC; empty where it does not say.
    """

    key: str
    kind: str
    task: str = ""
    split: str = ""
    language: str = ""
    parent: str = ""
    start: str = ""
    needs: tuple[str, ...] = ()
    parts: tuple[Mapping[str, Any], ...] = ()
    max_length: int = 0
    seed: int | None = None
    epochs: int = 0
    steps: int = 0
    tokens: int = 0
    rows: int = 0
    seconds: float = 0.0
    worker_seconds: float = 0.0
    workers: int = 1
    device: str = ""
    hardware: str = ""
    bytes: int = 0
    at: str = ""


FIELDS = frozenset(each.name for each in fields(Entry))


@dataclass(frozen=True, slots=True)
class Index:
    """The stages of a store, oldest first; `unreadable` are keys whose manifest is missing or damaged."""

    entries: dict[str, Entry]
    unreadable: tuple[str, ...] = ()

    def find(self, prefix: str) -> str:
        """Complete a key from its first signs.

        Raises:
            InputError: no stage begins so, or several do.
        """
        return complete(prefix, [*self.entries, *self.unreadable])

    def children(self, key: str) -> list[Entry]:
        """List the stages whose recipes name a stage."""
        return [entry for entry in self.entries.values() if key in entry.needs]

    def chain(self, key: str) -> list[Entry]:
        """List a stage and its parents, up to the first that is not stored."""
        found = []
        while key in self.entries:
            found.append(self.entries[key])
            key = self.entries[key].parent
        return found


def read_index(store: StageStore) -> Index:
    """List a store's stages; reads the manifests of those that the cache does not know."""
    path, keys = store.root / FILE, store.keys()
    cached = _read_cache(path)
    entries = {key: entry for key, entry in cached.items() if key in keys}
    new, unreadable = [], []
    for key in sorted(keys - entries.keys()):
        try:
            manifest = store.read(key)
        except CorruptArtefact:
            manifest = None
        if manifest is None:
            unreadable.append(key)
        else:
            new.append(key)
            entries[key] = summary(manifest)
    for key in new:
        entries[key] = replace(entries[key], start=_start(entries[key].parent or key, entries))
    entries = dict(sorted(entries.items(), key=lambda item: (item[1].at, item[0])))
    if new or len(cached) != len(entries):
        with suppress(OSError):  # a cache that cannot be kept is no reason to answer nothing
            _write_cache(path, entries)
    return Index(entries, tuple(unreadable))


def _trained_on(parts: Sequence[Mapping[str, JSON]]) -> str:
    own = [str(each.get("task")) for each in parts if not each.get("replayed")]
    return "+".join([*own, *([REPLAY] if len(own) < len(parts) else [])])


def summary(manifest: Manifest) -> Entry:
    """Sum a manifest up; `start` is left to who knows the other stages."""
    recipe, result, made = manifest.recipe, manifest.result, manifest.made
    parts = [each for each in _list(recipe.get("parts")) if isinstance(each, dict)]
    settings = [each.get("settings") for each in parts]
    lengths = [each.get("max_length") for each in settings if isinstance(each, dict)]
    seed, seconds = recipe.get("seed"), _number(made.get("seconds"))
    workers = int(_number(made.get("workers"))) or 1
    return Entry(
        key=manifest.key,
        kind=str(recipe.get("kind", "")),
        task=str(recipe.get("task") or _trained_on(parts)),
        split=str(recipe.get("split", "")),
        language=str(recipe.get("language", "")),
        parent=str(recipe.get("parent", "")),
        needs=tuple(dict.fromkeys(_keys_in(recipe))),
        parts=tuple(parts),
        max_length=int(max(map(_number, [recipe.get("max_length"), *lengths]))),
        seed=seed if isinstance(seed, int) else None,
        epochs=len(_list(result.get("epochs"))),
        steps=int(_number(result.get("steps"))),
        tokens=int(_number(result.get("tokens"))),
        rows=int(_number(result.get("n"))),
        seconds=seconds,
        worker_seconds=_number(made.get("worker_seconds")) or seconds * workers,
        workers=workers,
        device=str(made.get("device", "")),
        hardware=str(made.get("hardware", "")),
        bytes=sum(manifest.sizes.values()),
        at=str(made.get("at", "")),
    )


def complete(prefix: str, keys: Collection[str]) -> str:
    """Complete a key from its first signs.

    Raises:
        InputError: no key begins so, or several do.
    """
    found = sorted(key for key in keys if key.startswith(prefix))
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(Problem("no finished stage has this key", received=prefix, hint="xtr store ls"))
    shown = ", ".join(key[: max(8, len(prefix) + 4)] for key in found[:8])
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    raise InputError(Problem(f"{len(found)} stages begin so", received=prefix, allowed=shown + more))


def _keys_in(value: JSON) -> Iterator[str]:
    """Find the stage keys that a recipe names, whatever its kind calls them."""
    if isinstance(value, str):
        if KEY.fullmatch(value):
            yield value
    elif isinstance(value, (list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _keys_in(each)


def _start(key: str, entries: Mapping[str, Entry]) -> str:
    while key in entries and entries[key].parent:
        key = entries[key].parent
    return key


def _read_cache(path: Path) -> dict[str, Entry]:
    try:
        head, _, body = path.read_text(encoding="utf-8").partition("\n")
        if head != digest(body):
            return {}
        read = [json.loads(line) for line in body.splitlines()]
        if any(each.keys() != FIELDS for each in read):  # an earlier version's
            return {}
        return {
            each["key"]: Entry(**(each | {name: tuple(each[name]) for name in ("needs", "parts")}))
            for each in read
        }
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _write_cache(path: Path, entries: Mapping[str, Entry]) -> None:
    body = "".join(f"{canonical_json(asdict(entry))}\n" for entry in entries.values())
    write_atomic(path, f"{digest(body)}\n{body}")


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
