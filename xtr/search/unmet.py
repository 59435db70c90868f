"""This is where it is seen which training stage a job would have to wait for.

Two trials that want one stage that is not there yet would both hold a slot while one of them computes it. So a job
starts once its first missing stage is nobody's work in this sweep; others go first.
"""

from __future__ import annotations

import time
from collections.abc import Hashable

from xtr.search.study import Job
from xtr.stages.path import Paths
from xtr.stages.store import StageStore

LOOK_AGAIN_S = 1.0
"""How long a stage that was missing is taken to be missing: a look may be a call to a remote store."""


class Unmet:
    """The training stages that the sweep's jobs want and do not find."""

    def __init__(self, paths: Paths, store: StageStore) -> None:
        self._paths = paths
        self._store = store
        self._keys: dict[Hashable, tuple[str, ...]] = {}
        self._there: set[str] = set()
        self._missed: dict[str, float] = {}

    def must_wait(self, job: Job, flying: list[Job]) -> bool:
        """Say whether one of the jobs that are in flight makes the first stage that this one misses."""
        missing = self._first_missing(job)
        return missing is not None and any(missing in self._wanted(other) for other in flying)

    def _first_missing(self, job: Job) -> str | None:
        return next((key for key in self._wanted(job) if not self._has(key)), None)

    def _wanted(self, job: Job) -> tuple[str, ...]:
        """Name a job's training stages, first to last."""
        trial = (job.pair, job.seed, tuple(job.params.items()))
        if trial not in self._keys:
            path = self._paths.path(job.pair, job.params, job.seed)
            self._keys[trial] = tuple(stage.key for stage in path.training)
        return self._keys[trial]

    def _has(self, key: str) -> bool:
        if key in self._there:
            return True
        now = time.monotonic()
        if now - self._missed.get(key, -LOOK_AGAIN_S) < LOOK_AGAIN_S:
            return False
        if self._store.has(key):
            self._there.add(key)
            return True
        self._missed[key] = now
        return False
