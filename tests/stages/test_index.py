"""The index: what is in the store, read from one file, and written anew where that file cannot be trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.stages.sample import SMALL, a_stage
from xtr.errors import InputError
from xtr.fingerprint import JSON
from xtr.stages.index import FILE, Index, complete, read_index
from xtr.stages.stage import EmbedStage, EvaluateStage, Stage
from xtr.stages.store import MANIFEST, StageStore

PARENT = a_stage()
CHILD = replace(a_stage(), parent=PARENT, settings=SMALL.model_copy(update={"epochs": 3}))
POOL = EmbedStage(CHILD, "mewslix", (("en", "rows"),), 48, 16)
SCORED = EvaluateStage(CHILD, "mewslix", "test", "de", "rows", 48, None, 16, pool=POOL)


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    store = StageStore(tmp_path)
    stages: tuple[Stage, ...] = (PARENT, CHILD, POOL, SCORED)
    for number, stage in enumerate(stages):
        publish(store, stage, f"2026-11-20T10:00:0{number}+00:00")
    return store


def publish(store: StageStore, stage: Stage, at: str) -> None:
    trained: dict[str, JSON] = {"steps": 4, "tokens": 90, "epochs": [{"epoch": 1, "loss": 1.0, "scores": {}}]}
    made: dict[str, JSON] = {"at": at, "seconds": 2.5, "workers": 2, "device": "cpu", "hardware": "a CPU"}
    with store.workspace(stage.key) as folder:
        (folder / "file").write_text("12345")
        store.publish(stage, folder, trained if stage.kind == "train" else {}, made)


def test_a_stage_is_summed_up(store: StageStore) -> None:
    entries = read_index(store).entries
    assert list(entries) == [PARENT.key, CHILD.key, POOL.key, SCORED.key]
    child, scored = entries[CHILD.key], entries[SCORED.key]
    assert (child.kind, child.task, child.parent, child.needs) == ("train", "mnli", PARENT.key, (PARENT.key,))
    assert (child.steps, child.tokens, child.epochs, child.max_length, child.bytes) == (4, 90, 1, 32, 5)
    assert (child.seconds, child.workers, child.device, child.hardware) == (2.5, 2, "cpu", "a CPU")
    assert {entry.start for entry in entries.values()} == {"model:xlm-roberta-base@e73636d"}
    assert (scored.task, scored.split, scored.language) == ("mewslix", "test", "de")
    assert set(scored.needs) == {CHILD.key, POOL.key}


def test_known_stages_are_not_read_again(store: StageStore) -> None:
    before = read_index(store)
    for key in before.entries:
        (store.folder(key) / MANIFEST).write_text("not read")
    assert read_index(store) == before


def test_new_stages_come_and_removed_ones_go(store: StageStore) -> None:
    read_index(store)
    new = a_stage(seed=9)
    publish(store, new, "2026-11-20T11:00:00+00:00")
    store.remove(SCORED.key)
    for _ in range(2):
        assert list(read_index(store).entries) == [PARENT.key, CHILD.key, POOL.key, new.key]


@pytest.mark.parametrize(
    "harm", [lambda text: text[:-9], lambda text: text.replace("90", "91", 1), lambda _: ""]
)
def test_a_damaged_index_is_written_anew(harm: object, store: StageStore) -> None:
    before = read_index(store)
    path = store.root / FILE
    text = path.read_text()
    assert callable(harm)
    path.write_text(harm(text))
    assert read_index(store) == before
    assert path.read_text() == text


def test_a_stage_whose_manifest_is_damaged_is_named(store: StageStore) -> None:
    (store.folder(SCORED.key) / MANIFEST).write_text("{}")
    index = read_index(store)
    assert index.unreadable == (SCORED.key,)
    assert SCORED.key not in index.entries


def test_the_first_signs_of_a_key_are_enough_where_they_are_one_stage_s(store: StageStore) -> None:
    assert read_index(store).find(CHILD.key[:10]) == CHILD.key
    assert complete("ab", ["abc1", "b"]) == "abc1"
    with pytest.raises(InputError, match="2 stages begin so") as refused:
        complete("ab", ["abc1", "abd2", "b"])
    assert "abc1, abd2" in str(refused.value)
    with pytest.raises(InputError, match="no finished stage"):
        Index({}).find("ab")
