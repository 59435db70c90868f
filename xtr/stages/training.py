"""This is where one process trains a stage on its rank.

A job pickles, so that it can be sent to a worker on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from xtr.catalogue.lookup import find_task
from xtr.data.parallel import mix_languages
from xtr.data.rows import Row
from xtr.data.source import Source
from xtr.data.subsets import nested_subset, resolve_size
from xtr.errors import InputError, Problem
from xtr.evaluate.predict import predict
from xtr.families.family import HeadSettings
from xtr.families.registry import family_of, head_id
from xtr.fingerprint import derive_seed
from xtr.model.encoder import Encoder, load_encoder, save_encoder
from xtr.model.heads import Head, TaskModel
from xtr.spec.sweep import SweepSpec
from xtr.stages.stage import Part, TrainStage
from xtr.stages.store import StageStore
from xtr.stages.work import ENCODER, HEADS, capped, encoder_of, source_of, store_of
from xtr.train.loop import Learner, Pause, Recipe, Scorer, train
from xtr.train.state import Progress
from xtr.train.step import Lesson, World


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What a worker must know to train a stage; everything in it pickles."""

    spec: SweepSpec
    stage: TrainStage
    folder: str
    until_epoch: int | None


def train_once(job: TrainJob, world: World) -> Progress:
    """Train a stage on this process's rank; the leading rank leaves the finished files in `job.folder`."""
    torch.set_num_threads(job.spec.compute.per_worker.CPU)
    store, source, stage = store_of(job.spec), source_of(job.spec), job.stage
    encoder = load_encoder(*encoder_of(store, stage.parent))
    heads = _make_heads(encoder, stage, store)
    numbers = {name: number for number, name in enumerate(heads)}
    lessons = tuple(_lesson(part, stage, source, encoder, numbers) for part in stage.parts)
    learner = Learner(TaskModel(encoder.model, *heads.values()), encoder.tokenizer, lessons)
    score = _select_scorer(stage, source, learner)
    every_steps = job.spec.compute.checkpoint_every_steps
    pause = Pause(store.progress_folder(stage.key), every_steps, job.until_epoch)
    progress = train(learner, _recipe(stage), pause=pause, score=score, world=world)
    if world.leads and len(progress.epochs) == stage.settings.epochs:
        save_encoder(encoder, Path(job.folder) / ENCODER)
        (Path(job.folder) / HEADS).mkdir()
        for name, head in heads.items():
            save_file(head.state_dict(), Path(job.folder) / HEADS / f"{name}.safetensors")
    return progress


def _recipe(stage: TrainStage) -> Recipe:
    settings = stage.settings
    return Recipe(
        task=stage.task,
        seed=stage.seed,
        learning_rate=settings.learning_rate,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        warmup_fraction=settings.warmup_fraction,
        weight_decay=settings.weight_decay,
        sampling=settings.mixture.sampling,
        cap=settings.mixture.cap,
        temperature=settings.mixture.temperature,
    )


def _make_heads(encoder: Encoder, stage: TrainStage, store: StageStore) -> dict[str, Head]:
    """Make one head for each kind of head that the tasks need, or take over the parent's where that is asked."""
    heads: dict[str, Head] = {}
    for part in stage.parts:
        task = find_task(part.task)
        name = head_id(task)
        if name in heads:
            continue
        torch.manual_seed(derive_seed(stage.seed, part.name, "head"))
        heads[name] = family_of(task).head(encoder, task, HeadSettings())
        if stage.settings.carry_head and isinstance(stage.parent, TrainStage):
            trained = store.folder(stage.parent.key) / HEADS / f"{name}.safetensors"
            if trained.exists():
                heads[name].load_state_dict(load_file(trained))
    return heads


def _lesson(
    part: Part, stage: TrainStage, source: Source, encoder: Encoder, heads: Mapping[str, int]
) -> Lesson:
    """Encode what a stage learns of one task."""
    task = find_task(part.task)
    check_length(encoder, part.settings.max_length, part.task)
    family = family_of(task)
    rows = training_rows(source, part, stage.seed)
    examples = family.encode_training(rows, task, encoder.tokenizer, part.settings.max_length)
    share = stage.settings.mixture.mlm_share if stage.is_mixture and task.family == "mlm" else None
    return Lesson(part.name, family, examples, heads[head_id(task)], share)


def _select_scorer(stage: TrainStage, source: Source, learner: Learner) -> Scorer:
    """Score each task's select rows, mean over their languages; a mixture's metrics bear the task's name."""

    def score(model: TaskModel) -> dict[str, float]:
        scores = {}
        for part, lesson in zip(stage.parts, learner.lessons, strict=True):
            by_language = [
                _select_scores(model.reading(lesson.head), learner, part, stage, source, language)
                for language in part.select_languages
            ]
            for metric in by_language[0]:
                value = sum(each[metric] for each in by_language) / len(by_language)
                scores[f"{part.name}/{metric}" if stage.is_mixture else metric] = value
        return scores

    return score


def _select_scores(
    model: TaskModel, learner: Learner, part: Part, stage: TrainStage, source: Source, language: str
) -> dict[str, float]:
    task = find_task(part.task)
    rows = capped(source.rows(task, "select", language), stage.select_rows, task)
    predictions = predict(
        model,
        learner.tokenizer,
        task,
        rows,
        max_length=part.settings.max_length,
        batch_size=stage.batch_size,
    )
    return family_of(task).score(rows, predictions, task, language)


def training_rows(source: Source, part: Part, seed: int) -> list[Row]:
    """Read the nested subset of a task's training rows.

    Several languages share the rows of one: the first row is the first language's, the second the second's, so
    that sets which translate each other give every item once. Pooled tasks give each language's rows.
    """
    task, settings = find_task(part.task), part.settings
    fraction = settings.fraction if settings.examples is None else None
    by_language = [source.rows(task, "train", language) for language in part.languages]
    if task.pools_languages:
        by_language = [[row for rows in by_language for row in rows]]
    n_rows = min(map(len, by_language))
    size = resolve_size(n_rows, fraction=fraction, examples=settings.examples, cap=settings.max_rows)
    orders = [nested_subset(len(rows), size, seed=seed, task=task.name) for rows in by_language]
    turns = [i % len(by_language) for i in range(size)]
    chosen = [by_language[turn][orders[turn][i]] for i, turn in enumerate(turns)]
    if not part.parallel_data:
        return chosen
    return mix_languages(
        chosen,
        [source.rows(task, "train", language) for language, _ in part.parallel_data],
        share=settings.cross_lingual_share or 0.0,
        seed=derive_seed(seed, task.name, "languages"),
    )


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
