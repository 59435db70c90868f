"""This is where one process trains a stage on its rank.

A job pickles, so that it can be sent to a worker on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Task
from xtr.data.parallel import mix_languages
from xtr.data.rows import Row
from xtr.data.source import Source
from xtr.errors import InputError, Problem
from xtr.evaluate.predict import predict_encoded
from xtr.families.family import Example, HeadSettings
from xtr.families.registry import family_of, head_id
from xtr.fingerprint import derive_seed
from xtr.model.encoder import Encoder, load_encoder, save_encoder
from xtr.model.heads import Head, TaskModel
from xtr.spec.sweep import SweepSpec
from xtr.stages.encoding import Encoding, examples_of, start_of
from xtr.stages.stage import Part, TrainStage
from xtr.stages.store import StageStore
from xtr.stages.subset import chosen_rows
from xtr.stages.work import ENCODER, HEADS, capped, encoder_of, hardware, kept, source_of, store_of
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
    lessons = tuple(_lesson(part, stage, source, encoder, numbers, store.root) for part in stage.parts)
    learner = Learner(TaskModel(encoder.model, *heads.values()), encoder.tokenizer, lessons)
    score = _select_scorer(stage, source, learner, store.root)
    every_steps = job.spec.compute.checkpoint_every_steps
    pause = Pause(store.progress_folder(stage.key), every_steps, job.until_epoch)
    progress = train(learner, _recipe(stage), pause=pause, score=score, world=world)
    progress.hardware = hardware(world.device)
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
    part: Part, stage: TrainStage, source: Source, encoder: Encoder, heads: Mapping[str, int], root: Path
) -> Lesson:
    """Encode what a stage learns of one task."""
    task = find_task(part.task)
    check_length(encoder, part.settings.max_length, part.task)
    examples = _training_examples(part, stage, source, encoder, root)
    share = stage.settings.mixture.mlm_share if stage.is_mixture and task.family == "mlm" else None
    return Lesson(part.name, family_of(task), examples, heads[head_id(task)], share)


def _training_examples(
    part: Part, stage: TrainStage, source: Source, encoder: Encoder, root: Path
) -> list[Example]:
    """Give the part's training examples, language by language: kept ones, or encoded here."""
    task = find_task(part.task)
    start, max_length = start_of(stage.parent).key, part.settings.max_length
    if part.parallel_data:
        rows = training_rows(source, part, stage.seed)
        return family_of(task).encode_training(rows, task, encoder.tokenizer, max_length)
    by_language = [source.rows(task, "train", language) for language in part.languages]
    chosen = chosen_rows(list(map(len, by_language)), part, stage.seed)
    examples = []
    for number, (every, data) in enumerate(zip(by_language, part.train_data, strict=True)):
        places = [row for of, row in chosen if of == number]
        encoding = Encoding(task, data, start, max_length)
        rows = [every[place] for place in places]
        examples += examples_of(root, encoding, rows, places, encoder.tokenizer, to_train=True)
    return examples


@dataclass(frozen=True, slots=True)
class _Selection:
    """The select rows of one task and language, encoded once for all epochs."""

    task: Task
    language: str
    rows: Sequence[Row]
    examples: Sequence[Example]


def _select_scorer(stage: TrainStage, source: Source, learner: Learner, root: Path) -> Scorer:
    """Score each task's select rows, mean over their languages; a mixture's metrics bear the task's name."""
    selections = [_selections(part, stage, source, learner, root) for part in stage.parts]

    def score(model: TaskModel) -> dict[str, float]:
        scores = {}
        for part, lesson, selected in zip(stage.parts, learner.lessons, selections, strict=True):
            reader = model.reading(lesson.head)
            by_language = [_select_scores(reader, learner, each, stage.batch_size) for each in selected]
            for metric in by_language[0]:
                value = sum(each[metric] for each in by_language) / len(by_language)
                scores[f"{part.name}/{metric}" if stage.is_mixture else metric] = value
        return scores

    return score


def _selections(
    part: Part, stage: TrainStage, source: Source, learner: Learner, root: Path
) -> list[_Selection]:
    task, start = find_task(part.task), start_of(stage.parent).key
    selections = []
    for language, data in zip(part.select_languages, part.select_data, strict=True):
        every = source.rows(task, "select", language)
        rows, places = capped(every, stage.select_rows, task), kept(len(every), stage.select_rows, task)
        encoding = Encoding(task, data, start, part.settings.max_length)
        examples = examples_of(root, encoding, rows, places, learner.tokenizer)
        selections.append(_Selection(task, language, rows, examples))
    return selections


def _select_scores(
    model: TaskModel, learner: Learner, selected: _Selection, batch_size: int
) -> dict[str, float]:
    task, rows = selected.task, selected.rows
    predictions = predict_encoded(
        model, learner.tokenizer, task, rows, selected.examples, batch_size=batch_size
    )
    return family_of(task).score(rows, predictions, task, selected.language)


def training_rows(source: Source, part: Part, seed: int) -> list[Row]:
    """Read the nested subset of a task's training rows.

    Several languages share the rows of one: the first row is the first language's, the second the second's, so
    that sets which translate each other give every item once. Pooled tasks give each language's rows.
    """
    task = find_task(part.task)
    by_language = [source.rows(task, "train", language) for language in part.languages]
    places = chosen_rows(list(map(len, by_language)), part, seed)
    chosen = [by_language[number][row] for number, row in places]
    if not part.parallel_data:
        return chosen
    return mix_languages(
        chosen,
        [source.rows(task, "train", language) for language, _ in part.parallel_data],
        share=part.settings.cross_lingual_share or 0.0,
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
