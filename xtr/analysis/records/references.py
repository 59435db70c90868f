"""This is where it is known who refers to what: which stages sweeps, evaluations, exports and pins name.

    runs/pins/<name>.json                      stages to keep, and because of what; an export writes one
    runs/sweeps/<name>/trials.jsonl            the stages of each trial
    runs/sweeps/<name>/evaluations.json        the stages of `xtr evaluate`, by split

A kept stage keeps what its recipe names: its parents, the evaluation it calibrates on, the pool it ranks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from xtr.analysis.records.trials import FILE as TRIALS
from xtr.analysis.records.trials import TrialRow, read_trials
from xtr.catalogue.lookup import forget_own
from xtr.data.open import open_source
from xtr.errors import CorruptArtefact, InputError, Problem, suggest
from xtr.fingerprint import JSON
from xtr.spec.load import load_stored
from xtr.spec.sweep import SweepSpec
from xtr.stages.index import Index
from xtr.stages.path import Paths
from xtr.stages.stage import Pretrained, Stage
from xtr.storage import write_atomic
from xtr.storage.interface import Storage
from xtr.storage.workplace import Workplace

EVALUATIONS, PINS = "evaluations.json", "pins"
JOURNAL = "study.journal"
SCHEMA_VERSION = 1
UNFINISHED = ("running", "failed")
"""Trials that the next `xtr run` goes on with, or tries again."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Stages that are kept, by name and reason; `at` is ISO 8601 in UTC."""

    name: str
    because: str
    keys: tuple[str, ...]
    at: str = ""


@dataclass(slots=True)
class References:
    """Who names which stages.

    Attributes:
        holders: by stage key, who names it (`sweep demo`, `pin paper`) and by how many trials, if by trials.
        states: keys of the stages that unfinished trials are in the middle of.
        trunks: whether an unfinished trial may begin at a trunk, so that all trunks and states stay.
        unknown: what could not be found out, in words; while there is any, nothing may be removed.
    """

    holders: dict[str, dict[str, int]] = field(default_factory=dict)
    states: set[str] = field(default_factory=set)
    trunks: bool = False
    unknown: list[str] = field(default_factory=list)

    def add(self, who: str, keys: Iterable[str], *, trials: int = 0) -> None:
        """Note that somebody names stages."""
        for key in keys:
            named = self.holders.setdefault(key, {})
            named[who] = named.get(who, 0) + trials

    def of(self, key: str) -> list[str]:
        """Say who names a stage: `sweep demo (3 trials)`."""
        named = self.holders.get(key, {})
        return [f"{who} ({n} trial{'s' * (n > 1)})" if n else who for who, n in named.items()]


def read_references(place: Workplace) -> References:
    """Read what sweeps, evaluations and pins of a storage root refer to; trials as their views have them."""
    references = References()
    for name in place.sweeps():
        _add_sweep(references, place, name)
    for pin in read_pins(place.store):
        references.add(f"pin {pin.name}", pin.keys)
    return references


def kept_stages(index: Index, references: References) -> set[str]:
    """List the stored stages that somebody refers to, and all that these need."""
    kept: set[str] = set()
    trunks = (key for key, each in index.entries.items() if each.kind == "trunk" and references.trunks)
    waiting = [*(key for key in references.holders if key in index.entries), *trunks]
    while waiting:
        key = waiting.pop()
        if key not in kept:
            kept.add(key)
            waiting += [needed for needed in index.entries[key].needs if needed in index.entries]
    return kept


def stage_keys(row: TrialRow) -> list[str]:
    """List the stages that a trial has walked through, in order."""
    stages = row.detail.get("stages")
    return [str(each["key"]) for each in stages if isinstance(each, dict)] if isinstance(stages, list) else []


# -- evaluations -------------------------------------------------------------------------------------------


def record_evaluations(folder: Path, split: str, keys: Iterable[str]) -> None:
    """Note in a sweep's folder which stages its evaluation on a split came to."""
    splits: dict[str, JSON] = {**_evaluations(folder), split: [*sorted(set(keys))]}
    document = {"schema_version": SCHEMA_VERSION, "splits": splits}
    write_atomic(folder / EVALUATIONS, json.dumps(document, indent=1))


def recorded_evaluations(folder: Path) -> dict[str, list[str]]:
    """List the stages that a sweep's evaluations came to, by split.

    Raises:
        CorruptArtefact: the note of them cannot be read.
    """
    found = _evaluations(folder).items()
    return {split: [str(key) for key in keys] for split, keys in found if isinstance(keys, list)}


