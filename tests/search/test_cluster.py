"""The Ray of one machine: what it can never offer is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.specs import sweep
from xtr.errors import InputError
from xtr.search.cluster import ray_cluster
from xtr.spec.sweep import ComputeSpec, PerWorker

pytestmark = pytest.mark.slow


def test_more_gpus_than_this_machine_has_are_refused_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    compute = ComputeSpec(workers=4, min_workers=2, per_worker=PerWorker(GPU=32))
    spec = sweep(tmp_path).model_copy(update={"compute": compute})
    with pytest.raises(InputError) as refused, ray_cluster(spec):
        pass
    (problem,) = refused.value.problems
    assert problem.where == "compute.per_worker.GPU"
    assert problem.received == "32, for each of 2 workers"
    assert not ray.is_initialized()
