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
from xtr.data.open import open_source
from xtr.data.parallel import mix_languages
from xtr.data.rows import Row
from xtr.data.source import Source
from xtr.data.subsets import nested_subset, resolve_size
from xtr.errors import InputError, Problem
from xtr.evaluate.predict import embed, embed_queries, predict
from xtr.families.family import HeadSettings, Pool
from xtr.families.registry import family_of
from xtr.fingerprint import JSON, canonical_json, derive_seed
from xtr.model.encoder import Encoder, load_encoder, save_encoder
from xtr.model.heads import TaskModel
from xtr.spec.sweep import DataSpec, SweepSpec
from xtr.stages.path import SOURCE_LANGUAGE
from xtr.stages.stage import EmbedStage, EvaluateStage, Pretrained, PretrainStage, TrainStage
from xtr.stages.store import StageStore
from xtr.train.loop import Learner, Pause, Recipe, World, train
from xtr.train.state import Progress

ENCODER, HEAD, VECTORS = "encoder", "head.safetensors", "vectors.safetensors"
ITEMS = "items.jsonl"
"""How each row of an evaluation went: its id and its family's outcome, one JSON object a row, in file order."""


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
    rows = training_rows(source, stage)
    examples = family.encode_training(rows, task, encoder.tokenizer, settings.max_length)
    select = capped(source.rows(task, "select", SOURCE_LANGUAGE), stage.select_rows, task)

    def score(model: TaskModel) -> dict[str, float]:
        predictions = predict(
            model,
            encoder.tokenizer,
            task,
            select,
            max_length=settings.max_length,
            batch_size=stage.batch_size,
        )
        return family.score(select, predictions, task, SOURCE_LANGUAGE)

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
    model = _load_trained(store, first, task)
    model.model.to(world.device)
    pools: dict[str, Pool] = {}
    for stage in (each for asked in job.stages for each in (asked.calibration, asked) if each is not None):
        lease = store.claim(stage.key)
        if lease is None:
            continue
        with lease, store.workspace(stage.key) as folder:
            if stage.pool is not None and stage.pool.key not in pools:
                pools[stage.pool.key] = _pool(store, source, stage.pool, model)
            rows = capped(source.rows(task, stage.split, stage.language), stage.max_rows, task)
            pool = pools[stage.pool.key] if stage.pool else None
            threshold = _threshold(store, stage.calibration) if stage.calibration else None
            result = _predict_and_score(model, stage, rows, folder, pool, threshold)
            store.publish(stage, folder, result, made(world.device, 0.0))


def _pool(store: StageStore, source: Source, stage: EmbedStage, model: _Trained) -> Pool:
    """Read a pool's vectors from the store, or make them and leave them there."""
    task = find_task(stage.task)
    rows = [row for language, _ in stage.data for row in source.rows(task, "pool", language)]
    candidates = family_of(task).pool_candidates(rows)
    if store.open(stage.key) is None and (lease := store.claim(stage.key)):
        with lease, store.workspace(stage.key) as folder:
            pool = embed(
                model.model,
                model.tokenizer,
                task,
                candidates,
                max_length=model.at_most(stage.max_length),
                batch_size=stage.batch_size,
            )
            save_file({"vectors": pool.vectors}, folder / VECTORS)
            device = next(model.model.parameters()).device.type
            store.publish(stage, folder, {"n": len(candidates)}, made(device, 0.0))
    return Pool(tuple(candidates), load_file(store.folder(stage.key) / VECTORS)["vectors"])


def _threshold(store: StageStore, calibration: EvaluateStage) -> float:
    manifest = store.read(calibration.key)
    assert manifest is not None
    return float(str(manifest.result["threshold"]))


