"""This is where xtr joins a Ray cluster, or starts one in this process and keeps it quiet."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xtr.errors import InputError, Problem
from xtr.spec.sweep import ComputeSpec, StorageSpec, SweepSpec
from xtr.storage.workplace import is_uri
from xtr.train.distributed import needs_workers

HEAD_RESOURCE = "xtr_driver"
"""What cluster.yaml gives the head node, so that drivers land there and take no worker's CPU."""

_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "30",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@contextmanager
def ray_cluster(spec: SweepSpec) -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or run a local one for as long as the block lasts.

    Raises:
        InputError: this machine alone has fewer GPUs than a stage needs. A cluster may yet get them.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    on_term = signal.getsignal(signal.SIGTERM)  # ray.init puts one in place that aborts with a C++ trace
    cluster = os.environ.get("RAY_ADDRESS")
    options = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if cluster:
            ray.init(address=cluster, **options)
        else:
            ray.init(
                address="local",
                num_cpus=local_cpus(spec),
                include_dashboard=needs_workers(spec.compute),  # without it placement groups are never freed
                **options,
            )
            _check_gpus(spec.compute, int(ray.cluster_resources().get("GPU", 0)))
        signal.signal(signal.SIGTERM, on_term)
        for name in (
            "ray.tune",
            "ray.tune.execution.tune_controller",
            "ray.tune.tune",
            "ray.tune.experiment.trial",
        ):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        yield
    finally:
        ray.shutdown()


def _check_gpus(compute: ComputeSpec, here: int) -> None:
    """Refuse what would wait for ever: a Ray of one machine does not grow."""
    workers, each = compute.fewest_workers, compute.per_worker.GPU
    if workers * each > here:
        raise InputError(
            Problem(
                "a stage needs more GPUs than this machine has",
                where="compute.per_worker.GPU",
                received=f"{each}, for each of {workers} workers",
                allowed=f"{here // workers} at most: Ray finds {here} here",
                hint="--set compute.per_worker.GPU=0, fewer compute.workers, or RAY_ADDRESS of a cluster",
            )
        )


def reach(address: str, seconds: float = 30) -> dict[str, float]:
    """Join a cluster for a moment, in a process of its own, and return what it offers.

    Raises:
        OSError: it does not answer in this time, with what Ray says of it.
    """
    command = (
        "import json, os, ray; ray.init(os.environ['RAY_ADDRESS'], log_to_driver=False, logging_level='ERROR');"
        "print(json.dumps(ray.cluster_resources()))"
    )
    environment = {**os.environ, **_QUIET, "RAY_ADDRESS": address}
    try:
        joined = subprocess.run(
            [sys.executable, "-c", command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"no answer within {seconds:g} s") from None
    if joined.returncode:
        said = [line for line in joined.stderr.splitlines() if line.strip()]
        raise OSError(said[-1] if said else f"exit code {joined.returncode}")
    resources: dict[str, float] = json.loads(joined.stdout.splitlines()[-1])
    return resources


def check_storage(storage: StorageSpec) -> None:
    """Refuse a bucket that cannot be used, and a Ray job's working directory, which goes when the job ends.

    Raises:
        InputError: with the setting to change.
    """
    storage.workplace().check_writable()
    if is_uri(storage.root):
        return
    if not Path(storage.root).is_absolute() and Path.cwd().name.startswith("_ray_pkg_"):
        raise InputError(
            Problem(
                "a Ray job's working directory does not outlast the job",
                where="storage.root",
                received=storage.root,
                allowed="an absolute folder that all machines share, or s3://bucket/prefix",
                hint="--set storage.root=/mnt/xtr/runs",
            )
        )


def local_cpus(spec: SweepSpec) -> int:
    """CPUs that the local cluster offers: enough for every concurrent trial, and no fewer than there are."""
    compute = spec.compute
    wanted = spec.search.concurrent_trials * compute.workers * compute.per_worker.CPU
    return max(os.cpu_count() or 1, wanted + (1 if needs_workers(compute) else 0))


def trial_resources(compute: ComputeSpec) -> dict[str, float]:
    """Resources that a Tune trial holds: the worker's where it trains itself, next to none where it waits.

    On a cluster whose head offers no CPU a waiting trial sits beside the driver, not on a paid GPU node.
    """
    if not needs_workers(compute):
        return {"CPU": float(compute.per_worker.CPU)}
    import ray

    on_head = HEAD_RESOURCE in ray.cluster_resources()
    return {"CPU": 0.0, HEAD_RESOURCE: 0.01} if on_head else {"CPU": 0.01}
