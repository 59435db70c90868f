"""Evaluation in one pass: what is whole is published, shared work is equal work, and rescoring needs no model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import torch

from tests.stages.sample import a_sweep
from tests.train.test_workers import on_two_ranks
from xtr.catalogue.lookup import find_task
from xtr.errors import Drained
from xtr.families import registry
from xtr.model.world import World
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.drain import Drain
from xtr.stages.evaluating import EvaluateJob, evaluate_group
from xtr.stages.path import Paths
from xtr.stages.run import Outcome, Runner
from xtr.stages.stage import EvaluateStage
from xtr.storage.lease import Lease
from xtr.storage.posix import PosixStorage


def asked(runner: Runner, name: str, languages: Sequence[str]) -> tuple[EvaluateStage, ...]:
    paths = Paths(runner.spec, runner.source)
    path = paths.path(Pair("none", name), {}, 1)
    return paths.evaluations(path.end, path.target, find_task(name), "test", tuple(languages))


def contents(runner: Runner, stages: Sequence[EvaluateStage]) -> list[tuple[object, object]]:
    manifests = [runner.store.read(stage.key) for stage in stages]
    return [(each.files, each.result) for each in manifests if each is not None]


@pytest.fixture
def runner(encoder_folder: Path, tmp_path: Path) -> Runner:
    return Runner(a_sweep(tmp_path / "runs", str(encoder_folder)))


@pytest.mark.parametrize("name", ["udpos", "xquad", "bucc2018", "lareqa"])
def test_another_way_of_scoring_needs_neither_model_nor_encoder(
    name: str, encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "encoder"
    shutil.copytree(encoder_folder, own)
    runner = Runner(a_sweep(tmp_path / "runs", str(own)))
    before = asked(runner, name, ("xa", "xd") if name != "lareqa" else ("en", "xa"))
    first = runner.evaluate(before)
    monkeypatch.setitem(registry.SCORING, find_task(name).family, 2)
    after = asked(runner, name, [stage.language for stage in before])
    assert {stage.key for stage in before}.isdisjoint(stage.key for stage in after)

    for stage in before:
        runner.store.remove(stage.parent.key)
    shutil.rmtree(own)
    told: list[Outcome] = []
    again = Runner(runner.spec, told=told.append).evaluate(after)
    assert [each.result for each in again] == [each.result for each in first]
    assert not any(each.reused for each in again)
    assert {stage.key for stage in after} <= {each.key for each in told}
    assert [files for files, _ in contents(runner, after)] == [files for files, _ in contents(runner, before)]


def test_another_way_of_predicting_needs_the_model_again(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    [before] = asked(runner, "xnli", ("xa",))
    runner.evaluate([before])
    monkeypatch.setitem(registry.PREDICTING, "pair", 2)
    [after] = asked(runner, "xnli", ("xa",))
    assert after.key != before.key
    raw = runner.store.folder(before.key) / "raw.jsonl"
    raw.write_text("")  # damaged: who would read it would see
    runner.evaluate([after])
    assert len((runner.store.folder(after.key) / "raw.jsonl").read_text().splitlines()) == 8


def test_damaged_predictions_are_not_scored_again(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    [before] = asked(runner, "xnli", ("xa",))
    [first] = runner.evaluate([before])
    (runner.store.folder(before.key) / "raw.jsonl").write_text(8 * '"neutral"\n')
    monkeypatch.setitem(registry.SCORING, "pair", 2)
    fresh = Runner(runner.spec)
    [again] = fresh.evaluate(asked(fresh, "xnli", ("xa",)))
    assert again.result == first.result


class AfterLooks(Drain):
    """Asked to come to rest after so many looks."""

    def __init__(self, path: Path, n: int) -> None:
        super().__init__(path)
        self.left = n

    def before_work(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Drained("nothing new starts")


def test_what_is_whole_when_the_sweep_comes_to_rest_stays_and_is_told(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xtr.stages.evaluating.WAVE_STAGES", 1)
    stages = asked(runner, "xnli", ("en", "xa", "xd"))
    runner.make(stages[0].parent)
    told: list[Outcome] = []
    drained = Runner(runner.spec, AfterLooks(tmp_path / "drain", 2), told.append)  # before all, and one wave
    with pytest.raises(Drained):
        drained.evaluate(stages)
    assert [runner.store.has(stage.key) for stage in stages] == [True, False, False]
    assert [each.key for each in told] == [stages[0].key]
    assert told[0].seconds > 0
    assert not list((runner.root / "leases").iterdir())
    assert [each.reused for each in runner.evaluate(stages)] == [True, False, False]


def test_what_somebody_else_computes_is_waited_for_last_and_taken_over_when_given_up(runner: Runner) -> None:
    stages = asked(runner, "xnli", ("en", "xa"))
    runner.make(stages[0].parent)
    held = Lease.claim(PosixStorage(runner.root), f"leases/{stages[0].key}")
    assert held is not None
    with ThreadPoolExecutor(1) as thread:
        outcomes = thread.submit(runner.evaluate, stages)
        while not runner.store.has(stages[1].key) and not outcomes.done():
            Event().wait(0.05)
        assert not runner.store.has(stages[0].key)
        held.release()
        assert [each.reused for each in outcomes.result()] == [False, False]


def shared_work(
    world: World, spec: SweepSpec, groups: Sequence[tuple[EvaluateStage, ...]], folder: Path
) -> None:
    """What each of two ranks runs."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=world.rank, world_size=world.size
    )
    computed = [evaluate_group(EvaluateJob(spec, group), world) for group in groups]
    (folder / f"computed{world.rank}.json").write_text(json.dumps(computed))
    torch.distributed.destroy_process_group()


