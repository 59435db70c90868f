"""What an evaluation lays out: files that the official scorer reads, with the same numbers as its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stages.sample import a_sweep
from xtr.analysis.leaderboard import Point
from xtr.analysis.official import score_folders
from xtr.analysis.scores import read_scores
from xtr.catalogue.lookup import find_task
from xtr.search.evaluation import _collect, _parts
from xtr.spec.sweep import Pair
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.stage import EvaluateStage


def test_the_official_scorer_finds_the_scores_of_the_evaluation_in_its_files(
    encoder_folder: Path, tmp_path: Path
) -> None:
    runner = Runner(a_sweep(tmp_path, str(encoder_folder)))
    paths = Paths(runner.spec, runner.source)
    wanted = []
    for target in ("xnli", "xquad", "udpos", "tatoeba"):
        path = paths.path(Pair("none", target), {}, 1)
        languages = ("xa", "xd") if target == "tatoeba" else ("en", "xd")
        stages = paths.evaluations(path.end, path.target, find_task(target), "test", languages)
        runner.evaluate(stages)
        wanted.append((Point(Pair("none", target), {}, 1, wins=True), stages))
    loser = Point(Pair("none", "xnli"), {"target.epochs": 9}, 1, wins=False)
    wanted.append((loser, wanted[0][1]))
    evaluation = _collect(runner, tmp_path / "sweep", wanted, "test")
    assert evaluation.unlabelled == ()
    assert read_scores(tmp_path / "sweep") == list(evaluation.rows)
    winning = [row for row in evaluation.rows if not row.settings]
    assert len(evaluation.rows) == len(winning) + 2, "a point that does not win has scores, and no files"
    predictions = evaluation.predictions / "none" / "seed-1"
    official = score_folders(predictions, evaluation.labels, "xtreme", "available").tasks
    assert {
        (task, language, metric): value
        for task, languages in official.items()
        for language, metrics in languages.items()
        for metric, value in metrics.items()
    } == {(row.target, row.language, row.metric): pytest.approx(row.value) for row in winning}


def test_stages_of_a_checkpoint_are_dealt_out_by_rows_and_those_that_share_a_pool_stay_together(
    encoder_folder: Path, tmp_path: Path
) -> None:
    runner = Runner(a_sweep(tmp_path, str(encoder_folder)))
    paths = Paths(runner.spec, runner.source)

    def asked(name: str, *languages: str) -> tuple[EvaluateStage, ...]:
        path = paths.path(Pair("none", name), {}, 1)
        return paths.evaluations(path.end, path.target, find_task(name), "test", languages)

    tagged, ranked = asked("udpos", "en", "xa", "xb", "xc", "xd"), asked("lareqa", "en", "xa")
    alone = list(_parts([*tagged, *ranked], runner.source, 1))
    assert alone == [tagged, ranked], "a part has one checkpoint"
    shared = list(_parts([*tagged, *ranked], runner.source, 2))
    assert sorted(len(part) for part in shared) == [2, 2, 3]
    assert ranked in shared
    assert {stage.key for part in shared for stage in part} == {stage.key for stage in (*tagged, *ranked)}
