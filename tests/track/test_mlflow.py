"""MLflow as a view: nested, found again, and never in the way."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.analysis.test_care import Plain
from tests.search.specs import sweep
from xtr.analysis.records.trials import TrialRow
from xtr.fingerprint import JSON
from xtr.spec.search import ORACLE
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.store import StageStore
from xtr.track.mlflow import Tracker
from xtr.track.where import tracking_uri

ROW = TrialRow(
    intermediate="squad_v1",
    target="tydiqa",
    number=0,
    phase="search",
    index=0,
    seed=1,
    params={"target.learning_rate": 3e-5, "target.epochs": 2},
    state="complete",
    value=0.5,
    rung=0.4,
    detail={"stages": [{"key": "abc", "reused": False}], "steps": 12, "seconds": 3.5},
)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, which take seconds to make, made once."""
    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def spec(tmp_path: Path, empty_database: Path) -> SweepSpec:
    plain = sweep(tmp_path / "runs")
    (tmp_path / "mlruns").mkdir()
    shutil.copyfile(empty_database, tmp_path / "mlruns" / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}"
    return plain.model_copy(update={"tracking": plain.tracking.model_copy(update={"uri": uri})})


def refuse(message: str) -> None:
    raise AssertionError(message)


def test_a_resumed_sweep_adds_to_the_runs_it_has(spec: SweepSpec) -> None:
    for _ in range(2):
        tracker = Tracker(spec, complain=refuse)
        tracker.open([ROW])
        tracker.trial(ROW)
        tracker.trial(replace(ROW, index=1, number=1, state="running", value=None))
        tracker.close("FINISHED")
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    kinds = [run.data.tags["xtr.kind"] for run in runs]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"sweep": 1, "pair": 6, "trial": 1}
    trial = next(run for run in runs if run.data.tags["xtr.kind"] == "trial")
    assert trial.info.status == "FINISHED"
    assert trial.data.params == {"target.learning_rate": "3e-05", "target.epochs": "2"}
    assert trial.data.metrics["select/score"] == 0.5


def test_winners_scores_stand_on_their_pairs_run(spec: SweepSpec) -> None:
    tracker = Tracker(spec, complain=refuse)
    tracker.open([])
    tracker.scores(Pair("none", "tydiqa"), {"test/tydiqa/xd/f1": 0.25})
    tracker.summary({"xtreme/tydiqa": 25.0})
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    runs = {run.data.tags["xtr.id"]: run for run in client.search_runs([experiment.experiment_id])}
    assert runs["pair none tydiqa"].data.metrics == {"test/tydiqa/xd/f1": 0.25}
    assert runs["sweep"].data.metrics == {"xtreme/tydiqa": 25.0}


def test_pairs_show_the_leaderboard_and_what_they_have_read(spec: SweepSpec) -> None:
    stage = Plain(
        {
            "kind": "train",
            "parts": [
                {"task": "tydiqa", "train_data": ["tydiqa@1/train/en"], "select_data": ["tydiqa@1/select"]}
            ],
        }
    )
    store = StageStore(spec.storage.workplace())
    with store.workspace(stage.key) as folder:
        store.publish(stage, folder, {}, {})  # type: ignore[arg-type]
    detail: dict[str, JSON] = {"stages": [{"key": stage.key}]}
    helped = replace(ROW, detail=detail, value=0.8)
    alone = replace(ROW, intermediate="none", detail={}, params={"target.epochs": 2})
    for _ in range(2):  # written again, nothing is there twice
        tracker = Tracker(spec, complain=refuse)
        tracker.open([alone, helped])
        tracker.leaderboard([alone, helped])
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    runs = {run.data.tags["xtr.id"]: run for run in client.search_runs([experiment.experiment_id])}
    best = runs["pair squad_v1 tydiqa"]
    assert best.info.run_name == "squad_v1 → tydiqa"
    assert best.data.metrics == {
        "select/score": 0.8,
        "leaderboard/place": 1,
        "transfer/best": pytest.approx(0.3),
    }
    assert "+30.0 points" in best.data.tags["mlflow.note.content"]
    read = [(each.dataset.name, each.tags[0].value) for each in best.inputs.dataset_inputs]
    assert sorted(read) == [("tydiqa select", "validation"), ("tydiqa train", "training")]
    assert runs["pair none tydiqa"].data.metrics["leaderboard/place"] == 2
    assert "squad_v1" in runs["sweep"].data.tags["mlflow.note.content"]
    assert runs["sweep"].data.metrics == {"select/tydiqa": 0.8}
    [trial] = [
        run for run in runs.values() if run.data.metrics.get("select/rung") and "none" in run.info.run_name
    ]
    assert trial.info.run_name == "none → tydiqa, search 000"
    view = json.loads(experiment.tags["mlflow.sharedViewState.leaderboard"])
    assert view["name"] == "Leaderboard"
    shown = json.loads(view["state"])
    assert {"metrics.`select/score`", "metrics.`test/mean`"} <= set(shown["selectedColumns"])


def test_a_trial_that_failed_says_why_in_the_table(spec: SweepSpec) -> None:
    error = "Traceback (most recent call last):\n  ...\nOSError: disk full\n"
    Tracker(spec, complain=refuse).open([replace(ROW, state="failed", value=None, detail={"error": error})])
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    [run] = client.search_runs([experiment.experiment_id], "tags.`xtr.kind` = 'trial'")
    assert (run.info.status, run.data.tags["xtr.state"]) == ("FAILED", "failed")
    assert "OSError: disk full" in run.data.tags["mlflow.note.content"]
    assert [artifact.path for artifact in client.list_artifacts(run.info.run_id)] == ["error.txt"]


