"""What finished stages took is remembered, read once, and kept apart by the encoder they began with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.stages.sample import a_stage
from xtr.fingerprint import JSON
from xtr.stages.stage import Pretrained, TrainStage
from xtr.stages.store import MANIFEST, StageStore
from xtr.stages.throughput import FILE, of_start, stage_summaries

RESULT: dict[str, JSON] = {"steps": 4, "tokens": 640, "epochs": [{"epoch": 1}, {"epoch": 2}]}


def publish(store: StageStore, stage: TrainStage, seconds: float = 2.0) -> None:
    made: dict[str, JSON] = {"device": "cpu", "hardware": "a chip", "workers": 2, "seconds": seconds}
    with store.workspace(stage.key) as folder:
        store.publish(stage, folder, RESULT, made)


def test_a_summary_says_what_a_stage_took(tmp_path: Path) -> None:
    store, stage = StageStore(tmp_path), a_stage()
    publish(store, stage)
    (summary,) = stage_summaries(tmp_path)
    assert (summary.key, summary.kind, summary.task) == (stage.key, "train", "mnli")
    assert (summary.tokens, summary.epochs, summary.worker_seconds) == (640, 2, 4.0)
    assert (summary.device, summary.hardware) == ("cpu", "a chip")


def test_each_manifest_is_read_once_and_a_stage_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    store, stages = StageStore(tmp_path), [a_stage(seed) for seed in (1, 2)]
    for stage in stages:
        publish(store, stage)
    first = list(stage_summaries(tmp_path))
    assert {each.key for each in first} == {stage.key for stage in stages}
    (store.folder(stages[0].key) / MANIFEST).write_text("{}")  # no longer looked at
    assert sorted(each.key for each in stage_summaries(tmp_path)) == sorted(each.key for each in first)
    (store.folder(stages[0].key) / MANIFEST).unlink()
    assert [each.key for each in stage_summaries(tmp_path)] == [stages[1].key]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    store, stage = StageStore(tmp_path), a_stage()
    publish(store, stage)
    broken = store.folder("broken")
    broken.mkdir()
    (broken / MANIFEST).write_text("not JSON")
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / FILE).write_text('{"key": "of another version"}\nnot JSON\n')
    assert [each.key for each in stage_summaries(tmp_path)] == [stage.key]


def test_nothing_is_written_where_nothing_has_been_trained(tmp_path: Path) -> None:
    assert list(stage_summaries(tmp_path / "root")) == []
    assert not (tmp_path / "root").exists()


def test_stages_are_told_apart_by_the_encoder_at_their_beginning(tmp_path: Path) -> None:
    store, first = StageStore(tmp_path), a_stage()
    second = replace(a_stage(seed=2), parent=first)
    other = replace(a_stage(), parent=Pretrained("other", None, "other"))
    for stage in (first, second, other):
        publish(store, stage)
    found = of_start(stage_summaries(tmp_path), first.parent.key)
    assert {each.key for each in found} == {first.key, second.key}
