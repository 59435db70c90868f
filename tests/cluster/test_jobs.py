"""The demo as a Ray job on a real head: followed to its end, submitted again, refused, failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.local import DEMO, LocalCluster, run_arguments
from xtr.analysis.records.trials import read_trials

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

    second = cluster.xtr("submit", *command[2:], "--follow", seconds=300)
    assert second.returncode == 0, second.stdout
    assert "this run made 0 training steps" in second.stdout
    assert second.stdout.rstrip().endswith("succeeded, exit code 0")
    [job] = [each for each in cluster.ask("/api/jobs/") if each["metadata"] == {"xtr.sweep": "demo"}]
    assert f"ray job logs --follow --address {cluster.dashboard} {job['submission_id']}" in second.stdout


def test_a_wrong_token_is_refused_at_once(cluster: LocalCluster, tmp_path: Path) -> None:
    command = run_arguments(tmp_path)
    refused = cluster.xtr("submit", *command[2:], seconds=200, RAY_AUTH_TOKEN="0" * 64)
    assert refused.returncode == 2
    assert "token" in refused.stdout
    assert "~/.ray/auth_token" in refused.stdout
    assert not list(tmp_path.iterdir())


def test_who_follows_a_job_ends_as_it_ends(cluster: LocalCluster, tmp_path: Path) -> None:
    """The sweep is good here, where a variable may be the cluster's own; there it is missing."""
    sweep = tmp_path / "mine.yaml"
    sweep.write_text('extends: base.yaml\nname: mine\nstorage: {root: "env:ONLY_THERE"}\n')
    (tmp_path / "base.yaml").write_text(DEMO.read_text(encoding="utf-8"))
    failed = cluster.xtr("submit", str(sweep), "--wait", "--json", seconds=200)
    assert failed.returncode == 2, failed.stdout
    job = json.loads(failed.stdout)
    assert (job["resources"], job["exit_code"]) == ({"xtr_driver": 1.0}, 2)
    assert "variable ONLY_THERE is not set" in cluster.ask(f"/api/jobs/{job['id']}/logs")["logs"]


def test_a_job_with_a_bad_sweep_fails_and_its_log_says_what_is_wrong(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    failed = cluster.submit(run_arguments(tmp_path, pairs__target="[tydiqaa]"), seconds=200)
    assert failed.returncode == 1, "ray job submit turns every failure into 1"
    assert "did you mean 'tydiqa'" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert not list(tmp_path.iterdir())
