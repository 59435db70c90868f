"""This is where a stage comes to exist: read from the store, waited for, or computed and published."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Task
from xtr.data.demo import prepare_world
from xtr.data.open import open_source
from xtr.data.rows import Row
from xtr.data.source import Source
from xtr.data.subsets import nested_subset, resolve_size
from xtr.evaluate.predict import predict
from xtr.families.family import HeadSettings
from xtr.families.registry import family_of
from xtr.fingerprint import JSON, derive_seed
from xtr.model.encoder import Encoder, load_encoder, save_encoder
from xtr.model.heads import TaskModel
from xtr.spec.sweep import SweepSpec
from xtr.stages.path import SOURCE_LANGUAGE
from xtr.stages.stage import EvaluateStage, Pretrained, PretrainStage, TrainStage
from xtr.stages.store import StageStore
from xtr.train.distributed import needs_workers, run_on_workers
from xtr.train.loop import Learner, Pause, Recipe, World, train
from xtr.train.pretrain import pretrain_encoder
from xtr.train.state import Progress, read_progress

ENCODER, HEAD = "encoder", "head.safetensors"
PRETRAINING_THREADS = 2
"""Fixed, because the number of threads changes the last bits of a sum."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What asking for a stage came to.

    Attributes:
        result: the manifest's result; of a paused run, what it has so far.
        seconds: compute spent now, over all workers; 0 where the stage was read.
        steps: optimiser steps made now.
    """

    key: str
    result: dict[str, Any]
    reused: bool
    seconds: float = 0.0
    steps: int = 0

    @property
    def scores(self) -> dict[str, float]:
        """Metric values of an evaluation, in [0, 1]."""
        return dict(self.result["scores"])

    def scores_after(self, epoch: int) -> dict[str, float]:
        """Metric values on the select split after a training stage's epoch, counted from 1, in [0, 1]."""
        return dict(self.result["epochs"][epoch - 1]["scores"])


