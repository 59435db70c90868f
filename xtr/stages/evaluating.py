"""This is where one process evaluates: predicts, scores and leaves the official prediction files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Task
from xtr.data.rows import Row
from xtr.data.source import Source
from xtr.evaluate.predict import embed, embed_queries, predict_encoded
from xtr.families.family import HeadSettings, Pool
from xtr.families.registry import family_of, head_id
from xtr.faults import fault
from xtr.fingerprint import JSON, canonical_json
from xtr.model.encoder import load_encoder
from xtr.model.heads import TaskModel
from xtr.model.precision import settled
from xtr.spec.sweep import SweepSpec
from xtr.stages.encoding import Encoding, examples_of, start_of
from xtr.stages.made import made
from xtr.stages.stage import EmbedStage, EvaluateStage, TrainStage
from xtr.stages.store import StageStore
from xtr.stages.work import HEADS, capped, encoder_of, kept, source_of, store_of
from xtr.train.world import World

VECTORS = "vectors.safetensors"
ITEMS = "items.jsonl"
"""How each row of an evaluation went: its id and its family's outcome, one JSON object a row, in file order."""


@dataclass(frozen=True, slots=True)
class EvaluateJob:
    """What a worker must know to evaluate stages that share a parent, a task and a head."""

    spec: SweepSpec
    stages: tuple[EvaluateStage, ...]


def evaluate_group(job: EvaluateJob, world: World) -> list[str]:
    """Predict and score stages that share a parent, a task and a head, and publish each.

    Returns:
        Keys of the stages that were computed here, calibrations included; others were faster with the rest.
    """
    torch.set_num_threads(job.spec.compute.per_worker.CPU)
    store, source, first = store_of(job.spec), source_of(job.spec), job.stages[0]
    task = find_task(first.task)
    model = _load_trained(store, first, task)
    model.model.to(world.device)
    model.model.precision = used = settled(first.precision, world.device)
    pools: dict[str, Pool] = {}
    computed = []
    for stage in (each for asked in job.stages for each in (asked.calibration, asked) if each is not None):
        fault("evaluation.between_stages")
        lease = store.claim(stage.key)
        if lease is None:
            continue
        began = time.monotonic()
        with lease, store.workspace(stage.key) as folder:
            if stage.pool is not None and stage.pool.key not in pools:
                pools[stage.pool.key] = _pool(store, source, stage.pool, model)
            every = source.rows(task, stage.split, stage.language)
            pool = pools[stage.pool.key] if stage.pool else None
            threshold = _threshold(store, stage.calibration) if stage.calibration else None
            result = _predict_and_score(model, stage, every, folder, pool, threshold)
            fault("evaluation.before_publish")
            about = made(world.device, time.monotonic() - began, precision=used)
            store.publish(stage, folder, result, about)
            computed.append(stage.key)
    return computed


def _pool(store: StageStore, source: Source, stage: EmbedStage, model: _Trained) -> Pool:
    """Read a pool's vectors from the store, or make them and leave them there."""
    task = find_task(stage.task)
    candidates = family_of(task).pool_candidates(_pool_rows(source, stage))
    if store.open(stage.key) is None and (lease := store.claim(stage.key)):
        began = time.monotonic()
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
            device, used = next(model.model.parameters()).device.type, model.model.precision
            about = made(device, time.monotonic() - began, precision=used)
            store.publish(stage, folder, {"n": len(candidates)}, about)
    return Pool(tuple(candidates), load_file(store.checked(stage.key) / VECTORS)["vectors"])


def _pool_rows(source: Source, stage: EmbedStage) -> list[Row]:
    task = find_task(stage.task)
    return [row for language, _ in stage.data for row in source.rows(task, "pool", language)]


def _threshold(store: StageStore, calibration: EvaluateStage) -> float:
    manifest = store.read(calibration.key)
    assert manifest is not None
    return float(str(manifest.result["threshold"]))


def _predict_and_score(
    model: _Trained,
    stage: EvaluateStage,
    every: Sequence[Row],
    folder: Path,
    pool: Pool | None,
    threshold: float | None,
) -> dict[str, JSON]:
    """Write the official prediction file; score where the rows carry labels, as a whole and row by row.

    Where no threshold is given and the family knows one, it is fitted on these very rows.
    """
    task = find_task(stage.task)
    family = family_of(task)
    rows = capped(every, stage.max_rows, task)
    length = model.at_most(stage.max_length)
    if pool is None:
        encoding = Encoding(task, stage.data, start_of(stage.parent).key, length)
        places = kept(len(every), stage.max_rows, task)
        examples = examples_of(model.root, encoding, rows, places, model.tokenizer)
        predictions = predict_encoded(
            model.model, model.tokenizer, task, rows, examples, batch_size=stage.batch_size
        )
    else:
        queries = embed_queries(
            model.model, model.tokenizer, task, rows, max_length=length, batch_size=stage.batch_size
        )
        predictions = family.decode_against(queries, rows, pool)
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


@dataclass(frozen=True, slots=True)
class _Trained:
    """A model that predicts, its tokenizer, the longest input that its encoder reads, and the storage root."""

    model: TaskModel
    tokenizer: transformers.PreTrainedTokenizerFast
    longest: int | None
    root: Path

    def at_most(self, max_length: int) -> int:
        return min(max_length, self.longest or max_length)


def _load_trained(store: StageStore, stage: EvaluateStage, task: Task) -> _Trained:
    """Load the parent's encoder, as deep as it is read, with its trained head or with retrieval's pooling."""
    encoder = load_encoder(*encoder_of(store, stage.parent))
    head = family_of(task).head(encoder, task, HeadSettings(stage.layer, stage.pooling))
    model = TaskModel(encoder.model, head)
    if isinstance(stage.parent, TrainStage) and task.training_task is not None:
        trained = find_task(task.training_task)
        head.load_state_dict(
            load_file(store.checked(stage.parent.key) / HEADS / f"{head_id(trained)}.safetensors")
        )
    model.drop_unread_blocks()
    return _Trained(model, encoder.tokenizer, encoder.max_length, store.root)


def label_file(source: Source, stage: EvaluateStage) -> tuple[str, str] | None:
    """Write the gold of the rows that a stage predicts: the file's name and its text; None where it is hidden."""
    task = find_task(stage.task)
    family = family_of(task)
    rows = capped(source.rows(task, stage.split, stage.language), stage.max_rows, task)
    if stage.pool is not None:
        rows = family.against(rows, family.pool_candidates(_pool_rows(source, stage.pool)))
    if not all(family.labelled(row) for row in rows):
        return None
    return f"test-{stage.language}.{family.suffix}", family.label_file(rows)
