"""The main job end to end on a small demo world: real Ray, Optuna, MLflow on sqlite, as a user types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from xtr.analysis.records.openings import read_openings
from xtr.fingerprint import file_digest
from xtr.storage.lease import Lease
from xtr.storage.posix import PosixStorage

pytestmark = pytest.mark.slow

SWEEP = """
version: 1
name: small
model: {name: demo}
pairs:
  intermediate: [squad_v1]
  target: [tydiqa, tatoeba]
stages:
  intermediate: {learning_rate: 5e-4, epochs: 1, batch_size: 16, max_length: 96}
  target: {learning_rate: 5e-4, epochs: 2, batch_size: 16, max_length: 96}
  evaluate: {batch_size: 64, layer: 0}
search:
  space:
    intermediate.fraction: {choice: [0.5, 1.0]}
    target.learning_rate: {log_float: [2e-4, 2e-3]}
    target.epochs: {int: [1, 2]}
  trials_per_pair: 3
  generation: 2
  early_stopping: {rung_epochs: 1, keep: 0.5}
  confirm: {top: 1, seeds: [2]}
data: {source: demo, demo_scale: 0.02}
"""


@dataclass(frozen=True)
class Place:
    """A folder with a sweep file, in which xtr is called as a user calls it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Place:
        folder.mkdir(parents=True)
        (folder / "small.yaml").write_text(SWEEP)
        return cls(folder)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "MLFLOW_"))
        }
        return subprocess.Popen(
            [sys.executable, "-m", "xtr", *arguments],
            cwd=self.folder,
            env=environment | {"HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def xtr(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=400)
        assert process.returncode == code, out + err
        return out if code == 0 else out + err

    def stages(self) -> dict[str, int]:
        """Finished stages by key, with the manifest's time of birth in nanoseconds."""
        return {p.parent.name: p.stat().st_mtime_ns for p in self.folder.glob("runs/stages/*/manifest.json")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place.make(tmp_path_factory.mktemp("sweep") / "place")


@pytest.fixture(scope="module")
def first_run(place: Place) -> str:
    return place.xtr("run", "small.yaml")


def leaderboard_of(output: str) -> str:
    return output[output.index("leaderboard of") : output.index("this run made")]


def test_a_sweep_ends_in_a_leaderboard_that_shows_transfer(place: Place, first_run: str) -> None:
    assert "leaderboard of small" in first_run
    assert "next: xtr evaluate small" in first_run
    document = json.loads(place.xtr("best", "small", "--json"))
    rows = {(row["target"], row["intermediate"]): row for row in document["rows"]}
    assert set(rows) == {(t, i) for t in ("tydiqa", "tatoeba") for i in ("none", "squad_v1")}
    for (target, _), row in rows.items():
        assert 0 <= row["score"] <= 1
        assert row["transfer"] == pytest.approx(row["score"] - rows[target, "none"]["score"])
        assert row["transfer_same_settings"] is not None


def test_running_again_trains_nothing_and_says_the_same(place: Place, first_run: str) -> None:
    before = place.stages()
    again = place.xtr("run", "small.yaml")
    assert "this run made 0 training steps" in again
    assert leaderboard_of(again) == leaderboard_of(first_run)
    assert place.stages() == before


def test_another_sweep_reuses_the_stages_of_the_first(place: Place, first_run: str) -> None:
    assert first_run
    other = place.xtr("run", "small.yaml", "--set", "name=other")
    assert "this run made 0 training steps" in other
    assert leaderboard_of(other).replace("other", "small") == leaderboard_of(first_run)


def test_a_finished_sweep_owes_nothing(place: Place, first_run: str) -> None:
    assert first_run
    plan = json.loads(place.xtr("plan", "small.yaml", "--json"))
    assert plan["owed"] == 0
    assert plan["pairs"] == 4
    for counts in plan["stages"].values():
        assert counts["distinct"] == counts["stored"] <= counts["asked"]


def test_winners_are_scored_in_every_language_and_exported_configs_rerun_to_the_same_score(
    place: Place, first_run: str
) -> None:
    assert first_run
    text = place.xtr("evaluate", "small")
    assert re.search(r"after +en +xa +xb +xc +xd +mean +gap", text)
    assert re.search(
        r"mean over 2 targets after +score\nthe winner per target .chosen on the select split. +[0-9.]+", text
    )
    assert re.search(r"one for all: squad_v1 +[0-9.]+\nnone +[0-9.]+", text)
    predictions = place.folder / "runs/sweeps/small/predictions/test/none/seed-2"
    answers = json.loads((predictions / "tydiqa/test-xc.json").read_text())
    assert answers
    rows = json.loads(place.xtr("evaluate", "small", "--json"))["rows"]
    for intermediate in ("none", "squad_v1"):
        predicted = f"runs/sweeps/small/predictions/test/{intermediate}/seed-2"
        folders = ("--predictions", predicted, "--labels", "runs/sweeps/small/labels/test")
        official = json.loads(place.xtr("score", *folders, "--languages", "available", "--json"))["tasks"]
        assert {
            (task, language, metric): pytest.approx(value / 100)
            for task, each in official.items()
            for language, metrics in each["languages"].items()
            for metric, value in metrics.items()
        } == {
            (row["target"], row["language"], row["metric"]): row["value"]
            for row in rows
            if (row["intermediate"], row["seed"]) == (intermediate, 2)
        }
    compared = json.loads(place.xtr("compare", "small/squad_v1", "small/none", "--json"))["targets"]
    shown = {
        (row["intermediate"], row["language"]): row["value"]
        for row in rows
        if row["metric"] == "f1" and row["target"] == "tydiqa"
    }
    [tydiqa] = [each for each in compared if each["target"] == "tydiqa"]
    for language in tydiqa["languages"]:
        assert language["one"] == pytest.approx(shown["squad_v1", language["language"]])
        assert language["other"] == pytest.approx(shown["none", language["language"]])
    lines = (predictions / "tatoeba/test-xa.tsv").read_text().splitlines()
    assert sorted(set(map(int, lines)) - set(range(len(lines)))) == []
    exported = place.xtr("export", "small", "--to", "best", "--weights")
    for target, loaded in ("tydiqa", "AutoModelForQuestionAnswering"), ("tatoeba", "AutoModel"):
        assert f'{loaded}.from_pretrained("best/{target}")' in exported
    assert plain_answers(place, "xb") == json.loads(
        (place.folder / "best/tydiqa/predictions/test/tydiqa/test-xb.json").read_text()
    )
    best = {row["target"]: row for row in reversed(json.loads(place.xtr("best", "small", "--json"))["rows"])}
    place.xtr("run", "best/tydiqa.yaml")
    again = json.loads(place.xtr("best", "small-best-tydiqa", "--json"))["rows"][0]
    assert (again["intermediate"], again["score"]) == (
        best["tydiqa"]["intermediate"],
        best["tydiqa"]["score"],
    )
    assert again["config"] == best["tydiqa"]["config"]


def plain_answers(place: Place, language: str) -> dict[str, str]:
    """Answer the test questions with the exported model, as transformers alone loads it."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    from xtr.catalogue.lookup import find_task
    from xtr.data.demo.source import DemoSource
    from xtr.families.registry import family_of

    task = find_task("tydiqa")
    family = family_of(task)
    rows = DemoSource(place.folder / "runs/data", seed=0, scale=0.02).rows(task, "test", language)
    model = AutoModelForQuestionAnswering.from_pretrained(place.folder / "best/tydiqa").eval()
    tokenizer = AutoTokenizer.from_pretrained(place.folder / "best/tydiqa")
    examples, scores = family.encode(rows, task, tokenizer, 96), []
    for example in examples:
        with torch.inference_mode():
            outputs = model(input_ids=torch.tensor([example.sequences[0].input_ids]))
        scores.append(torch.stack([outputs.start_logits[0], outputs.end_logits[0]], dim=-1))
    answers: dict[str, str] = json.loads(
        family.prediction_file(rows, family.decode(scores, examples, rows, task))
    )
    return answers


def test_mlflow_shows_sweep_pair_and_trial_nested_with_params_scores_and_checkpoints(
    place: Place, first_run: str
) -> None:
    assert first_run
    client = MlflowClient(tracking_uri=f"sqlite:///{place.folder / 'mlruns/mlflow.db'}")
    experiment = client.get_experiment_by_name("xtr/small")
    assert experiment is not None
    assert experiment.artifact_location.endswith("/mlruns/artifacts")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    kinds = {
        kind: [r for r in runs if r.data.tags["xtr.kind"] == kind] for kind in ("sweep", "pair", "trial")
    }
    (sweep,) = kinds["sweep"]
    assert {run.data.tags["mlflow.parentRunId"] for run in kinds["pair"]} == {sweep.info.run_id}
    pairs = {run.info.run_id for run in kinds["pair"]}
    assert {run.data.tags["mlflow.parentRunId"] for run in kinds["trial"]} <= pairs
    states = json.loads(place.xtr("status", "small", "--json"))["trials"]
    assert len(kinds["trial"]) == sum(states.values())
    trial = next(
        r
        for r in kinds["trial"]
        if r.data.tags["xtr.target"] == "tydiqa" and "select/score" in r.data.metrics
    )
    assert float(trial.data.params["target.learning_rate"]) > 0
    weights = Path(trial.data.tags["xtr.checkpoint_uri"], "encoder", "model.safetensors")
    assert file_digest(weights) == trial.data.tags["xtr.checkpoint_sha256"]
    assert "sweep.yaml" in [artifact.path for artifact in client.list_artifacts(sweep.info.run_id)]
    assert "xtreme/tydiqa" in sweep.data.metrics
    scored = next(r for r in kinds["pair"] if r.data.tags["xtr.target"] == "tydiqa")
    assert "test/tydiqa/xd/f1" in scored.data.metrics


def shown_in_mlflow(place: Place) -> dict[str, tuple[Any, ...]]:
    """All that MLflow has of the sweep, by the runs' own names."""
    # Of its own name, because MLflow keeps a database open by its path, also when another lies there by now.
    database = shutil.copy(place.folder / "mlruns/mlflow.db", place.folder / f"{uuid.uuid4().hex}.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    experiment = client.get_experiment_by_name("xtr/small")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    names = {run.info.run_id: run.data.tags["xtr.id"] for run in runs}
    assert len(set(names.values())) == len(runs)
    return {
        run.data.tags["xtr.id"]: (
            run.info.status,
            run.data.params,
            {
                name: sorted({(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)})
                for name in run.data.metrics
            },
            {name: names.get(value, value) for name, value in run.data.tags.items()},
            [artifact.path for artifact in client.list_artifacts(run.info.run_id)],
        )
        for run in runs
    }


def test_what_mlflow_shows_is_rebuilt_from_the_journal_and_the_stages(place: Place, first_run: str) -> None:
    assert first_run
    place.xtr("evaluate", "small")
    before = shown_in_mlflow(place)
    trials = place.folder / "runs/sweeps/small/trials.jsonl"
    view = trials.read_text()
    (place.folder / "mlruns").rename(place.folder / "lost")
    trials.unlink()
    for _ in range(2):
        assert "of small" in place.xtr("track", "sync", "small")
        assert shown_in_mlflow(place) == before
    assert set(trials.read_text().splitlines()) <= set(view.splitlines())
    assert any("select/tydiqa/f1" in metrics for _, _, metrics, _, _ in before.values())


def test_the_store_of_a_sweep_is_told_kept_and_cleared(place: Place, first_run: str, tmp_path: Path) -> None:
    assert first_run
    shutil.copytree(place.folder, tmp_path / "copy")
    copy = Place(tmp_path / "copy")
    copy.xtr("export", "small", "--to", "best")
    stages = json.loads(copy.xtr("store", "ls", "--json"))["stages"]
    assert {stage["key"] for stage in stages} == set(copy.stages())
    assert all(stage["kept"] for stage in stages)
    assert json.loads(copy.xtr("store", "gc", "--dry-run", "--json"))["kept_stages"] == len(stages)
    trained = next(stage for stage in stages if stage["task"] == "tydiqa" and stage["kind"] == "train")
    damaged = Place(Path(shutil.copytree(copy.folder, tmp_path / "damaged")))
    for stage in stages:
        if stage["task"] == "tydiqa" and stage["kind"] == "train":
            weights = damaged.folder / "runs/stages" / stage["key"] / "encoder/model.safetensors"
            weights.write_bytes(weights.read_bytes()[:-1])
    assert "again, which is not there or was damaged" in damaged.xtr("evaluate", "small", "--split", "dev")
    told = copy.xtr("store", "show", trained["key"][:12])
    assert f'from_pretrained("{copy.folder}/runs/stages/{trained["key"]}/encoder")' in told
    assert "are the key: yes" in copy.xtr("store", "why", trained["key"])
    shutil.rmtree(copy.folder / "runs/sweeps/small")
    copy.xtr("store", "gc", "--yes")
    left = copy.stages()
    assert 0 < len(left) < len(stages)
    assert "this run made 0 training steps" in copy.xtr("run", "best/tydiqa.yaml")
    assert copy.stages() == left, "an export keeps all that running it again reads"
    weights = copy.folder / "runs/stages" / next(iter(left)) / "encoder/config.json"
    weights.write_text("{}")
    assert "1 broken" in copy.xtr("store", "verify", "--repair", code=1)
    assert f"{len(left) - 1} stages read, 0 broken" in copy.xtr("store", "verify")


def test_a_second_driver_of_the_same_sweep_leaves_with_2(place: Place, first_run: str) -> None:
    assert first_run
    lease = Lease.claim(PosixStorage(place.folder / "runs"), "sweeps/small/driver.lease")
    assert lease is not None
    with lease:
        message = place.xtr("run", "small.yaml", code=2)
    assert "another driver runs this sweep" in message
    assert "Traceback" not in message


def test_bad_input_is_refused_before_any_work_with_every_problem(tmp_path: Path) -> None:
    place = Place.make(tmp_path / "bad")
    (place.folder / "data/udpos").mkdir(parents=True)
    (place.folder / "data/udpos/train-en.tsv").write_text("The\tDET\ncat\tNOUNS\n\nruns\n")
    (place.folder / "data/udpos/dev-en.tsv").write_text("")
    message = place.xtr(
        "run",
        "small.yaml",
        *("--set", "data={source: official, official_root: data}"),
        *("--set", "pairs={intermediate: [], target: [udpos]}"),
        *("--set", "search={}"),
        code=2,
    )
    assert "train-en.tsv:2" in message
    assert "NOUNS" in message
    assert "did you mean 'NOUN'" in message
    assert "train-en.tsv:4" in message
    assert "dev-en.tsv" in message
    assert "Traceback" not in message
    assert not (place.folder / "runs/sweeps").exists()


def test_a_report_lies_beside_the_sweep_in_mlflow_and_counts_who_opened_test(
    place: Place, first_run: str
) -> None:
    assert first_run
    place.xtr("evaluate", "small")
    place.xtr("evaluate", "small")
    openings = read_openings(place.folder / "runs/sweeps/small")
    assert {(each.split, each.evaluations) for each in openings} == {("test", openings[0].evaluations)}
    assert openings[-1].computed == 0
    document = json.loads(place.xtr("report", "small", "--to", "shown", "--json"))
    page = (place.folder / "shown" / "report.html").read_text()
    assert f"test {len(openings)} times" in page
    best = json.loads(place.xtr("best", "small", "--json"))["rows"]
    assert all(f'<td class="n">{100 * row["score"]:.1f}</td>' in page for row in best)
    reports = [artifacts for *_, artifacts in shown_in_mlflow(place).values() if "report" in artifacts]
    assert len(reports) == 1
    assert document["mlflow"].endswith("mlflow.db")
