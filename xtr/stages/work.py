"""This is where one process works on a stage: trains it on its rank, or predicts and scores.

Nothing here waits or decides; `run` does. A job pickles, so that it can be sent to a worker on another machine.
"""

from __future__ import annotations

import ctypes
import gc
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Task
from xtr.data.hublock import HubLock, lock_path
from xtr.data.hubsource import resolve_on_hub
from xtr.data.open import open_source
from xtr.data.rows import Row
from xtr.data.source import Source
from xtr.data.subsets import nested_subset, resolve_size
from xtr.errors import InputError, Problem
from xtr.evaluate.predict import predict_encoded
from xtr.families.family import Example, HeadSettings
from xtr.families.registry import family_of
from xtr.fingerprint import JSON, derive_seed
from xtr.model.encoder import Encoder, load_encoder, save_encoder
from xtr.model.heads import TaskModel
from xtr.spec.sweep import DataSpec, SweepSpec
from xtr.stages.encoding import Encoding, examples_of, open_encoded, start_of
from xtr.stages.path import DEMO_MODEL, SOURCE_LANGUAGE
from xtr.stages.stage import EvaluateStage, Pretrained, PretrainStage, TrainStage
from xtr.stages.store import StageStore
from xtr.train.loop import Learner, Pause, Recipe, World, train
from xtr.train.state import Progress

