"""RankC of an evaluation: from the rankings that it keeps, and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stages.sample import a_sweep
from xtr.analysis.answers.consistency import Agreement, agreements, agreements_text
from xtr.analysis.records.scores import ScoreRow
from xtr.catalogue.lookup import find_task
from xtr.families import registry
from xtr.metrics.consistency import rank_consistency
from xtr.spec.sweep import Pair
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.scoring import read_rankings
from xtr.stages.stage import EvaluateStage


def scored(runner: Runner, target: str) -> list[EvaluateStage]:
    paths = Paths(runner.spec, runner.source)
    path = paths.path(Pair("none", target), {}, 1)
    stages = paths.evaluations(path.end, path.target, find_task(target), "test", ("en", "xa", "xd"))
    runner.evaluate(stages)
    return list(stages)


def rows_of(target: str, stages: list[EvaluateStage]) -> list[ScoreRow]:
    return [
        ScoreRow("none", target, 1, "test", each.language, "accuracy", 0.5, 8, each.key) for each in stages
    ]


@pytest.mark.parametrize(("target", "n_candidates"), [("xnli", 3), ("xcopa", 2)])
def test_languages_are_compared_with_the_source_by_what_the_evaluation_kept(
    target: str, n_candidates: int, encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Runner(a_sweep(tmp_path, str(encoder_folder)))
    stages = scored(runner, target)
    kept = {stage.language: read_rankings(runner.store, stage.key) for stage in stages}
    for stage in stages:
        raw = (runner.store.folder(stage.key) / "raw.jsonl").read_text().splitlines()
        assert [each[0] for each in kept[stage.language].values()] == [str(json.loads(line)) for line in raw]
        assert {len(set(each)) for each in kept[stage.language].values()} == {n_candidates}
    found = agreements(runner.store, rows_of(target, stages), "en")
    assert [(each.language, each.n) for each in found] == [("xa", 8), ("xd", 8)]
    for each in found:
        ours, theirs = (list(kept[code].values()) for code in ("en", each.language))
        assert each.value == rank_consistency(ours, theirs)
    assert agreements(runner.store, rows_of(target, stages[1:]), "en") == [], "nothing to compare with"

    monkeypatch.setitem(registry.SCORING, find_task(target).family, 2)  # scored again without a model
    again = scored(Runner(runner.spec), target)
    assert {stage.key for stage in again}.isdisjoint(stage.key for stage in stages)
    assert agreements(runner.store, rows_of(target, again), "en") == found


def test_a_target_without_candidates_or_parallel_items_is_left_out(
    encoder_folder: Path, tmp_path: Path
) -> None:
    runner = Runner(a_sweep(tmp_path, str(encoder_folder)))
    stages = scored(runner, "udpos")
    assert not (runner.store.folder(stages[0].key) / "rankings.jsonl").exists()
    assert agreements(runner.store, rows_of("udpos", stages), "en") == []


def test_seeds_are_averaged_and_missing_languages_are_dashes() -> None:
    found = [
        Agreement("none", "xnli", 1, "xa", 0.5, 8),
        Agreement("none", "xnli", 2, "xa", 0.7, 8),
        Agreement("mnli", "xnli", 1, "xd", 1.0, 8),
    ]
    title, header, none, mnli = agreements_text(found, "xnli", "en").splitlines()
    assert title == "xnli: RankC with en on the same items"
    assert header.split() == ["after", "xa", "xd", "mean"]
    assert none.split() == ["none", "60.0", "-", "60.0"]
    assert mnli.split() == ["mnli", "-", "100.0", "100.0"]
    assert agreements_text(found, "pawsx", "en") == ""
