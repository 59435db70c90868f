"""What an evaluation lays out: files that the official scorer reads, with the same numbers as its own."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.stages.sample import a_sweep
from xtr.analysis.answers.forgetting import planned_links
from xtr.analysis.answers.leaderboard import Point, points
from xtr.analysis.official import score_folders
from xtr.analysis.records.links import read_links
from xtr.analysis.records.scores import read_scores
from xtr.analysis.records.trials import TrialRow, write_trials
from xtr.catalogue.lookup import find_task
from xtr.cli import app
from xtr.search.evaluation import _collect, _parts, _wanted, evaluate_sweep
from xtr.search.report import evaluation_document, evaluation_text
from xtr.spec.sweep import EvaluateSettings, Pair
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


def test_an_evaluation_tells_every_link_of_the_winners_chains_and_how_languages_agree(
    encoder_folder: Path, tmp_path: Path
) -> None:
    """Of a sweep whose trials and stages are there already, so that no cluster is needed."""
    settings = EvaluateSettings(batch_size=8, max_rows=8, forgetting=("tatoeba", "mlm"), layer=1)
    spec = a_sweep(tmp_path / "runs", str(encoder_folder), evaluate=settings)
    pairs = spec.pairs.model_copy(update={"intermediate": ("mnli>squad_v1",), "target": ("xnli",)})
    spec = spec.model_copy(update={"pairs": pairs})
    runner, folder = Runner(spec), spec.storage.workplace().sweep(spec.name)
    folder.mkdir(parents=True)
    trials = [
        TrialRow(pair.intermediate, pair.target, 0, "search", 0, 1, {}, "complete", 0.5)
        for pair in spec.pairs.pairs()
    ]
    write_trials(folder, trials)
    chosen = points(spec, trials)
    links = planned_links(spec, runner.source, chosen, "test")
    runner.evaluate([link.stage for link in links])
    runner.evaluate([stage for _, stages in _wanted(spec, runner.source, chosen, "test") for stage in stages])

    evaluation = evaluate_sweep(spec, "test", lambda _: None)
    assert {(row.intermediate, row.link, row.after) for row in evaluation.links} == {
        ("none", 0, "pretrained"),
        ("none", 1, "mnli"),
        ("mnli>squad_v1", 0, "pretrained"),
        ("mnli>squad_v1", 1, "mnli"),
        ("mnli>squad_v1", 2, "mnli>squad_v1"),
        ("mnli>squad_v1", 3, "mnli>squad_v1>mnli"),
    }
    assert {(row.task, row.metric) for row in evaluation.links} == {
        ("tatoeba", "accuracy"),
        ("mlm", "accuracy"),
        ("mlm", "likelihood"),
    }
    assert read_links(folder) == list(evaluation.links)
    assert {(row.target, row.metric) for row in evaluation.rows} == {("xnli", "accuracy")}, "winners alone"
    asked = {*(row.stage for row in evaluation.links), *(row.stage for row in evaluation.rows)}
    assert asked <= set(json.loads((folder / "evaluations.json").read_text())["splits"]["test"]), "kept by gc"

    text, document = evaluation_text(spec, evaluation), evaluation_document(spec, evaluation)
    assert "mnli>squad_v1 > xnli, link by link: mlm, loss in nats a hidden piece" in text
    assert "xnli: RankC with en on the same items" in text
    words = shlex.split(text.partition("score them: xtr ")[2].splitlines()[0])
    scored = CliRunner().invoke(app, words)
    assert scored.exit_code == 0
    assert "xnli" in scored.output
    told = document["agreements"]
    assert isinstance(told, list)
    assert {(each["intermediate"], each["language"]) for each in told if isinstance(each, dict)} == {
        (intermediate, language)
        for intermediate in ("none", "mnli>squad_v1")
        for language in ("xa", "xb", "xc", "xd")
    }
    assert document["links"] == json.loads(json.dumps([asdict(row) for row in evaluation.links]))
