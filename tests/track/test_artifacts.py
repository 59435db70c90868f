"""A report lies beside the sweep's run, where there is one."""

from __future__ import annotations

from pathlib import Path

from mlflow.tracking import MlflowClient

from tests.search.specs import sweep
from xtr.spec.sweep import SweepSpec
from xtr.track.artifacts import log_files
from xtr.track.mlflow import Tracker

FILES = ("report.html", "tables/gaps.csv")


def refuse(message: str) -> None:
    raise AssertionError(message)


def tracked_at(spec: SweepSpec, uri: str) -> SweepSpec:
    return spec.model_copy(update={"tracking": spec.tracking.model_copy(update={"uri": uri})})


def test_files_lie_beside_the_sweep_s_run_and_what_is_not_shown_is_left_alone(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}"
    spec = tracked_at(sweep(tmp_path / "runs"), uri)
    (tmp_path / "out" / "tables").mkdir(parents=True)
    (tmp_path / "out" / "report.html").write_text("<p>first</p>")
    (tmp_path / "out" / "tables" / "gaps.csv").write_text("a,b\n")
    (tmp_path / "out" / "mine.txt").write_text("no part of the report")
    assert log_files(spec, tmp_path / "out", FILES, "report", refuse) is None
    assert not (tmp_path / "mlruns").exists()
    Tracker(spec, complain=refuse).open([])
    (tmp_path / "out" / "report.html").write_text("<p>second</p>")
    assert log_files(spec, tmp_path / "out", FILES, "report", refuse) == uri
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    [run] = client.search_runs([experiment.experiment_id], "tags.`xtr.kind` = 'sweep'")
    assert {each.path for each in client.list_artifacts(run.info.run_id, "report")} == {
        "report/report.html",
        "report/tables",
    }
    page = client.download_artifacts(run.info.run_id, "report/report.html", str(tmp_path))
    assert Path(page).read_text() == "<p>second</p>"
    other = spec.model_copy(update={"name": "never-run"})
    assert log_files(other, tmp_path / "out", FILES, "report", refuse) is None


def test_a_server_that_does_not_answer_is_told_and_no_error(tmp_path: Path) -> None:
    told: list[str] = []
    spec = tracked_at(sweep(tmp_path), "postgresql://me:secret@127.0.0.1:1/none")
    assert log_files(spec, tmp_path, FILES, "report", told.append) is None
    assert len(told) == 1
    assert "secret" not in told[0]