def _evaluations(folder: Path) -> Mapping[str, JSON]:
    return _splits(folder / EVALUATIONS) if (folder / EVALUATIONS).exists() else {}


def _splits(path: Path) -> Mapping[str, JSON]:
    try:
        splits: Mapping[str, JSON] = json.loads(path.read_text(encoding="utf-8"))["splits"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptArtefact(f"{path} cannot be read; write it again: xtr evaluate") from error
    return splits


# -- pins --------------------------------------------------------------------------------------------------


def write_pin(store: Storage, name: str, because: str, keys: Sequence[str]) -> Pin:
    """Keep stages under a name; what the name stood for before is replaced.

    Raises:
        InputError: the name cannot be a file's.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise InputError(
            Problem("this cannot be a pin's name", received=name, allowed="letters, digits, . _ -")
        )
    pin = Pin(name, because, tuple(keys), datetime.now(UTC).isoformat(timespec="seconds"))
    document = {"schema_version": SCHEMA_VERSION, **asdict(pin)}
    store.write(f"{PINS}/{name}.json", json.dumps(document, indent=1, ensure_ascii=False))
    return pin


def read_pins(store: Storage) -> list[Pin]:
    """Read every pin, by name.

    Raises:
        CorruptArtefact: one cannot be read, so nobody knows what it keeps.
    """
    pins = []
    for name in sorted(store.names(PINS)):
        try:
            document = json.loads(store.read(f"{PINS}/{name}") or "")
            pins.append(
                Pin(document["name"], document["because"], tuple(document["keys"]), document.get("at", ""))
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptArtefact(f"{store.uri}/{PINS}/{name} is not a pin; mend it or delete it") from error
    return pins


def remove_pin(store: Storage, name: str) -> Pin:
    """Let go of what a pin keeps, and return it.

    Raises:
        InputError: there is no pin of this name.
    """
    pins = {pin.name: pin for pin in read_pins(store)}
    if name not in pins:
        allowed = ", ".join(pins) or "there are no pins"
        raise InputError(
            Problem(
                "no such pin", f"{store.uri}/{PINS}", received=name, allowed=allowed, hint=suggest(name, pins)
            )
        )
    store.remove(f"{PINS}/{name}.json")
    return pins[name]


# -- sweeps ------------------------------------------------------------------------------------------------


def _add_sweep(references: References, place: Workplace, name: str) -> None:
    folder = place.read_sweep(name)
    rows = _rows(references, folder)
    for row in rows:
        references.add(f"sweep {name}", dict.fromkeys(stage_keys(row)), trials=1)
    for split, keys in recorded_evaluations(folder).items():
        references.add(f"evaluation of {name} on {split}", keys)
    unfinished = [row for row in rows if row.state in UNFINISHED]
    if unfinished or not rows:
        try:
            asked = {
                *_planned(place, folder, unfinished),
                *(key for row in unfinished for key in stage_keys(row)),
            }
        except InputError as error:
            references.unknown.append(
                f"what the unfinished trials of {name} need: {str(error).splitlines()[0]}"
            )
        else:
            references.add(f"sweep {name}", asked)
            references.states |= asked
            references.trunks |= _branches(load_stored(folder, place.store.uri))


def _rows(references: References, folder: Path) -> list[TrialRow]:
    try:
        if (folder / JOURNAL).exists() and not (folder / TRIALS).exists():
            raise ValueError("it is missing")
        return read_trials(folder)
    except (ValueError, TypeError) as error:
        references.unknown.append(f"the trials of {folder.name}: {folder / TRIALS} cannot be read ({error})")
        return []


def _branches(spec: SweepSpec) -> bool:
    """Say whether runs of a sweep share their beginnings."""
    stages = (spec.stages.intermediate, spec.stages.target)
    return any(settings.schedule == "wsd" for settings in stages)


def _planned(place: Workplace, folder: Path, rows: Sequence[TrialRow]) -> Iterator[str]:
    """Name the stages that trials will ask for, and the encoder that the sweep begins with."""
    forget_own()
    spec = load_stored(folder, place.store.uri)
    paths = Paths(spec, open_source(spec.data, place, resolve=False))
    stages: list[Stage | Pretrained] = [paths.start]
    for row in rows:
        path = paths.path(row.pair, row.params, row.seed)
        stages += [path.end, *path.select]
    for stage in stages:
        yield from _with_parents(stage)


def _with_parents(stage: Stage | Pretrained) -> Iterator[str]:
    while not isinstance(stage, Pretrained):
        yield stage.key
        parent = getattr(stage, "parent", None)
        if parent is None:
            return
        stage = parent