def test_two_workers_publish_what_one_publishes(runner: Runner, tmp_path: Path) -> None:
    """Stages with a pool, with thresholds, and one that is there already."""
    ranked = asked(runner, "lareqa", ("en", "xa"))
    mined = (*asked(runner, "bucc2018", ("xa", "xb")), *asked(runner, "tatoeba", ("xc",)))
    runner.make(ranked[0].parent)
    runner.evaluate(ranked[:1])
    shutil.rmtree(runner.root / "leases")
    shutil.copytree(runner.root, tmp_path / "two")
    two = Runner(a_sweep(tmp_path / "two", runner.spec.model.name))
    on_two_ranks(shared_work, lambda world: (world, two.spec, (ranked, mined), tmp_path))
    runner.evaluate(ranked)
    runner.evaluate(mined)
    every = (*ranked, *mined)
    assert contents(two, every) == contents(runner, every)
    computed, followed = (json.loads((tmp_path / f"computed{rank}.json").read_text()) for rank in (0, 1))
    assert computed[0] == [ranked[1].key]
    assert set(computed[1]) > {stage.key for stage in mined}, "thresholds, too"
    assert followed == [[], []]
    manifest = two.store.read(ranked[1].key)
    assert manifest is not None
    assert manifest.made["workers"] == 2


def test_one_encoder_serves_trained_heads_and_retrieval_alike(runner: Runner, tmp_path: Path) -> None:
    """A checkpoint that is target and intermediate: its head reads the last block, retrieval an early one."""
    tagged = asked(runner, "udpos", ("en", "xa"))
    retrieved = [
        replace(stage, parent=tagged[0].parent, layer=layer)
        for layer, stage in zip((0, 1), asked(runner, "tatoeba", ("xb", "xc")), strict=True)
    ]
    runner.evaluate([*retrieved, *tagged])
    other = Runner(a_sweep(tmp_path / "apart", runner.spec.model.name))
    for stage in (*tagged, *retrieved):
        other.evaluate([stage])
    assert contents(other, (*tagged, *retrieved)) == contents(runner, (*tagged, *retrieved))
