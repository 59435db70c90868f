"""This is where Ray Train lives: it runs a function on data-parallel workers. No other file knows its API.

States go to the store by the loop itself, so a worker group that is started again goes on where the last state
stands, and nothing is uploaded twice.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from xtr.errors import Diverged, Drained, XtrError
from xtr.model.world import World
from xtr.spec.sweep import ComputeSpec

if TYPE_CHECKING:
    from ray.train import UserCallback

J = TypeVar("J")
T = TypeVar("T")

DAY_S = 86_400
"""How long ranks wait for each other: one may score, or wait for another trial's stage, for hours.

A rank that is lost is found by Ray Train itself, which asks each worker every two seconds and ends the group.
"""


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
        XtrError: as raised by the work, InputError and Diverged among them; it is not tried again here.
        RuntimeError: the worker group failed more often than `compute.retries.worker_failure` allows.
    """
    from ray.train import ControllerError, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    name = uuid.uuid4().hex
    gpu = compute.per_worker.GPU > 0
    fewest, most = workers
    resources = {"CPU": float(compute.per_worker.CPU), "GPU": float(compute.per_worker.GPU)}
    trainer = TorchTrainer(
        _on_worker,
        train_loop_config={"work": work, "job": job},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo", timeout_s=DAY_S),
        scaling_config=ScalingConfig(
            num_workers=most if fewest == most else workers, use_gpu=gpu, resources_per_worker=resources
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(records),
            failure_config=FailureConfig(max_failures=compute.retries.worker_failure),
            callbacks=[_ends_at_refusals()],
        ),
    )
    try:
        outcome = trainer.fit().return_value
    except ControllerError as error:
        if isinstance(error.controller_failure, XtrError):
            raise error.controller_failure from None
        raise
    finally:
        shutil.rmtree(records / name, ignore_errors=True)
    if isinstance(outcome, (Diverged, Drained)):
        raise outcome
    result: T = outcome
    return result


def _ends_at_refusals() -> UserCallback:
    """Have the run end at the first error of xtr's own that any rank raises.

    Ray Train takes every error of a worker for a crash and starts the group again; an error of a callback ends the
    run. Ranks that wait for the one that raised are ended with it.
    """
    from ray.train import UserCallback

    class EndsAtRefusals(UserCallback):  # type: ignore[misc]
        def after_exception(self, run_context: object, worker_exceptions: dict[int, Exception]) -> None:
            for error in worker_exceptions.values():
                if isinstance(error, XtrError):
                    raise error

    return EndsAtRefusals()


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
