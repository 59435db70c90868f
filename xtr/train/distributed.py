"""This is where Ray Train lives: it runs a function on data-parallel workers. No other file knows its API.

States go to the store by the loop itself, so a worker group that is started again goes on where the last state
stands, and nothing is uploaded twice.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from xtr.errors import Diverged, Drained
from xtr.model.world import World
from xtr.spec.sweep import ComputeSpec

J = TypeVar("J")
T = TypeVar("T")


def needs_workers(compute: ComputeSpec) -> bool:
    """Say whether stages run on Ray Train's workers; one CPU worker runs in the trial's own process.

    A worker group takes about 11 s to start on two cores, more than a small stage takes to train.
    """
    return compute.workers > 1 or compute.per_worker.GPU > 0


def run_on_workers(
    work: Callable[[J, World], T],
    job: J,
    compute: ComputeSpec,
    *,
    workers: tuple[int, int],
    records: Path,
) -> T:
    """Run `work(job, world)` on every worker and return what the leading one returned.

    Args:
        workers: how few and how many. Where these differ Ray begins with those that there is room for, and starts
            the group again with more or fewer when nodes come or go.
        records: folder where Ray Train keeps its own records of the run; nobody reads them.

    Raises:
        Diverged, Drained: as raised by the work; it is not tried again.
        RuntimeError: the worker group failed more often than `compute.retries.worker_failure` allows.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    name = uuid.uuid4().hex
    gpu = compute.per_worker.GPU > 0
    fewest, most = workers
    resources = {"CPU": float(compute.per_worker.CPU), "GPU": float(compute.per_worker.GPU)}
    trainer = TorchTrainer(
        _on_worker,
        train_loop_config={"work": work, "job": job},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=most if fewest == most else workers, use_gpu=gpu, resources_per_worker=resources
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(records),
            failure_config=FailureConfig(max_failures=compute.retries.worker_failure),
        ),
    )
    try:
        outcome = trainer.fit().return_value
    finally:
        shutil.rmtree(records / name, ignore_errors=True)
    if isinstance(outcome, (Diverged, Drained)):
        raise outcome
    result: T = outcome
    return result


def _on_worker(config: dict[str, object]) -> object:
    """Find out who this worker is and do the work; an end of its own is a result, not a failure to retry."""
    import ray.train
    import ray.train.torch

    context = ray.train.get_context()
    device = str(ray.train.torch.get_device())
    world = World(rank=context.get_world_rank(), size=context.get_world_size(), device=device)
    work, job = config["work"], config["job"]
    assert callable(work)
    try:
        return work(job, world)
    except (Diverged, Drained) as ended:
        return ended