class Runner:
    """Makes stages exist for one sweep, in whichever process it lives."""

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec
        self.root = Path(spec.storage.root).resolve()
        self.store = StageStore(self.root)
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
                self.store.publish(start, folder, {}, _made("cpu", 0.0))
        return str(self.store.folder(start.key) / ENCODER)

    def train(self, stage: TrainStage, *, until_epoch: int | None = None) -> Outcome:
        """Make a training stage exist, or have its first `until_epoch` epochs done."""
        while True:
            stored = self._finished(stage, until_epoch)
            if stored is not None:
                return stored
            spent = self._ensure_parent(stage.parent)
            lease = self.store.claim(stage.key)
            if lease is None:
                continue
            with lease:
                stored = self._finished(stage, until_epoch)
                if stored is None:
                    stored = self._compute_training(stage, until_epoch)
            return dataclasses.replace(
                stored, seconds=stored.seconds + spent.seconds, steps=stored.steps + spent.steps
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
            job = EvaluateJob(self.spec, tuple(group))
            if needs_workers(self.spec.compute):
                run_on_workers(evaluate_group, job, self.spec.compute, workers=1, records=self._records)
            else:
                evaluate_group(job, World())
        outcomes = []
        for stage in stages:
            manifest = self.store.read(stage.key)
            assert manifest is not None
            outcomes.append(Outcome(stage.key, manifest.result, reused=stage.key in reused))
        return outcomes

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
            job = TrainJob(self.spec, stage, str(folder), until_epoch)
            if needs_workers(compute):
                progress = run_on_workers(
                    train_once, job, compute, workers=compute.workers, records=self._records
                )
            else:
                progress = train_once(job, World())
            result = _training_result(progress)
            if until_epoch is None or len(progress.epochs) >= stage.settings.epochs:
                self.store.publish(
                    stage, folder, result, _made(_device(self.spec), progress.seconds, compute.workers)
                )
        return Outcome(
            stage.key,
            result,
            reused=False,
            seconds=(progress.seconds - before.seconds) * compute.workers,
            steps=progress.step - before.step,
        )


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What a worker must know to train a stage; everything in it pickles."""

    spec: SweepSpec
    stage: TrainStage
    folder: str
    until_epoch: int | None


@dataclass(frozen=True, slots=True)
class EvaluateJob:
    """What a worker must know to evaluate stages that share a parent, a task and a head."""

    spec: SweepSpec
    stages: tuple[EvaluateStage, ...]


def train_once(job: TrainJob, world: World) -> Progress:
    """Train a stage on this process's rank; the leading rank leaves the finished files in `job.folder`."""
    torch.set_num_threads(job.spec.compute.per_worker.CPU)
    runner, stage = Runner(job.spec), job.stage
    task, settings = find_task(stage.task), stage.settings
    family = family_of(task)
    encoder = load_encoder(*_encoder_of(runner, stage.parent))
    torch.manual_seed(derive_seed(stage.seed, stage.task, "head"))
    model = TaskModel(encoder.model, family.head(encoder, task, HeadSettings()))
    rows = training_rows(runner.source, stage)
    examples = family.encode(rows, task, encoder.tokenizer, settings.max_length)
    select = capped(runner.source.rows(task, "select", SOURCE_LANGUAGE), stage.select_rows, task)

    def score(model: TaskModel) -> dict[str, float]:
        predictions = predict(
            model,
            encoder.tokenizer,
            task,
            select,
            max_length=settings.max_length,
            batch_size=stage.batch_size,
        )
        return family.score(select, predictions, task)

    recipe = Recipe(
        task=stage.task,
        seed=stage.seed,
        learning_rate=settings.learning_rate,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        warmup_fraction=settings.warmup_fraction,
        weight_decay=settings.weight_decay,
    )
    pause = Pause(
        runner.store.progress_folder(stage.key), job.spec.compute.checkpoint_every_steps, job.until_epoch
    )
    learner = Learner(model, family, encoder.tokenizer, examples)
    progress = train(learner, recipe, pause=pause, score=score, world=world)
    if world.leads and len(progress.epochs) == settings.epochs:
        save_encoder(encoder, Path(job.folder) / ENCODER)
        save_file(model.head.state_dict(), Path(job.folder) / HEAD)
    return progress


def evaluate_group(job: EvaluateJob, world: World) -> None:
    """Predict and score stages that share a parent, a task and a head, and publish each."""
    torch.set_num_threads(job.spec.compute.per_worker.CPU)
    runner = Runner(job.spec)
    first = job.stages[0]
    task = find_task(first.task)
    encoder, model = _load_trained(runner, first, task)
    model.to(world.device)
    for stage in job.stages:
        lease = runner.store.claim(stage.key)
        if lease is None:
            continue
        with lease, runner.store.workspace(stage.key) as folder:
            rows = capped(runner.source.rows(task, stage.split, stage.language), stage.max_rows, task)
            result = _predict_and_score(encoder, model, stage, rows, folder)
            runner.store.publish(stage, folder, result, _made(world.device, 0.0))


def _predict_and_score(
    encoder: Encoder, model: TaskModel, stage: EvaluateStage, rows: Sequence[Row], folder: Path
) -> dict[str, JSON]:
    """Write the official prediction file; score where the rows carry labels."""
    task = find_task(stage.task)
    family = family_of(task)
    predictions = predict(
        model, encoder.tokenizer, task, rows, max_length=stage.max_length, batch_size=stage.batch_size
    )
    text = family.prediction_file(rows, predictions)
    (folder / f"predictions.{family.suffix}").write_text(text, encoding="utf-8")
    labelled = all(family.labelled(row) for row in rows)
    scores: Mapping[str, float] = family.score(rows, predictions, task) if labelled else {}
    return {"scores": dict(scores), "n": len(rows), "predictions": f"predictions.{family.suffix}"}


def training_rows(source: Source, stage: TrainStage) -> list[Row]:
    """Read the stage's nested subset of the training rows."""
    task, settings = find_task(stage.task), stage.settings
    rows = source.rows(task, "train", SOURCE_LANGUAGE)
    fraction = settings.fraction if settings.examples is None else None
    size = resolve_size(len(rows), fraction=fraction, examples=settings.examples, cap=settings.max_rows)
    return [rows[i] for i in nested_subset(len(rows), size, seed=stage.seed, task=stage.task)]


def capped(rows: Sequence[Row], max_rows: int | None, task: Task) -> Sequence[Row]:
    """Take at most `max_rows` rows, the same ones for every model and seed, in file order."""
    if max_rows is None or len(rows) <= max_rows:
        return rows
    family = family_of(task)
    return family.cap(
        rows, sorted(nested_subset(len(rows), max_rows, seed=0, task=f"{task.name} evaluation"))
    )


def source_of(spec: SweepSpec) -> Source:
    """Open the sweep's data source; one a process, so that rows are read once."""
    return _open_source(spec.data.model_dump_json(), str(Path(spec.storage.root).resolve()))


@lru_cache(maxsize=4)
def _open_source(data: str, root: str) -> Source:
    from xtr.spec.sweep import DataSpec

    return open_source(DataSpec.model_validate(json.loads(data)), Path(root))


def _encoder_of(runner: Runner, parent: Pretrained | PretrainStage | TrainStage) -> tuple[str, str | None]:
    """Name and revision for `from_pretrained`."""
    if isinstance(parent, Pretrained):
        return parent.name, parent.revision
    return str(runner.store.folder(parent.key) / ENCODER), None


def _load_trained(runner: Runner, stage: EvaluateStage, task: Task) -> tuple[Encoder, TaskModel]:
    """Load the parent's encoder with its trained head, or with retrieval's pooling."""
    encoder = load_encoder(*_encoder_of(runner, stage.parent))
    head = family_of(task).head(encoder, task, HeadSettings(stage.layer, stage.pooling))
    model = TaskModel(encoder.model, head)
    if isinstance(stage.parent, TrainStage) and task.training_task is not None:
        head.load_state_dict(load_file(runner.store.folder(stage.parent.key) / HEAD))
    return encoder, model


def _training_result(progress: Progress) -> dict[str, JSON]:
    return {
        "steps": progress.step,
        "epochs": [dataclasses.asdict(epoch) for epoch in progress.epochs],
    }


def _device(spec: SweepSpec) -> str:
    return "cuda" if spec.compute.per_worker.GPU else "cpu"


def _made(device: str, seconds: float, workers: int = 1) -> dict[str, JSON]:
    return {
        "device": device,
        "workers": workers,
        "threads": torch.get_num_threads(),
        "seconds": round(seconds, 3),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }
