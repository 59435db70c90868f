"""This is where a stage comes to exist: read from the store, waited for, or computed and published.

What computes is imported where something is computed: torch takes seconds to import, and the process that drives a
sweep, or a trial whose stages are all stored, never needs it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from xtr.data.demo import prepare_world
from xtr.errors import CorruptArtefact, Drained
from xtr.fingerprint import JSON
from xtr.model.world import World
from xtr.spec.sweep import SweepSpec
from xtr.stages.drain import NEVER, Drain
from xtr.stages.segments import shares_beginning
from xtr.stages.stage import EvaluateStage, Pretrained, PretrainStage, TrainStage, TrunkStage
from xtr.stages.trunks import Trunks
from xtr.stages.work import ENCODER, give_memory_back, lock_model, source_of, store_of
from xtr.storage.lease import Lease
from xtr.train.distributed import needs_workers, run_on_workers
from xtr.train.progress import Progress, adopt_state, read_progress

J = TypeVar("J")
T = TypeVar("T")

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

    def after(self, earlier: Outcome) -> Outcome:
        """Add what was spent before on what this needed."""
        return dataclasses.replace(
            self,
            seconds=self.seconds + earlier.seconds,
            steps=self.steps + earlier.steps,
            tokens=self.tokens + earlier.tokens,
        )

    def scores_after(self, epoch: int) -> dict[str, float]:
        """Metric values on the select split after a training stage's epoch, counted from 1, in [0, 1]."""
        return dict(self.result["epochs"][epoch - 1]["scores"])


NOTHING = Outcome("", {}, reused=True)


