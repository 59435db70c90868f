"""Budgets that end a run after its present stages, and finished sweeps that grow and run only what is new."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.local import LocalCluster, run_arguments
from xtr.analysis.records.trials import TrialRow, read_trials

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {
    "search__space": "{target.epochs: {choice: [1, 2]}}",
    "search__early_stopping": "null",
    "search__trials_per_pair": 2,
    "search__confirm__seeds": "[2]",
    "stages__evaluate__languages": "[xa]",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(cpus=2) as cluster:
        yield cluster


def xtr(cluster: LocalCluster, command: list[str], code: int = 0) -> str:
    with cluster.driver(command) as process:
        output, _ = process.communicate(timeout=400)
    assert process.returncode == code, output
    return output


def run(cluster: LocalCluster, root: Path, code: int = 0, **values: Any) -> str:
    return xtr(cluster, run_arguments(root, **(SMALL | values)), code)


def stages(root: Path) -> dict[str, int]:
    """Finished stages by key, with the time of birth in nanoseconds."""
    return {path.parent.name: path.stat().st_mtime_ns for path in root.glob("stages/*/manifest.json")}


def rows(root: Path) -> list[TrialRow]:
    return read_trials(root / "sweeps" / "demo")


@pytest.fixture(scope="module")
def finished(cluster: LocalCluster, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(world, tmp_path_factory.mktemp("finished") / "root"))
    run(cluster, root)
    return root


@pytest.fixture
def grown(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished sweep, to grow; times are kept."""
    return Path(shutil.copytree(finished, tmp_path / "grown"))


def test_a_budget_ends_the_run_after_its_present_stages_and_a_larger_one_goes_on(
    cluster: LocalCluster, finished: Path, shared: Path
) -> None:
    price = {"prices__cpu_hour": 3600}  # a second costs 1
    output = run(cluster, shared, 4, budget__money=1e-9, search__concurrent_trials=1, **price)
    assert "stopped by budget.money: " in output
    assert float(output.rpartition("--set budget.money=")[2]) > 0.01, (
        "more than what is spent, not than the limit"
    )
    assert len(stages(shared)) == 2, "the encoder that was there, and the first stage"
    assert not list(shared.glob("leases/*"))
    status = json.loads(xtr(cluster, ["xtr", "status", "demo", "--root", str(shared), "--json"]))
    assert status["ended"] == {
        "by": "budget",
        "what": "money",
        "limit": 1e-9,
        "spent": pytest.approx(status["spent"]["money"], abs=1e-3),
    }
    before = stages(shared)
    again = run(cluster, shared, 4, budget__money=1e-9, **price)
    assert "this run made 0 training steps" in again
    assert stages(shared) == before
    run(cluster, shared, budget__money=1e9, **price)
    after = stages(shared)
    assert {key: after[key] for key in before} == before
    assert sorted((str(r.pair), r.phase, r.seed, r.value) for r in rows(shared)) == sorted(
        (str(r.pair), r.phase, r.seed, r.value) for r in rows(finished)
    )
    assert "nothing to train" in run(cluster, shared, budget__money=1e-9, **price), "nothing is owed"
    assert not (shared / "sweeps/demo/ended.json").exists()


@pytest.mark.parametrize(
    "growth",
    [
        pytest.param({"search__confirm__seeds": "[2, 3]"}, id="a seed"),
        pytest.param({"pairs__target": "[tydiqa, tatoeba]"}, id="a target"),
        pytest.param({"pairs__intermediate": "[csqa, squad_v1]"}, id="an intermediate"),
        pytest.param(
            {"search__space": "{target.epochs: {choice: [1, 2, 3]}}", "search__trials_per_pair": 3},
            id="a choice",
        ),
    ],
)
def test_a_finished_sweep_grows_and_runs_only_what_is_new(
    cluster: LocalCluster, grown: Path, growth: dict[str, Any]
) -> None:
    before, had = stages(grown), rows(grown)
    output = run(cluster, grown, **growth)
    assert "demo has changed since its last run:" in output
    assert f"all {len(had)} finished trials are kept" in output
    after = stages(grown)
    assert {key: after[key] for key in before} == before
    known = {(row.pair, row.phase, row.seed, str(row.params)): row.value for row in rows(grown)}
    for row in had:
        assert known[row.pair, row.phase, row.seed, str(row.params)] == row.value
    identities = {(row.pair, row.phase, row.seed, str(row.params)) for row in had}
    new = [row for row in rows(grown) if (row.pair, row.phase, row.seed, str(row.params)) not in identities]
    computed = {key for row in new for key in computed_by(row)}
    assert new
    assert after.keys() - before.keys() == computed


def computed_by(row: TrialRow) -> set[str]:
    stages = row.detail["stages"]
    assert isinstance(stages, list)
    return {str(stage["key"]) for stage in stages if isinstance(stage, dict) and not stage["reused"]}


def test_a_finished_sweep_grows_by_a_language(cluster: LocalCluster, grown: Path) -> None:
    evaluate = ["xtr", "evaluate", "demo", "--root", str(grown)]
    assert "this evaluation took" in xtr(cluster, evaluate)
    before = stages(grown)
    output = run(cluster, grown, stages__evaluate__languages="[xa, xb]")
    assert "  stages.evaluate.languages: [xa] -> [xa, xb]\n" in output
    assert "nothing to train" in output
    xtr(cluster, evaluate)
    new = stages(grown).keys() - before.keys()
    recipes = [json.loads((grown / "stages" / key / "manifest.json").read_text())["recipe"] for key in new]
    assert {recipe["language"] for recipe in recipes} == {"xb"}
