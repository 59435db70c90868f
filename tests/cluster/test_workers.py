"""A sweep over two nodes with two data-parallel workers a stage, and the loss of one of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.cluster.local import LocalCluster, end, run_arguments, spec_of, until
from xtr.analysis.records.trials import TrialRow, read_trials
from xtr.search.study import Job
from xtr.search.trial import perform
from xtr.stages.store import Manifest, StageStore

pytestmark = pytest.mark.slow

TRIALS = {"search__trials_per_pair": 1, "search__concurrent_trials": 1, "search__early_stopping": "null"}
WORKERS = {"compute__workers": 2, "compute__checkpoint_every_steps": 2}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A head without CPU and two nodes with one each: two workers can only be on both."""
    with LocalCluster(cpus=0) as cluster:
        cluster.add_nodes(2, cpus=1)
        yield cluster


def alone(command: Sequence[str], root: Path, row: TrialRow) -> float:
    """Do a trial again with one worker, in this process and another store."""
    compute = ("--set", "compute.workers=1", "--set", "compute.shard=never")
    spec = spec_of([*command, *compute, "--set", f"storage.root={root}"])
    outcome = perform(spec, Job(row.pair, row.number, row.phase, row.params, row.seed, None))
    assert outcome["state"] == "complete", outcome["detail"]
    return float(outcome["score"])


def test_two_workers_on_two_nodes_with_a_part_of_the_model_each_come_to_the_score_of_one(
    cluster: LocalCluster, shared: Path, lone: Path
) -> None:
    command = run_arguments(shared, **TRIALS, **WORKERS, compute__shard="always", search__space="{}")
    with cluster.driver(command) as sweep:
        until("two workers at once", lambda: len(cluster.workers()) == 2, seconds=300)
        assert len(set(cluster.workers().values())) == 2, "each node started one"
        output, _ = sweep.communicate(timeout=180)
    assert sweep.returncode == 0, output

    rows = read_trials(shared / "sweeps" / "demo")
    searched = [row for row in rows if row.phase == "search"]
    assert {row.intermediate for row in searched} == {"none", "csqa"}
    for row in searched:
        assert row.value == pytest.approx(alone(command, lone, row), abs=1e-4)
    trained = trained_stages(shared)
    assert trained
    assert {(each.made["workers"], each.made["sharded"]) for each in trained} == {(2, True)}


REFUSED = """
import os, sys
from pathlib import Path
import ray, torch.distributed
from xtr.errors import InputError, Problem
from xtr.spec.sweep import ComputeSpec
from xtr.train.distributed import run_on_workers

def work(folder, world):
    (folder / f"start-{os.getpid()}").touch()
    if world.rank == 1:
        raise InputError(Problem("one example alone does not fit", received="5000 tokens"))
    torch.distributed.barrier()

ray.init(log_to_driver=False, logging_level="ERROR")
folder = Path(sys.argv[1])
try:
    run_on_workers(work, folder, ComputeSpec(workers=2), workers=(2, 2), records=folder / "records")
except InputError as refused:
    print("refused:", refused.problems[0].received, "after", len(list(folder.glob("start-*"))), "starts")
"""


def test_what_one_rank_refuses_is_told_at_once_and_not_tried_again(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    with cluster.driver(["python", "-c", REFUSED, str(tmp_path)]) as driver:
        output, _ = driver.communicate(timeout=180)
    assert "refused: 5000 tokens after 2 starts" in output, "one of each rank"


def test_a_sweep_outlives_a_killed_worker(cluster: LocalCluster, shared: Path, lone: Path) -> None:
    command = run_arguments(
        shared, **TRIALS, **WORKERS, pairs__intermediate="[]", search__space="{target.epochs: 12}"
    )
    with cluster.driver(command) as sweep:
        until("a state to go on from", lambda: states(shared), seconds=300)
        before = cluster.workers()
        os.kill(min(before), signal.SIGKILL)
        until("other workers", lambda: len(cluster.workers().keys() - before.keys()) == 2, seconds=300)
        assert states(shared), "the stage had not ended"
        output, _ = sweep.communicate(timeout=180)
    assert sweep.returncode == 0, output

    assert_as_alone(command, shared, lone)


def test_a_stage_goes_on_with_the_workers_that_are_left(
    cluster: LocalCluster, shared: Path, lone: Path
) -> None:
    command = run_arguments(
        shared,
        **TRIALS,
        **WORKERS,
        compute__min_workers=1,
        pairs__intermediate="[]",
        search__space="{target.epochs: 24}",
    )
    with cluster.driver(command) as sweep:
        until("a state to go on from", lambda: states(shared), seconds=300)
        before = cluster.workers()
        assert len(before) == 2
        end(cluster.nodes.pop().pid)  # a machine goes, and no other comes
        until(
            "one worker that goes on", lambda: len(cluster.workers().keys() - before.keys()) == 1, seconds=300
        )
        assert states(shared), "the stage had not ended"
        output, _ = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, output

    assert_as_alone(command, shared, lone)
    [made] = [each.made for each in trained_stages(shared)]
    assert made["workers"] == 1
    seconds, together = float(str(made["seconds"])), float(str(made["worker_seconds"]))
    assert seconds < together < 2 * seconds, "two at first, then one"


def assert_as_alone(command: Sequence[str], shared: Path, lone: Path) -> None:
    """The sweep's one trial is complete, and comes to what one worker comes to."""
    (row,) = read_trials(shared / "sweeps" / "demo")
    assert row.state == "complete"
    assert row.value == pytest.approx(alone(command, lone, row), abs=1e-4)


def trained_stages(root: Path) -> list[Manifest]:
    store = StageStore(root)
    made = [store.read(path.name) for path in (root / "stages").iterdir()]
    return [each for each in made if each is not None and each.recipe["kind"] == "train"]


def states(root: Path) -> list[Path]:
    return list(root.glob("progress/*/step-*"))