def _predict_and_score(
    model: _Trained,
    stage: EvaluateStage,
    rows: Sequence[Row],
    folder: Path,
    pool: Pool | None,
    threshold: float | None,
) -> dict[str, JSON]:
    """Write the official prediction file; score where the rows carry labels, as a whole and row by row.

    Where no threshold is given and the family knows one, it is fitted on these very rows.
    """
    task = find_task(stage.task)
    family = family_of(task)
    run = predict if pool is None else embed_queries
    predictions = run(
        model.model,
        model.tokenizer,
        task,
        rows,
        max_length=model.at_most(stage.max_length),
        batch_size=stage.batch_size,
    )
    if pool is not None:
        predictions = family.decode_against(predictions, rows, pool)
        rows = family.against(rows, pool.candidates)
    labelled = all(family.labelled(row) for row in rows)
    if threshold is None and labelled:
        threshold = family.fit_threshold(rows, predictions)
    if threshold is not None:
        predictions = family.keep(predictions, threshold)
    text = family.prediction_file(rows, predictions)
    (folder / f"predictions.{family.suffix}").write_text(text, encoding="utf-8")
    scores: Mapping[str, float] = {}
    if labelled:
        scores = family.score(rows, predictions, task, stage.language)
        outcomes = family.outcomes(rows, predictions, task, stage.language)
        lines = [canonical_json({"id": row.id, **each}) for row, each in zip(rows, outcomes, strict=True)]
        (folder / ITEMS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    fitted: dict[str, JSON] = {} if threshold is None else {"threshold": threshold}
    return {"scores": dict(scores), "n": len(rows), "predictions": f"predictions.{family.suffix}", **fitted}


def training_rows(source: Source, stage: TrainStage) -> list[Row]:
    """Read the stage's nested subset of the training rows."""
    task, settings = find_task(stage.task), stage.settings
    rows = source.rows(task, "train", SOURCE_LANGUAGE)
    fraction = settings.fraction if settings.examples is None else None
    size = resolve_size(len(rows), fraction=fraction, examples=settings.examples, cap=settings.max_rows)
    chosen = [rows[i] for i in nested_subset(len(rows), size, seed=stage.seed, task=stage.task)]
    if not stage.parallel_data:
        return chosen
    return mix_languages(
        chosen,
        [source.rows(task, "train", language) for language, _ in stage.parallel_data],
        share=settings.cross_lingual_share or 0.0,
        seed=derive_seed(stage.seed, stage.task, "languages"),
    )


def capped(rows: Sequence[Row], max_rows: int | None, task: Task) -> Sequence[Row]:
    """Take at most `max_rows` rows, the same ones for every model and seed, in file order."""
    if max_rows is None or len(rows) <= max_rows:
        return rows
    family = family_of(task)
    return family.cap(
        rows, sorted(nested_subset(len(rows), max_rows, seed=0, task=f"{task.name} evaluation"))
    )


def store_of(spec: SweepSpec) -> StageStore:
    """Open the sweep's stage store."""
    return StageStore(Path(spec.storage.root).resolve())


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


@dataclass(frozen=True, slots=True)
class _Trained:
    """A model that predicts, its tokenizer and the longest input that its encoder reads."""

    model: TaskModel
    tokenizer: transformers.PreTrainedTokenizerFast
    longest: int | None

    def at_most(self, max_length: int) -> int:
        return min(max_length, self.longest or max_length)


def _load_trained(store: StageStore, stage: EvaluateStage, task: Task) -> _Trained:
    """Load the parent's encoder, as deep as it is read, with its trained head or with retrieval's pooling."""
    encoder = load_encoder(*encoder_of(store, stage.parent))
    head = family_of(task).head(encoder, task, HeadSettings(stage.layer, stage.pooling))
    model = TaskModel(encoder.model, head)
    if isinstance(stage.parent, TrainStage) and task.training_task is not None:
        head.load_state_dict(load_file(store.folder(stage.parent.key) / HEAD))
    model.drop_unread_blocks()
    return _Trained(model, encoder.tokenizer, encoder.max_length)


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
