"""This is where a stage comes to exist: read from the store, waited for, or computed and published."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xtr.data.demo import prepare_world
from xtr.errors import Drained
from xtr.fingerprint import JSON
from xtr.spec.sweep import SweepSpec
from xtr.stages.drain import NEVER, Drain
from xtr.stages.evaluating import EvaluateJob, evaluate_group
from xtr.stages.stage import EvaluateStage, Pretrained, PretrainStage, TrainStage
from xtr.stages.training import TrainJob, train_once
from xtr.stages.work import ENCODER, give_memory_back, lock_model, made, source_of, store_of
from xtr.train.distributed import needs_workers, run_on_workers
from xtr.train.pretrain import pretrain_encoder
from xtr.train.state import Progress, read_progress
from xtr.train.step import World

PRETRAINING_THREADS = 2
"""Fixed, because the number of threads changes the last bits of a sum."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What asking for a stage came to.

    Attributes:
        result: the manifest's result; of a paused run, what it has so far.
        seconds: compute spent now, over all workers; 0 where the stage was read.
        steps: optimiser steps made now.
        tokens: trained on now, padding left out.
    """

    key: str
    result: dict[str, Any]
    reused: bool
    seconds: float = 0.0
    steps: int = 0
    tokens: int = 0

    @property
    def scores(self) -> dict[str, float]:
        """Metric values of an evaluation, in [0, 1]."""
        return dict(self.result["scores"])

    def scores_after(self, epoch: int) -> dict[str, float]:
        """Metric values on the select split after a training stage's epoch, counted from 1, in [0, 1]."""
        return dict(self.result["epochs"][epoch - 1]["scores"])


class Runner:
    """Makes stages exist for one sweep, in whichever process it lives.

    Args:
        drain: asked before anything is computed; training asks at every step, and raises Drained.
        told: called with everything that was computed here, a training that was drained included.
    """

    def __init__(
        self, spec: SweepSpec, drain: Drain = NEVER, told: Callable[[Outcome], None] = lambda _: None
    ) -> None:
        self.spec = spec
        self.drain = drain
        self.told = told
        self.store = store_of(spec)
        lock_model(spec)
        self.root = self.store.root
        self.source = source_of(spec)
        self._records = self.root / "ray-train"

    def ensure_start(self, start: Pretrained | PretrainStage) -> str:
        """Make the encoder exist and return where `from_pretrained` finds it."""
        if isinstance(start, Pretrained):
            return start.name
        if self.store.open(start.key) is None and (lease := self.store.claim(start.key)):
            with lease, self.store.workspace(start.key) as folder:
                text = (
                    prepare_world(self.root / "data", seed=start.seed, scale=start.scale) / "mlm" / "text.txt"
                )
                pretrain_encoder(
                    text, folder / ENCODER, seed=start.seed, scale=start.scale, threads=PRETRAINING_THREADS
                )
                self.store.publish(start, folder, {}, made("cpu", 0.0))
        return str(self.store.folder(start.key) / ENCODER)

    def train(self, stage: TrainStage, *, until_epoch: int | None = None) -> Outcome:
        """Make a training stage exist, or have its first `until_epoch` epochs done."""
        while True:
            stored = self._finished(stage, until_epoch)
            if stored is not None:
                return stored
            spent = self._ensure_parent(stage.parent)
            lease = self.store.claim(stage.key, look=self.drain.before_work)
            if lease is None:
                continue
            with lease:
                stored = self._finished(stage, until_epoch)
                if stored is None:
                    stored = self._compute_training(stage, until_epoch)
            return dataclasses.replace(
                stored,
                seconds=stored.seconds + spent.seconds,
                steps=stored.steps + spent.steps,
                tokens=stored.tokens + spent.tokens,
            )

    def evaluate(self, stages: Sequence[EvaluateStage]) -> list[Outcome]:
        """Make evaluations exist; those that share an encoder and head load it once."""
        missing: dict[tuple[object, ...], list[EvaluateStage]] = {}
        reused = {stage.key for stage in stages if self.store.open(stage.key) is not None}
        for stage in stages:
            if stage.key not in reused:
                model = (stage.parent.key, stage.task, stage.layer, stage.pooling)
                missing.setdefault(model, []).append(stage)
        for group in missing.values():
            self._ensure_parent(group[0].parent)
            self.drain.before_work()
            job = EvaluateJob(self.spec, tuple(group))
            if needs_workers(self.spec.compute):
                run_on_workers(evaluate_group, job, self.spec.compute, workers=1, records=self._records)
            else:
                evaluate_group(job, World())
                give_memory_back()
            for stage in group:
                self.told(self._evaluated(stage, reused=False))
        return [self._evaluated(stage, reused=stage.key in reused) for stage in stages]

    def _evaluated(self, stage: EvaluateStage, *, reused: bool) -> Outcome:
        manifest = self.store.read(stage.key)
        assert manifest is not None
        seconds = 0.0 if reused else float(str(manifest.made["seconds"]))
        return Outcome(stage.key, manifest.result, reused, seconds)

    def _ensure_parent(self, parent: Pretrained | PretrainStage | TrainStage) -> Outcome:
        if isinstance(parent, TrainStage):
            return self.train(parent)
        self.ensure_start(parent)
        return Outcome("", {}, reused=True)

    def _finished(self, stage: TrainStage, until_epoch: int | None) -> Outcome | None:
        """Read the stage, or the paused run that has come far enough."""
        manifest = self.store.open(stage.key)
        if manifest is not None:
            return Outcome(stage.key, manifest.result, reused=True)
        progress = read_progress(self.store.progress_folder(stage.key)) if until_epoch else None
        if progress is None or until_epoch is None or len(progress.epochs) < until_epoch:
            return None
        return Outcome(stage.key, _training_result(progress), reused=True)

    def _compute_training(self, stage: TrainStage, until_epoch: int | None) -> Outcome:
        before = read_progress(self.store.progress_folder(stage.key)) or Progress()
        compute = self.spec.compute
        with self.store.workspace(stage.key) as folder:
            job = TrainJob(self.spec, stage, str(folder), until_epoch, self.drain)
            try:
                if needs_workers(compute):
                    progress = run_on_workers(
                        train_once, job, compute, workers=compute.workers, records=self._records
                    )
                else:
                    progress = train_once(job, World())
                    give_memory_back()
            except Drained:
                kept = read_progress(self.store.progress_folder(stage.key)) or before
                self.told(_trained(stage, before, kept, compute.workers))
                raise
            result = _training_result(progress)
            if until_epoch is None or len(progress.epochs) >= stage.settings.epochs:
                how = made(_device(self.spec), progress.seconds, compute.workers, progress.hardware)
                self.store.publish(stage, folder, result, how)
        outcome = _trained(stage, before, progress, compute.workers)
        self.told(outcome)
        return outcome


def _trained(stage: TrainStage, before: Progress, now: Progress, workers: int) -> Outcome:
    """Say what was done between two states of a training."""
    return Outcome(
        stage.key,
        _training_result(now),
        reused=False,
        seconds=(now.seconds - before.seconds) * workers,
        steps=now.step - before.step,
        tokens=now.tokens - before.tokens,
    )


def _training_result(progress: Progress) -> dict[str, JSON]:
    return {
        "steps": progress.step,
        "tokens": progress.tokens,
        "epochs": [dataclasses.asdict(epoch) for epoch in progress.epochs],
    }


def _device(spec: SweepSpec) -> str:
    return "cuda" if spec.compute.per_worker.GPU else "cpu"