def test_a_store_that_cannot_be_reached_is_told_once_and_stops_nothing(
    spec: SweepSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    closed = spec.model_copy(
        update={"tracking": spec.tracking.model_copy(update={"uri": "http://127.0.0.1:9"})}
    )
    complaints: list[str] = []
    tracker = Tracker(closed, complain=complaints.append)
    tracker.open([ROW])
    tracker.trial(ROW)
    tracker.close("FINISHED")
    assert len(complaints) == 1
    assert "http://127.0.0.1:9" in complaints[0]


def test_the_uri_comes_from_the_file_then_the_environment_then_the_folder(
    spec: SweepSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    silent = spec.model_copy(update={"tracking": spec.tracking.model_copy(update={"uri": None})})
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(silent) == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert tracking_uri(silent) == "http://tracking:5000"
    assert tracking_uri(spec) == spec.tracking.uri


def test_of_two_values_of_a_figure_the_later_one_is_shown(spec: SweepSpec) -> None:
    for value in (0.9, 0.4, 0.4):
        tracker = Tracker(spec, complain=refuse)
        tracker.open([])
        tracker.summary({"select/tydiqa": value})
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    [run] = client.search_runs([experiment.experiment_id], "tags.`xtr.id` = 'sweep'")
    assert run.data.metrics == {"select/tydiqa": 0.4}
    assert [m.value for m in client.get_metric_history(run.info.run_id, "select/tydiqa")] == [0.9, 0.4]


def test_an_experiment_that_was_deleted_comes_back(spec: SweepSpec) -> None:
    Tracker(spec, complain=refuse).open([ROW])
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    client.delete_experiment(client.get_experiment_by_name("xtr/studied").experiment_id)
    Tracker(spec, complain=refuse).open([ROW])
    experiment = client.get_experiment_by_name("xtr/studied")
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    assert len({run.data.tags["xtr.id"] for run in runs}) == len(runs) == 8


def test_a_password_in_the_uri_is_not_told(spec: SweepSpec) -> None:
    uri = "postgresql://xtr:secret@127.0.0.1:9/mlflow"
    closed = spec.model_copy(update={"tracking": spec.tracking.model_copy(update={"uri": uri})})
    assert Tracker(closed, complain=refuse).shown_at == "postgresql://xtr:***@127.0.0.1:9/mlflow"


def test_a_trial_of_another_study_is_no_trial_that_was_there_under_its_number(spec: SweepSpec) -> None:
    other = replace(ROW, params={"target.learning_rate": 5e-4, "target.epochs": 1}, value=0.9)
    tracker = Tracker(spec, complain=refuse)
    tracker.open([ROW])
    Tracker(spec, complain=refuse).open([other, replace(ROW, number=1, index=1)])
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    runs = client.search_runs([experiment.experiment_id], "tags.`xtr.kind` = 'trial'")
    assert sorted(run.data.metrics["select/score"] for run in runs) == [0.5, 0.9]


def test_no_password_is_told(spec: SweepSpec) -> None:
    uri = "postgres+nothing://user:se/cret@host/db"
    said: list[str] = []
    hidden = spec.model_copy(update={"tracking": spec.tracking.model_copy(update={"uri": uri})})
    Tracker(hidden, complain=said.append).open([])
    assert len(said) == 1
    assert "cret" not in said[0]


def test_scores_of_an_oracle_bear_a_tag_on_every_run(spec: SweepSpec) -> None:
    oracle = spec.model_copy(update={"search": spec.search.model_copy(update={"select_on": "oracle"})})
    row = replace(ROW, detail={"select_on": "oracle"})
    Tracker(spec, complain=refuse).open([ROW])
    tracker = Tracker(oracle, complain=refuse)  # the same sweep, selected otherwise now
    tracker.open([row])
    tracker.leaderboard([row])
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    runs = client.search_runs([experiment.experiment_id], "tags.`xtr.select_on` = 'oracle'")
    assert sorted(run.data.tags["xtr.kind"] for run in runs) == ["pair", "sweep", "trial"]
    [pair] = [run for run in runs if run.data.tags["xtr.kind"] == "pair"]
    assert ORACLE in pair.data.tags["mlflow.note.content"]
    assert "over other languages' dev sets" in pair.data.tags["mlflow.note.content"]


def test_a_trial_that_collapsed_bears_a_tag_by_which_it_is_found(spec: SweepSpec) -> None:
    collapsed = replace(ROW, detail={"collapsed": ["mnli"]})
    tracker = Tracker(spec, complain=refuse)
    tracker.open([collapsed, replace(ROW, number=1, seed=2)])
    tracker.leaderboard([collapsed])
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    [run] = client.search_runs([experiment.experiment_id], "tags.`xtr.collapsed` = 'mnli'")
    assert (run.info.status, run.data.metrics["select/score"]) == ("FINISHED", 0.5)
    [pair] = client.search_runs([experiment.experiment_id], "tags.`xtr.id` = 'pair squad_v1 tydiqa'")
    assert "1 of 1 trials; its best settings collapsed, too" in pair.data.tags["mlflow.note.content"]
