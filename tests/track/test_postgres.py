"""MLflow on PostgreSQL: the same runs as on sqlite, from a server that lives as long as the tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.search.specs import finish, sweep
from tests.track.test_mlflow import refuse
from xtr.search.book import Book
from xtr.search.sweep import sweep_folder
from xtr.search.sync import sync_tracking
from xtr.spec.sweep import SweepSpec
from xtr.track.mlflow import Tracker

pytestmark = pytest.mark.slow
pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
pgserver = pytest.importorskip("pgserver", reason="pgserver is not installed")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a socket's path must be short
        Path(folder).chmod(0o755)  # as root, the server runs under a user of its own
        try:
            server = pgserver.get_server(Path(folder) / "pg", cleanup_mode="delete")
        except Exception as error:
            pytest.skip(f"PostgreSQL does not start here: {error}")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1)
        server.cleanup()


def test_a_sweep_is_shown_on_postgresql_and_synced_without_doubles(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = sweep(tmp_path / "runs", trials_per_pair=2)
    spec = plain.model_copy(update={"tracking": plain.tracking.model_copy(update={"uri": database})})
    book = Book(spec, sweep_folder(spec))
    tracker = Tracker(spec, complain=refuse)
    book.listener = tracker.trial
    tracker.open([])
    for _ in range(4):
        job = book.next_job()
        assert job is not None
        finish(book, job)
    shown = runs_of(spec)
    assert len([name for name in shown if name.startswith("trial")]) == 4
    assert (tmp_path / "mlruns/artifacts").is_dir()
    for _ in range(2):
        assert "4 trials" in sync_tracking(spec)
        assert {name: values for name, values in runs_of(spec).items() if name.startswith("trial")} == {
            name: values for name, values in shown.items() if name.startswith("trial")
        }
        assert set(runs_of(spec)) == set(shown)


def runs_of(spec: SweepSpec) -> dict[str, object]:
    client = MlflowClient(tracking_uri=spec.tracking.uri)
    experiment = client.get_experiment_by_name("xtr/studied")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    shown: dict[str, object] = {
        run.data.tags["xtr.id"]: (run.data.params, run.data.metrics, run.info.status) for run in runs
    }
    assert len(shown) == len(runs)
    return shown