class Runner:
    """Makes stages exist for one sweep, in whichever process it lives.

    Args:
        drain: asked before anything is computed; training asks at every step, and raises Drained.
        told: called with everything that was computed here, a training that was drained included.
        here: compute in this process, on this device, whatever the sweep says of workers.
    """

    def __init__(
        self,
        spec: SweepSpec,
        drain: Drain = NEVER,
        told: Callable[[Outcome], None] = lambda _: None,
        here: World | None = None,
    ) -> None:
        self.spec = spec
        self.here = World() if here is None and not needs_workers(spec.compute) else here
        self.drain = drain
        self.told = told
        self.store = store_of(spec)
        lock_model(spec)
        self.root = self.store.root
        self.source = source_of(spec)
        self.trunks = Trunks(spec, self.store, self.source)
        self._records = self.root / "ray-train"

    def ensure_start(
        self,
        start: Pretrained | PretrainStage,
        tell: Callable[[int, int], None] | None = None,
    ) -> str:
        """Make the encoder exist and return where `from_pretrained` finds it.

        Args:
            tell: hears of every step of pretraining: its number, and how many there are.
        """
        if isinstance(start, Pretrained):
            return start.name
        if self.store.open(start.key) is None and (lease := self.store.claim(start.key)):
            from xtr.stages.made import made
            from xtr.train.pretrain import pretrain_encoder

            with lease, self.store.workspace(start.key) as folder:
                text = (
                    prepare_world(self.root / "data", seed=start.seed, scale=start.scale) / "mlm" / "text.txt"
                )
                pretrain_encoder(
                    text,
                    folder / ENCODER,
                    seed=start.seed,
                    scale=start.scale,
                    threads=PRETRAINING_THREADS,
                    name=start.name,
                    tell=tell,
                )
                self.store.publish(start, folder, {}, made("cpu", 0.0))
        return str(self.store.checked(start.key) / ENCODER)

    def train(self, stage: TrainStage, *, until_epoch: int | None = None) -> Outcome:
        """Make a training stage exist, or have its first `until_epoch` epochs done."""
        spent = NOTHING
        while True:
            stored = self._finished(stage, until_epoch)
            if stored is not None:
                self.trunks.tidy(stage, only_leftovers=True)
                return stored.after(spent)
            spent = self.make(stage.parent).after(spent)
            passed = self._trunks_ahead(stage, until_epoch)
            spent = self._ensure_trunk(passed).after(spent)
            lease = self._claim(stage.key)
            if lease is None:
                continue
            with lease:
                if self._finished(stage, until_epoch) is None and self._begin_at(passed, stage.key):
                    trained = self._compute_training(stage, until_epoch)
                    self.trunks.tidy(stage)
                    return trained.after(spent)

    def evaluate(self, stages: Sequence[EvaluateStage]) -> list[Outcome]:
        """Make evaluations exist; what is predicted already is only scored, and an encoder is loaded once."""
        missing = [stage for stage in stages if self.store.open(stage.key) is None]
        computed = set(self.rescore(missing))
        groups: dict[str, list[EvaluateStage]] = {}
        for stage in missing:
            if stage.key not in computed:
                groups.setdefault(stage.parent.key, []).append(stage)
        for group in groups.values():
            self.make(group[0].parent)
            self.drain.before_work()
            computed |= set(self._evaluate(group))
        return [self._evaluated(stage.key, reused=stage.key not in computed) for stage in stages]

    def rescore(self, missing: Sequence[EvaluateStage]) -> list[str]:
        """Score the stages whose predictions are kept under another way of scoring; name them."""
        if all(stage.scoring == 1 for stage in missing):
            return []
        from xtr.stages.scoring import rescore

        return self._tell(rescore(self.store, self.source, missing))

    def _evaluate(self, group: Sequence[EvaluateStage]) -> list[str]:
        """Compute evaluations that share a parent; those of a group that came to rest are told, too."""
        from xtr.stages.evaluating import EvaluateJob, evaluate_group

        job = EvaluateJob(self.spec, tuple(group), self.drain)
        try:
            computed = self._compute(evaluate_group, job)
        except Drained:
            self._tell([stage.key for stage in group if self.store.has(stage.key)])
            raise
        return self._tell(computed)

    def _tell(self, computed: list[str]) -> list[str]:
        for key in computed:
            self.told(self._evaluated(key, reused=False))
        return computed

    def _compute(self, work: Callable[[J, World], T], job: J) -> T:
        """Do a job here, or on workers where the sweep asks for them."""
        if self.here is None:
            compute = self.spec.compute
            workers = (compute.fewest_workers, compute.workers)
            return run_on_workers(work, job, compute, workers=workers, records=self._records)
        done = work(job, self.here)
        give_memory_back()
        return done

    def _evaluated(self, key: str, *, reused: bool) -> Outcome:
        manifest = self.store.read(key)
        assert manifest is not None
        seconds = 0.0 if reused else float(str(manifest.made["seconds"])) * int(str(manifest.made["workers"]))
        return Outcome(key, manifest.result, reused, seconds)

    def make(self, parent: Pretrained | PretrainStage | TrainStage) -> Outcome:
        """Make whatever a path can stand on exist."""
        if isinstance(parent, TrainStage):
            return self.train(parent)
        self.ensure_start(parent)
        return NOTHING

    def _finished(self, stage: TrainStage, until_epoch: int | None) -> Outcome | None:
        """Read the stage, or the paused run that has come far enough."""
        manifest = self.store.open(stage.key)
        if manifest is not None:
            return Outcome(stage.key, manifest.result, reused=True)
        progress = read_progress(self.store.progress_folder(stage.key)) if until_epoch else None
        if progress is None or until_epoch is None or len(progress.epochs) < until_epoch:
            return None
        return Outcome(stage.key, _training_result(progress), reused=True)

    def _trunks_ahead(self, stage: TrainStage, until_epoch: int | None) -> list[TrunkStage]:
        """List the trunks that a run goes through; one that is under way goes on by itself."""
        if not shares_beginning(stage) or read_progress(self.store.progress_folder(stage.key)) is not None:
            return []
        return self.trunks.of(stage, until_epoch)

    def _ensure_trunk(self, passed: Sequence[TrunkStage]) -> Outcome:
        """Make the last of these trunks exist; each begins where the one before it ends."""
        spent = NOTHING
        while passed and self.store.open(passed[-1].key) is None:
            trunk, shorter = passed[-1], passed[:-1]
            if read_progress(self.store.progress_folder(trunk.key)) is None:
                spent = self._ensure_trunk(shorter).after(spent)
            lease = self._claim(trunk.key)
            if lease is None:
                continue
            with lease:
                if self.store.open(trunk.key) is None and self._begin_at(shorter, trunk.key):
                    spent = self._compute_trunk(trunk).after(spent)
        return spent

    def _begin_at(self, passed: Sequence[TrunkStage], key: str) -> bool:
        """Let a run begin where the last of these trunks ends; say no where that has been lost meanwhile."""
        states = self.store.progress_folder(key)
        if not passed or read_progress(states) is not None:
            return True
        trunk = passed[-1].key
        try:
            manifest = self.store.read(trunk)
            if manifest is not None:
                spent = {name: float(str(manifest.made[name])) for name in ("seconds", "worker_seconds")}
                with self.store.keeping_states(key):  # workers on other machines find it in the store
                    adopt_state(self.store.checked(trunk), states, **spent)
            return manifest is not None
        except (FileNotFoundError, CorruptArtefact):  # taken away, or no longer what was verified
            self.store.remove(trunk)
            return False

    def _compute_trunk(self, trunk: TrunkStage) -> Outcome:
        states = self.store.progress_folder(trunk.key)
        before = read_progress(states) or Progress()
        with self.store.workspace(trunk.key) as folder:
            progress = self._train(trunk.run, folder, before, trunk=trunk)
            states = self.store.progress_folder(trunk.key)  # as the workers have left it
            adopt_state(states, folder)  # how long it took is no part of its content
            self.store.publish(trunk, folder, _training_result(progress), self._made(progress))
        return self._spent(trunk.key, before, progress)

    def _compute_training(self, stage: TrainStage, until_epoch: int | None) -> Outcome:
        before = read_progress(self.store.progress_folder(stage.key)) or Progress()
        with self.store.workspace(stage.key) as folder:
            progress = self._train(stage, folder, before, until_epoch=until_epoch)
            if until_epoch is None or len(progress.epochs) >= stage.settings.epochs:
                self.store.receive(folder)
                self.store.publish(stage, folder, _training_result(progress), self._made(progress))
        return self._spent(stage.key, before, progress)

    def _train(
        self,
        stage: TrainStage,
        folder: Path,
        before: Progress,
        *,
        until_epoch: int | None = None,
        trunk: TrunkStage | None = None,
    ) -> Progress:
        from xtr.stages.training import TrainJob, train_once

        job = TrainJob(self.spec, stage, str(folder), self.drain, until_epoch, trunk)
        try:
            return self._compute(train_once, job)
        except Drained:
            kept = read_progress(self.store.progress_folder(job.key)) or before
            self._spent(job.key, before, kept)
            raise

    def _claim(self, key: str) -> Lease | None:
        """Wait for a stage without computing it, for as long as nobody asks the sweep to come to rest."""
        return self.store.claim(key, look=self.drain.before_work)

    def _made(self, progress: Progress) -> dict[str, JSON]:
        """Say how a training was made, the trunk that it began with included."""
        from xtr.stages.made import made

        return made(
            _device(self.spec),
            progress.seconds,
            progress.workers,
            worker_seconds=progress.worker_seconds,
            computed_on=progress.hardware,
            how={each: getattr(progress, each) for each in ("precision", "sharded", "compiled")},
        )

    def _spent(self, key: str, before: Progress, now: Progress) -> Outcome:
        """Tell what was done between two states of a training."""
        outcome = Outcome(
            key,
            _training_result(now),
            reused=False,
            seconds=now.worker_seconds - before.worker_seconds,
            steps=now.step - before.step,
            tokens=now.tokens - before.tokens,
        )
        self.told(outcome)
        return outcome


def _training_result(progress: Progress) -> dict[str, JSON]:
    return {
        "steps": progress.step,
        "tokens": progress.tokens,
        "epochs": [dataclasses.asdict(epoch) for epoch in progress.epochs],
    }


def _device(spec: SweepSpec) -> str:
    return "cuda" if spec.compute.per_worker.GPU else "cpu"