ENCODER, HEAD = "encoder", "head.safetensors"


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
    store, source, stage = store_of(job.spec), source_of(job.spec), job.stage
    task, settings = find_task(stage.task), stage.settings
    family = family_of(task)
    encoder = load_encoder(*encoder_of(store, stage.parent))
    check_length(encoder, settings.max_length, stage.task)
    torch.manual_seed(derive_seed(stage.seed, stage.task, "head"))
    model = TaskModel(encoder.model, family.head(encoder, task, HeadSettings()))
    examples = _training_examples(store.root, source, stage, encoder)
    every = source.rows(task, "select", SOURCE_LANGUAGE)
    select = capped(every, stage.select_rows, task)
    encoding = Encoding(task, stage.select_data, start_of(stage.parent).key, settings.max_length)
    chosen = kept(len(every), stage.select_rows, task)
    encoded = examples_of(store.root, encoding, select, chosen, encoder.tokenizer)

    def score(model: TaskModel) -> dict[str, float]:
        predictions = predict_encoded(
            model, encoder.tokenizer, task, select, encoded, batch_size=stage.batch_size
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
    every_steps = job.spec.compute.checkpoint_every_steps
    pause = Pause(store.progress_folder(stage.key), every_steps, job.until_epoch)
    learner = Learner(model, family, encoder.tokenizer, examples)
    progress = train(learner, recipe, pause=pause, score=score, world=world)
    if world.leads and len(progress.epochs) == settings.epochs:
        save_encoder(encoder, Path(job.folder) / ENCODER)
        save_file(model.head.state_dict(), Path(job.folder) / HEAD)
    return progress


def evaluate_group(job: EvaluateJob, world: World) -> None:
    """Predict and score stages that share a parent, a task and a head, and publish each."""
    torch.set_num_threads(job.spec.compute.per_worker.CPU)
    store, source, first = store_of(job.spec), source_of(job.spec), job.stages[0]
    task = find_task(first.task)
    encoder, model = _load_trained(store, first, task)
    model.to(world.device)
    for stage in job.stages:
        lease = store.claim(stage.key)
        if lease is None:
            continue
        with lease, store.workspace(stage.key) as folder:
            rows = source.rows(task, stage.split, stage.language)
            result = _predict_and_score(store.root, encoder, model, stage, rows, folder)
            store.publish(stage, folder, result, made(world.device, 0.0))


def _predict_and_score(
    root: Path, encoder: Encoder, model: TaskModel, stage: EvaluateStage, every: Sequence[Row], folder: Path
) -> dict[str, JSON]:
    """Write the official prediction file; score where the rows carry labels."""
    task = find_task(stage.task)
    family, rows = family_of(task), capped(every, stage.max_rows, task)
    longest = min(stage.max_length, encoder.max_length or stage.max_length)
    encoding = Encoding(task, stage.data, start_of(stage.parent).key, longest)
    chosen = kept(len(every), stage.max_rows, task)
    examples = examples_of(root, encoding, rows, chosen, encoder.tokenizer)
    predictions = predict_encoded(model, encoder.tokenizer, task, rows, examples, batch_size=stage.batch_size)
    text = family.prediction_file(rows, predictions)
    (folder / f"predictions.{family.suffix}").write_text(text, encoding="utf-8")
    labelled = all(family.labelled(row) for row in rows)
    scores: Mapping[str, float] = family.score(rows, predictions, task) if labelled else {}
    return {"scores": dict(scores), "n": len(rows), "predictions": f"predictions.{family.suffix}"}


def _training_examples(root: Path, source: Source, stage: TrainStage, encoder: Encoder) -> Sequence[Example]:
    """Give the stage's training examples: read where they have been prepared, encoded here otherwise."""
    task, max_length = find_task(stage.task), stage.settings.max_length
    known = open_encoded(root, Encoding(task, stage.train_data, start_of(stage.parent).key, max_length))
    if known is not None:
        return known.of_rows(_training_subset(known.n_rows, stage))
    return family_of(task).encode(training_rows(source, stage), task, encoder.tokenizer, max_length)


def training_rows(source: Source, stage: TrainStage) -> list[Row]:
    """Read the stage's nested subset of the training rows."""
    rows = source.rows(find_task(stage.task), "train", SOURCE_LANGUAGE)
    return [rows[i] for i in _training_subset(len(rows), stage)]


def _training_subset(n_rows: int, stage: TrainStage) -> list[int]:
    settings = stage.settings
    fraction = settings.fraction if settings.examples is None else None
    size = resolve_size(n_rows, fraction=fraction, examples=settings.examples, cap=settings.max_rows)
    return nested_subset(n_rows, size, seed=stage.seed, task=stage.task)


def capped(rows: Sequence[Row], max_rows: int | None, task: Task) -> Sequence[Row]:
    """Take at most `max_rows` rows, the same ones for every model and seed, in file order."""
    if max_rows is None or len(rows) <= max_rows:
        return rows
    return family_of(task).cap(rows, kept(len(rows), max_rows, task))


def kept(n_rows: int, max_rows: int | None, task: Task) -> Sequence[int]:
    """Choose at most `max_rows` of the rows that are scored."""
    if max_rows is None or n_rows <= max_rows:
        return range(n_rows)
    return sorted(nested_subset(n_rows, max_rows, seed=0, task=f"{task.name} evaluation"))


def store_of(spec: SweepSpec) -> StageStore:
    """Open the sweep's stage store."""
    return StageStore(Path(spec.storage.root).resolve())


def lock_model(spec: SweepSpec) -> None:
    """Lock the encoder's revision where it comes from the hub and the sweep names none.

    Raises:
        InputError: it is not locked yet and the hub cannot say.
    """
    name = spec.model.name
    local = name == DEMO_MODEL or name.startswith((".", "/", "~")) or Path(name).is_dir()
    if spec.model.revision is None and not local:
        HubLock(lock_path(Path(spec.storage.root).resolve()), resolve_on_hub).revision("models", name)


def source_of(spec: SweepSpec) -> Source:
    """Open the sweep's data source; one a process, so that rows are read once."""
    return _open_source(spec.data.model_dump_json(), str(Path(spec.storage.root).resolve()))


@lru_cache(maxsize=4)
def _open_source(data: str, root: str) -> Source:
    return open_source(DataSpec.model_validate(json.loads(data)), Path(root))


def encoder_of(store: StageStore, parent: Pretrained | PretrainStage | TrainStage) -> tuple[str, str | None]:
    """Name and revision for `from_pretrained`."""
    if isinstance(parent, Pretrained):
        return parent.name, parent.revision
    return str(store.folder(parent.key) / ENCODER), None


def _load_trained(store: StageStore, stage: EvaluateStage, task: Task) -> tuple[Encoder, TaskModel]:
    """Load the parent's encoder with its trained head, or with retrieval's pooling."""
    encoder = load_encoder(*encoder_of(store, stage.parent))
    head = family_of(task).head(encoder, task, HeadSettings(stage.layer, stage.pooling))
    model = TaskModel(encoder.model, head)
    if isinstance(stage.parent, TrainStage) and task.training_task is not None:
        head.load_state_dict(load_file(store.folder(stage.parent.key) / HEAD))
    return encoder, model


def check_length(encoder: Encoder, max_length: int, task: str) -> None:
    """Refuse a length that the encoder has no positions for.

    Raises:
        InputError: with the length that would do.
    """
    if encoder.max_length is not None and max_length > encoder.max_length:
        raise InputError(
            Problem(
                "inputs would be longer than the encoder can read",
                where=f"max_length of {task}",
                received=str(max_length),
                allowed=f"at most {encoder.max_length} tokens",
                hint=f"stages.intermediate.max_length and stages.target.max_length, or tasks.{task}.max_length",
            )
        )


def give_memory_back() -> None:
    """Return freed memory to the system after a stage, where the C library can.

    glibc keeps freed tensors of ever new shapes in its heap: without this, a trial's warm process grew past 6 GB
    in a sweep with a six-layer encoder; with it, it stays at 0.4 GB.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def made(device: str, seconds: float, workers: int = 1) -> dict[str, JSON]:
    """Say how a stage was made: what may differ between runs of one recipe."""
    return {
        "device": device,
        "workers": workers,
        "threads": torch.get_num_threads(),
        "seconds": round(seconds, 3),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }
