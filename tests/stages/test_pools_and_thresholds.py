"""Stages that need others: a threshold comes from dev, a pool is embedded once a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stages.sample import a_sweep
from xtr.catalogue.lookup import find_task
from xtr.spec.sweep import Pair
from xtr.stages.path import Paths
from xtr.stages.run import Runner

BUCC, LAREQA = find_task("bucc2018"), find_task("lareqa")


@pytest.fixture
def runner(encoder_folder: Path, tmp_path: Path) -> Runner:
    return Runner(a_sweep(tmp_path / "runs", str(encoder_folder)))


def stored(runner: Runner, kind: str) -> list[str]:
    manifests = [json.loads(path.read_text()) for path in runner.root.glob("stages/*/manifest.json")]
    return [each["key"] for each in manifests if each["recipe"]["kind"] == kind]


def test_test_pairs_are_cut_at_the_threshold_that_the_search_has_fitted(runner: Runner) -> None:
    paths = Paths(runner.spec, runner.source)
    path = paths.path(Pair("none", "bucc2018"), {}, 1)
    assert [stage.language for stage in path.select] == ["xa", "xb", "xc", "xd"]
    (asked,) = paths.evaluations(path.end, None, BUCC, "test", ("xb",))
    assert asked.calibration == path.select[1]
    assert asked.reads == (("bucc2018", "test", "xb"), ("bucc2018", "select", "xb"))

    (on_test,) = runner.evaluate([asked])
    assert set(stored(runner, "evaluate")) == {asked.key, path.select[1].key}
    (on_dev,) = runner.evaluate([path.select[1]])
    assert on_dev.reused
    assert on_test.result["threshold"] == on_dev.result["threshold"]
    assert set(on_test.scores) == set(on_dev.scores) == {"f1", "precision", "recall"}
    (on_dev_again,) = runner.evaluate(paths.evaluations(path.end, None, BUCC, "dev", ("xb",)))
    assert on_dev_again.scores == on_dev.scores, "dev is where the threshold is fitted"


def test_the_pool_of_all_languages_is_embedded_once_for_every_language(runner: Runner) -> None:
    paths = Paths(runner.spec, runner.source)
    target = paths.path(Pair("none", "lareqa"), {}, 1).target
    assert target is not None
    assert target.task == "squad_qa_retrieval"
    one, two, three = paths.evaluations(target, target, LAREQA, "test", ("en", "xa", "xd"))
    assert one.pool is not None
    assert one.pool == two.pool == three.pool
    assert [language for language, _ in one.pool.data] == ["en", "xa", "xb", "xc", "xd"]

    outcomes = runner.evaluate([one, two])
    (pool,) = stored(runner, "embed")
    written = (runner.store.folder(pool) / "vectors.safetensors").stat().st_mtime_ns
    outcomes += runner.evaluate([three])
    assert stored(runner, "embed") == [pool]
    assert (runner.store.folder(pool) / "vectors.safetensors").stat().st_mtime_ns == written
    assert all(0 <= each.scores["map_at_20"] <= 1 for each in outcomes)
    ranked = json.loads((runner.store.folder(two.key) / "predictions.json").read_text())
    assert {len(ids) for ids in ranked.values()} == {20}
    assert len({each.split("_")[0] for ids in ranked.values() for each in ids}) > 1, "other languages too"
