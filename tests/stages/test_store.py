"""The store: stages are whole or absent, damage is set aside, and of two claimants one computes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from tests.stages.sample import a_stage
from xtr.errors import CorruptArtefact
from xtr.stages.lease import Lease
from xtr.stages.store import MANIFEST, StageStore
from xtr.storage import append_line, read_lines

STAGE = a_stage()
SPAWN = multiprocessing.get_context("spawn")


def publish(store: StageStore, text: str = "weights") -> None:
    with store.workspace(STAGE.key) as folder:
        (folder / "encoder").mkdir()
        (folder / "encoder" / "model.safetensors").write_text(text)
        (folder / "head.safetensors").write_text("head")
        store.publish(STAGE, folder, {"epochs": [1]}, {"device": "cpu"})


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(tmp_path)


def test_an_absent_stage_is_absent(store: StageStore) -> None:
    assert not store.has(STAGE.key)
    assert store.read(STAGE.key) is None
    assert store.open(STAGE.key) is None


def test_a_published_stage_is_read_back(store: StageStore) -> None:
    publish(store)
    manifest = store.open(STAGE.key)
    assert store.has(STAGE.key)
    assert manifest is not None
    assert manifest == store.read(STAGE.key)
    assert manifest.key == STAGE.key
    assert manifest.recipe == STAGE.recipe
    assert manifest.result == {"epochs": [1]}
    assert manifest.made == {"device": "cpu"}
    assert sorted(manifest.files) == ["encoder/model.safetensors", "head.safetensors"]


def test_a_stage_is_not_there_before_it_is_whole(store: StageStore) -> None:
    with store.workspace(STAGE.key) as folder:
        (folder / "head.safetensors").write_text("head")
        (folder / MANIFEST).write_text("{}")
        assert not store.has(STAGE.key)
        assert store.open(STAGE.key) is None
    assert not folder.exists(), "what is not published is removed"


def test_the_second_to_publish_keeps_the_first_one_s_files(store: StageStore) -> None:
    publish(store, "first")
    publish(store, "second")
    assert (store.folder(STAGE.key) / "encoder" / "model.safetensors").read_text() == "first"
    assert store.open(STAGE.key) is not None
    assert not list((store.root / "partial").iterdir())


def test_publishing_drops_the_states_of_the_run(store: StageStore) -> None:
    (store.progress_folder(STAGE.key) / "step-0000003").mkdir(parents=True)
    publish(store)
    assert not store.progress_folder(STAGE.key).exists()


def test_what_is_left_of_a_stage_without_its_manifest_is_set_aside(store: StageStore) -> None:
    publish(store, "left over")
    (store.folder(STAGE.key) / MANIFEST).unlink()
    assert store.open(STAGE.key) is None
    publish(store, "new")
    assert (store.folder(STAGE.key) / "encoder" / "model.safetensors").read_text() == "new"


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def remove(path: Path) -> None:
    path.unlink()


def write_other_json(path: Path) -> None:
    path.write_text(json.dumps({"key": "k", "surprise": 1}))


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("encoder/model.safetensors", flip_a_bit),
        ("encoder/model.safetensors", truncate),
        ("encoder/model.safetensors", remove),
        ("head.safetensors", flip_a_bit),
        (MANIFEST, truncate),
        (MANIFEST, write_other_json),
    ],
)
def test_a_damaged_stage_is_set_aside_and_can_be_made_again(
    name: str, harm: Callable[[Path], None], store: StageStore
) -> None:
    publish(store)
    harm(store.folder(STAGE.key) / name)
    fresh = StageStore(store.root)
    assert fresh.open(STAGE.key) is None
    assert not fresh.has(STAGE.key)
    assert len(list((store.root / "quarantine").iterdir())) == 1
    publish(fresh)
    assert StageStore(store.root).open(STAGE.key) is not None


def change(store: StageStore, old: str, new: str) -> None:
    path = store.folder(STAGE.key) / MANIFEST
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"epochs": [\n   1\n', '"epochs": [\n   3\n'),
        ('"device": "cpu"', '"device": "cpv"'),
        ('"seed": 1', '"seed": 3'),
        ("1e-", "1E-"),
    ],
)
def test_a_manifest_of_which_one_sign_is_another_is_refused(old: str, new: str, store: StageStore) -> None:
    with store.workspace(STAGE.key) as folder:
        (folder / "head.safetensors").write_text("head")
        store.publish(STAGE, folder, {"epochs": [1], "loss": 2.5e-05 / 25}, {"device": "cpu"})
    change(store, old, new)
    with pytest.raises(CorruptArtefact, match="digest"):
        store.read(STAGE.key)
    assert StageStore(store.root).open(STAGE.key) is None


def test_a_stage_under_another_stage_s_key_is_refused(store: StageStore) -> None:
    publish(store)
    other = a_stage(seed=2).key
    store.folder(STAGE.key).rename(store.folder(other))
    with pytest.raises(CorruptArtefact, match=STAGE.key):
        store.read(other)


def test_finished_stages_are_listed_and_can_be_taken_away(store: StageStore) -> None:
    assert store.keys() == set()
    publish(store)
    assert store.keys() == {STAGE.key}
    assert store.open(STAGE.key) is not None
    store.remove(STAGE.key)
    assert (store.keys(), store.open(STAGE.key)) == (set(), None)
    assert not list((store.root / "partial").iterdir())
    store.remove(STAGE.key)
    publish(store)
    assert store.open(STAGE.key) is not None


def test_reading_a_torn_manifest_says_which(store: StageStore) -> None:
    publish(store)
    truncate(store.folder(STAGE.key) / MANIFEST)
    with pytest.raises(CorruptArtefact, match="is not a manifest"):
        store.read(STAGE.key)


def test_a_finished_stage_cannot_be_claimed(store: StageStore) -> None:
    publish(store)
    assert store.claim(STAGE.key) is None


def test_a_released_claim_can_be_taken_again(store: StageStore) -> None:
    for _ in range(2):
        lease = store.claim(STAGE.key)
        assert lease is not None
        lease.release()
    assert not list((store.root / "leases").iterdir())


def test_who_waits_for_a_stage_gets_none_when_it_is_finished(store: StageStore) -> None:
    lease = store.claim(STAGE.key)
    assert lease is not None
    got: list[Lease | None] = []
    waiter = threading.Thread(target=lambda: got.append(StageStore(store.root).claim(STAGE.key)))
    waiter.start()
    publish(store)
    lease.release()
    waiter.join()
    assert got == [None]


def test_who_waits_for_a_failed_holder_computes(store: StageStore) -> None:
    lease = store.claim(STAGE.key)
    assert lease is not None
    got: list[Lease | None] = []
    waiter = threading.Thread(target=lambda: got.append(StageStore(store.root).claim(STAGE.key)))
    waiter.start()
    lease.release()
    waiter.join()
    [taken] = got
    assert taken is not None
    taken.release()


def race(root: Path, start: Barrier) -> None:
    store = StageStore(root)
    start.wait()
    lease = store.claim(STAGE.key)
    if lease is None:
        append_line(root / "lost.txt", str(os.getpid()))
        return
    with lease:
        append_line(root / "computed.txt", str(os.getpid()))
        publish(store)


def test_of_two_processes_that_want_a_stage_one_computes_it(tmp_path: Path) -> None:
    start = SPAWN.Barrier(2)
    racers = [SPAWN.Process(target=race, args=(tmp_path, start), daemon=True) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    computed, lost = read_lines(tmp_path / "computed.txt"), read_lines(tmp_path / "lost.txt")
    assert len(computed) == len(lost) == 1
    assert computed != lost
    assert StageStore(tmp_path).open(STAGE.key) is not None


def hold_for_ever(root: Path, door: Any) -> None:
    assert StageStore(root).claim(STAGE.key) is not None
    door.send("claimed")
    door.recv()


def test_the_lease_of_a_process_that_was_killed_is_taken_over(store: StageStore) -> None:
    door, inner = SPAWN.Pipe()
    holder = SPAWN.Process(target=hold_for_ever, args=(store.root, inner), daemon=True)
    holder.start()
    assert door.recv() == "claimed"
    assert holder.pid is not None
    assert Lease.claim(store.root / "leases" / STAGE.key) is None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    lease = store.claim(STAGE.key)
    assert lease is not None
    lease.release()
