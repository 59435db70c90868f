"""Garbage collection: what anybody refers to stays, all else goes, whatever has happened before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtr.analysis.records.references import (
    read_pins,
    read_references,
    record_evaluations,
    remove_pin,
    write_pin,
)
from xtr.analysis.records.trials import State, TrialRow, write_trials
from xtr.analysis.upkeep.care import Leftover, damaged, lease_keys, leftovers, remove
from xtr.errors import CorruptArtefact, InputError
from xtr.fingerprint import JSON
from xtr.stages.index import read_index
from xtr.stages.stage import stage_key
from xtr.stages.store import MANIFEST, StageStore
from xtr.storage.lease import Lease

DAY_S = 86400


@dataclass(frozen=True)
class Plain:
    """A stage of any kind: nothing but a recipe."""

    recipe: dict[str, JSON]

    @property
    def key(self) -> str:
        return stage_key(self.recipe)


def publish(store: StageStore, number: int, needs: list[str]) -> str:
    recipe: dict[str, JSON] = {"kind": "plain", "number": number, "needs": [*needs]}
    if needs:
        recipe["parent"] = needs[0]
    with store.workspace(Plain(recipe).key) as folder:
        (folder / "file").write_text(str(number))
        store.publish(Plain(recipe), folder, {}, {"at": f"{number:03d}"})  # type: ignore[arg-type]
    return Plain(recipe).key


def trial(number: int, keys: list[str], state: State = "complete") -> TrialRow:
    stages: list[JSON] = [{"key": key} for key in keys]
    return TrialRow("none", "xnli", number, "search", number, 1, {}, state, detail={"stages": stages})


def sweep(root: Path, name: str, rows: list[TrialRow]) -> Path:
    folder = root / "sweeps" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.yaml").write_text(
        f"version: 1\nname: {name}\nmodel: {{name: demo}}\npairs: {{intermediate: [], target: [xnli]}}\n"
        "search: {trials_per_pair: 1}\ndata: {source: demo, demo_scale: 0.01}\n"
    )
    write_trials(folder, rows)
    return folder


def clear(store: StageStore, keep_days: float = 30) -> list[Leftover]:
    found = leftovers(store, read_index(store), read_references(store.place), keep_days=keep_days)
    remove(store, found)
    return found


@dataclass(frozen=True)
class History:
    """Stages by number that need earlier ones, and who names some of them."""

    needs: list[list[int]]
    trials: list[tuple[list[int], State]]
    evaluated: list[int]
    pinned: list[list[int]]
    unpinned: list[int]
    states: list[int]
    workspaces: list[int]

    @property
    def needed(self) -> set[int]:
        """The stages that somebody names, and what these need: found from the newest to the oldest."""
        named = {each for keys, _ in self.trials for each in keys} | {
            each for keys in self.pinned for each in keys
        }
        named |= set(self.evaluated if self.trials else [])
        for number in range(len(self.needs) - 1, -1, -1):
            named |= set(self.needs[number]) if number in named else set()
        return named


@st.composite
def histories(draw: st.DrawFn) -> History:
    n = draw(st.integers(1, 10))
    some = st.lists(st.integers(0, n - 1), max_size=2, unique=True)
    ended: st.SearchStrategy[State] = st.sampled_from(("complete", "pruned", "diverged"))
    return History(
        needs=[draw(st.lists(st.integers(0, i - 1), max_size=2, unique=True)) if i else [] for i in range(n)],
        trials=draw(st.lists(st.tuples(some, ended), max_size=3)),
        evaluated=draw(some),
        pinned=draw(st.lists(some, max_size=2)),
        unpinned=draw(some),
        states=draw(some),
        workspaces=draw(some),
    )


def happen(history: History, store: StageStore) -> list[str]:
    """Bring a store to where a history ends; return the stages' keys."""
    keys: list[str] = []
    for number, needs in enumerate(history.needs):
        keys.append(publish(store, number, [keys[each] for each in needs]))
    if history.trials:
        rows = [
            trial(i, [keys[each] for each in named], state) for i, (named, state) in enumerate(history.trials)
        ]
        record_evaluations(
            sweep(store.root, "demo", rows), "test", [keys[each] for each in history.evaluated]
        )
    for number, named in enumerate(history.pinned):
        write_pin(store.place.store, f"pin-{number}", "wanted", [keys[each] for each in named])
    write_pin(store.place.store, "gone", "no more", [keys[each] for each in history.unpinned])
    remove_pin(store.place.store, "gone")
    for each in history.states:
        (store.root / "progress" / keys[each] / "step-1").mkdir(parents=True)
    for each in history.workspaces:
        (store.root / "partial" / f"{keys[each]}-0a1b2c3d").mkdir(parents=True)
    return keys


@settings(max_examples=40)
@given(histories())
def test_what_is_referred_to_stays_and_all_else_goes(history: History) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = StageStore(Path(folder))
        keys = happen(history, store)
        clear(store)
        assert store.keys() == {keys[each] for each in history.needed}
        assert not list(store.root.glob("progress/*"))
        assert not list(store.root.glob("partial/*"))
        for key in sorted(store.keys()):
            assert store.open(key) is not None
        assert clear(store) == []


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(tmp_path)


