"""The demo as a Ray job on a real head: followed to its end, submitted again, refused, failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.local import LocalCluster, run_arguments
from xtr.analysis.trials import read_trials

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(cpus=2) as cluster:
        yield cluster


def test_the_demo_runs_as_a_job_and_the_same_job_again_trains_nothing(
    cluster: LocalCluster, shared: Path
) -> None:
    command = run_arguments(shared, search__trials_per_pair=2)
    first = cluster.submit(command, seconds=400)
    assert first.returncode == 0, first.stdout
    assert "leaderboard of demo" in first.stdout
    assert "this run made 0 training steps" not in first.stdout

    folder = shared / "sweeps" / "demo"
    rows = read_trials(folder)
    assert {row.intermediate for row in rows} == {"none", "csqa"}
    assert all(row.state in ("complete", "pruned") for row in rows)
    assert (folder / "study.journal").stat().st_size > 0
    assert (shared / "mlflow.db").exists()

    second = cluster.submit(command, seconds=300)
    assert second.returncode == 0, second.stdout
    assert "this run made 0 training steps" in second.stdout


def test_a_wrong_token_is_refused_at_once(cluster: LocalCluster, tmp_path: Path) -> None:
    refused = cluster.submit(run_arguments(tmp_path), seconds=200, RAY_AUTH_TOKEN="0" * 64)
    assert refused.returncode != 0
    assert "token" in refused.stdout.lower()
    assert not list(tmp_path.iterdir())


def test_a_job_with_a_bad_sweep_fails_and_its_log_says_what_is_wrong(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    failed = cluster.submit(run_arguments(tmp_path, pairs__target="[tydiqaa]"), seconds=200)
    assert failed.returncode == 1, "ray job submit turns every failure into 1"
    assert "did you mean 'tydiqa'" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert not list(tmp_path.iterdir())