def test_a_living_lease_protects_its_stage_and_a_dead_one_goes(store: StageStore) -> None:
    busy, dead = (publish(store, number, []) for number in (1, 2))
    for key in (busy, dead):
        (store.root / "progress" / key[::-1] / "step-1").mkdir(parents=True)
        (store.root / "partial" / f"{key}-0a1b2c3d").mkdir(parents=True)
    (store.root / "leases").mkdir()
    (store.root / "leases" / dead).write_text('{"token": "t", "beat": 3}')
    lease = Lease.claim(store.place.store, f"leases/{busy}")
    assert lease is not None
    with lease:
        assert lease_keys(store.place.store) == ({busy}, {dead})
        clear(store)
        assert store.keys() == {busy}
        assert [path.name[:32] for path in (store.root / "partial").iterdir()] == [busy]
        assert [path.name for path in (store.root / "leases").iterdir()] == [busy]
    clear(store)
    assert store.keys() == set()


def test_what_was_set_aside_is_kept_for_some_days(store: StageStore) -> None:
    old, new = (publish(store, number, []) for number in (1, 2))
    for key in (old, new):
        (store.folder(key) / "file").write_text("damaged")
        assert StageStore(store.root).open(key) is None
    [path] = (store.root / "quarantine").glob(f"{old}*")
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 31 * DAY_S))
    [gone] = clear(store)
    assert (gone.kind, gone.key, gone.why) == ("quarantine", old, "it was set aside 31 days ago")
    assert [each.key for each in clear(store, keep_days=0)] == [new]


def test_the_stages_that_an_unfinished_trial_will_ask_for_stay_with_their_states(store: StageStore) -> None:
    from xtr.data.open import open_source
    from xtr.spec.load import load_stored
    from xtr.stages.path import Paths

    sweep(store.root, "demo", [trial(0, [], "running")])
    spec = load_stored(store.root / "sweeps" / "demo", str(store.root))
    path = Paths(spec, open_source(spec.data, store.place)).path(spec.pairs.pairs()[0], {}, 1)
    assert path.target is not None
    start = path.start
    with store.workspace(start.key) as folder:
        store.publish(start, folder, {}, {})  # type: ignore[arg-type]
    for key in (path.target.key, "0" * 32):
        (store.root / "progress" / key / "step-1").mkdir(parents=True)
    assert [each.key for each in clear(store)] == ["0" * 32]
    assert store.keys() == {start.key}


def lose_the_trials(folder: Path) -> None:
    (folder / "study.journal").write_text("")
    (folder / "trials.jsonl").unlink()


def tear_the_trials(folder: Path) -> None:
    (folder / "trials.jsonl").write_text("{\n")


def lose_the_data(folder: Path) -> None:
    write_trials(folder, [trial(0, [], "running")])
    spec = (folder / "spec.yaml").read_text()
    (folder / "spec.yaml").write_text(
        spec.replace("{source: demo,", "{source: official, official_root: gone,")
    )


@pytest.mark.parametrize("harm", [lose_the_trials, tear_the_trials, lose_the_data])
def test_what_cannot_be_known_is_told(harm: Callable[[Path], None], store: StageStore) -> None:
    harm(sweep(store.root, "demo", [trial(0, [])]))
    [unknown] = read_references(store.place).unknown
    assert "demo" in unknown


def test_damage_is_told_by_its_kind(store: StageStore) -> None:
    keys = [publish(store, number, []) for number in range(5)]
    (store.folder(keys[0]) / "file").unlink()
    (store.folder(keys[1]) / "file").write_text("longer than it was")
    (store.folder(keys[2]) / "file").write_text("X")
    (store.folder(keys[3]) / MANIFEST).unlink()
    told = [damage.what if damage else "" for _, damage in damaged(store, keys)]
    assert told == [
        "file is missing",
        "file has 18 bytes, was published with 1",
        "file has another hash than when it was published",
        "its manifest is missing",
        "",
    ]


def test_pins_have_names_and_reasons(store: StageStore) -> None:
    key = publish(store, 1, [])
    write_pin(store.place.store, "paper", "table 2", [key])
    [pin] = read_pins(store.place.store)
    assert (pin.name, pin.because, pin.keys) == ("paper", "table 2", (key,))
    assert read_references(store.place).of(key) == ["pin paper"]
    with pytest.raises(InputError, match="did you mean 'paper'"):
        remove_pin(store.place.store, "papr")
    for name in ("../away", "", "a b"):
        with pytest.raises(InputError, match="cannot be a pin's name"):
            write_pin(store.place.store, name, "", [key])
    (store.root / "pins" / "paper.json").write_text("{")
    with pytest.raises(CorruptArtefact, match="is not a pin"):
        read_pins(store.place.store)


def test_two_sweeps_and_their_trials_are_told_apart(store: StageStore) -> None:
    key = publish(store, 1, [])
    sweep(store.root, "one", [trial(0, [key]), trial(1, [key], "pruned")])
    sweep(store.root, "two", [trial(0, [key])])
    assert read_references(store.place).of(key) == ["sweep one (2 trials)", "sweep two (1 trial)"]
