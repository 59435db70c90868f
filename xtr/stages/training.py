"""This is where one process trains a stage on its rank.

A job pickles, so that it can be sent to a worker on another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedTokenizerFast

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
from xtr.metrics.collapse import COLLAPSED
from xtr.model.encoder import Encoder, load_encoder, load_tokenizer, save_encoder
from xtr.model.heads import Head, TaskModel
from xtr.model.lora import put_on, take_in
from xtr.model.precision import settled
from xtr.model.rows import keep_rows, restore_rows
from xtr.model.world import World
from xtr.spec.sweep import SweepSpec
from xtr.stages.drain import NEVER, Drain
from xtr.stages.encoding import Encoding, examples_of, keep_on_machine, start_of
from xtr.stages.made import hardware
from xtr.stages.occurring import occurring_pieces, trains_whole_table
from xtr.stages.stage import Part, TrainStage, TrunkStage
from xtr.stages.store import StageStore
from xtr.stages.subset import chosen_rows, n_chosen
from xtr.stages.work import ENCODER, HEADS, capped, encoder_of, kept, source_of, store_of
from xtr.train.compiling import compiles
from xtr.train.loop import Learner, Pause, Recipe, Scorer, decay_of_run, steps_of_run, train
from xtr.train.progress import Progress
from xtr.train.sharding import shards
from xtr.train.step import Lesson


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What a worker must know to train a stage; everything in it pickles.

    Attributes:
        trunk: train no further than this beginning of the stage, and leave its state in its progress folder.
    """

    spec: SweepSpec
    stage: TrainStage
    folder: str
    drain: Drain = NEVER
    until_epoch: int | None = None
    trunk: TrunkStage | None = None

    @property
    def key(self) -> str:
        """The stage, or the trunk, whose states the run leaves."""
        return (self.trunk or self.stage).key

    def pause(self, saved: Callable[[], None]) -> Pause:
        """Say where states are kept and when the run stops; `saved` is told of each state."""
        states = store_of(self.spec).progress_folder(self.key)
        return Pause(
            states,
            self.spec.compute.checkpoint_every_steps,
            after_epoch=self.until_epoch,
            after_step=self.trunk.steps if self.trunk else None,
            saved=saved,
            stop=self.drain.stops_steps,
        )


def train_once(job: TrainJob, world: World) -> Progress:
    """Train a stage on this process's rank; the leading rank leaves the finished files in `job.folder`."""
    torch.set_num_threads(job.spec.compute.per_worker.CPU)
    store, source, stage = store_of(job.spec), source_of(job.spec), job.stage
    encoder = load_encoder(*encoder_of(store, stage.parent))
    lora = stage.settings.lora
    adapted = put_on(encoder.model, lora, seed=derive_seed(stage.seed, stage.task, "lora")) if lora else None
    heads = _make_heads(encoder, stage, store)
    numbers = {name: number for number, name in enumerate(heads)}
    lessons = tuple(_lesson(part, stage, source, encoder, numbers, store) for part in stage.parts)
    learner = Learner(TaskModel(encoder.model, *heads.values()), encoder.tokenizer, lessons)
    learner.model.precision = settled(stage.precision, world.device)
    selections = [_selections(part, stage, source, learner, store) for part in stage.parts]
    if not trains_whole_table(stage):
        special = encoder.tokenizer.all_special_ids
        keep_rows(encoder.model, occurring_pieces(_examples(learner, selections), special))
    world = replace(world, sharded=shards(job.spec.compute.shard, learner.model, world))
    score, recipe = _select_scorer(stage, learner, selections), _recipe(stage)
    n_steps = steps_of_run(learner, recipe)
    compiled = compiles(job.spec.compute.compile, n_steps=n_steps, device=world.device)
    learner = replace(learner, compiled=compiled)
    # Who does not lead saves nothing: its copy would be of a state that it has fetched, and an old one by now.
    with store.keeping_states(job.key) if world.leads else nullcontext(lambda: None) as saved:
        progress = train(learner, recipe, pause=job.pause(saved), score=score, world=world)
    progress.hardware, progress.precision = hardware(world.device), learner.model.precision
    progress.sharded, progress.compiled = world.sharded, learner.compiled
    if world.leads and job.trunk is None and len(progress.epochs) == stage.settings.epochs:
        restore_rows(encoder.model, decay=decay_of_run(learner, recipe))
        if adapted is not None:
            take_in(adapted)
        save_encoder(encoder, Path(job.folder) / ENCODER)
        (Path(job.folder) / HEADS).mkdir(exist_ok=True)  # it may be the second try
        for name, head in heads.items():
            save_file(head.state_dict(), Path(job.folder) / HEADS / f"{name}.safetensors")
        store.hand_over(Path(job.folder))
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
        course=settings.schedule,
        warmup_steps=settings.warmup_steps or 0,
        decay_fraction=settings.decay_fraction,
    )


def _make_heads(encoder: Encoder, stage: TrainStage, store: StageStore) -> dict[str, Head]:
    """Make one head for each kind of head that the tasks need, or take over the parent's where that is asked.

    What is replayed is read by the head that it was learnt with, or else a fresh head would disturb the encoder; a
    task that shares the head goes on with it.
    """
    replayed = {head_id(find_task(part.task)) for part in stage.parts if part.replayed}
    heads: dict[str, Head] = {}
    for part in stage.parts:
        task = find_task(part.task)
        name = head_id(task)
        if name in heads:
            continue
        torch.manual_seed(derive_seed(stage.seed, part.name, "head"))
        heads[name] = family_of(task).head(encoder, task, HeadSettings())
        if (stage.settings.carry_head or name in replayed) and isinstance(stage.parent, TrainStage):
            trained = store.checked(stage.parent.key) / HEADS / f"{name}.safetensors"
            if trained.exists():
                heads[name].load_state_dict(load_file(trained))
    return heads


def _lesson(
    part: Part,
    stage: TrainStage,
    source: Source,
    encoder: Encoder,
    heads: Mapping[str, int],
    store: StageStore,
) -> Lesson:
    """Encode what a stage learns of one task."""
    task = find_task(part.task)
    check_length(encoder, part.settings.max_length, part.task)
    by_row = _training_examples(part, stage, source, encoder.tokenizer, store)
    examples = [example for row in by_row for example in row]
    return Lesson(part.name, family_of(task), examples, heads[head_id(task)], stage.share_of(part))


def _training_examples(
    part: Part, stage: TrainStage, source: Source, tokenizer: PreTrainedTokenizerFast, store: StageStore
) -> list[list[Example]]:
    """Give the examples of each of the part's training rows: kept ones, or encoded here.

    Several languages follow each other; under `wsd` rows stand as they were chosen, so that fewer are the
    beginning of more.
    """
    task = find_task(part.task)
    start, max_length = start_of(stage.parent).key, part.settings.max_length
    if part.parallel_data:
        mixed = training_rows(source, part, stage.seed)
        return _by_row(family_of(task).encode_training(mixed, task, tokenizer, max_length), len(mixed))
    by_language = [source.rows(task, "train", language) for language in part.languages]
    chosen = chosen_rows(list(map(len, by_language)), part, stage.seed)
    examples = []
    for number, (every, data) in enumerate(zip(by_language, part.train_data, strict=True)):
        places = [row for of, row in chosen if of == number]
        encoding = Encoding(task, data, start, max_length)
        rows = [every[place] for place in places]
        keep_on_machine(store, encoding, every, len(places), tokenizer)
        found = examples_of(store.root, encoding, rows, places, tokenizer, to_train=True)
        examples.append(_by_row(found, len(rows)))
    if stage.settings.schedule == "linear":
        return [row for language in examples for row in language]
    following = [iter(language) for language in examples]
    return [next(following[of]) for of, _ in chosen]


def _by_row(examples: Sequence[Example], n_rows: int) -> list[list[Example]]:
    rows: list[list[Example]] = [[] for _ in range(n_rows)]
    for example in examples:
        rows[example.row].append(example)
    return rows


def count_examples(runs: Sequence[TrainStage], store: StageStore, source: Source) -> list[int]:
    """Count the training examples of runs that differ in their amount: windows of one row count each.

    Only the rows of the largest are encoded, since those of the others are its beginning.
    """
    parts = [run.parts[0] for run in runs]
    sizes = [len(source.rows(find_task(parts[0].task), "train", each)) for each in parts[0].languages]
    n_rows = [n_chosen(sizes, part) for part in parts]
    largest = n_rows.index(max(n_rows))
    tokenizer = load_tokenizer(*encoder_of(store, runs[0].parent))
    by_row = _training_examples(parts[largest], runs[largest], source, tokenizer, store)
    up_to = [0, *accumulate(map(len, by_row))]
    return [up_to[n] for n in n_rows]


@dataclass(frozen=True, slots=True)
class _Selection:
    """The select rows of one task and language, encoded once for all epochs."""

    task: Task
    language: str
    rows: Sequence[Row]
    examples: Sequence[Example]


def _examples(learner: Learner, selections: Sequence[Sequence[_Selection]]) -> Iterator[Example]:
    """Go through all that a run reads, to learn from or to be scored on."""
    for lesson in learner.lessons:
        yield from lesson.examples
    for by_language in selections:
        for selected in by_language:
            yield from selected.examples


def _select_scorer(stage: TrainStage, learner: Learner, selections: Sequence[Sequence[_Selection]]) -> Scorer:
    """Score each task's select rows, mean over their languages; a mixture's metrics bear the task's name.

    A task has collapsed where it has in every language.
    """

    def score(model: TaskModel) -> dict[str, float]:
        scores = {}
        for part, lesson, selected in zip(stage.parts, learner.lessons, selections, strict=True):
            reader = model.reading(lesson.head)
            by_language = [_select_scores(reader, learner, each, stage.batch_size) for each in selected]
            for metric in by_language[0]:
                value = sum(each[metric] for each in by_language) / len(by_language)
                if metric != COLLAPSED or value == 1:
                    scores[f"{part.name}/{metric}" if stage.is_mixture else metric] = value
        return scores

    return score


def _selections(
    part: Part, stage: TrainStage, source: Source, learner: Learner, store: StageStore
) -> list[_Selection]:
    task, start = find_task(part.task), start_of(stage.parent).key
    selections = []
    for language, data in zip(part.select_languages, part.select_data, strict=True):
        every = source.rows(task, "select", language)
        rows, places = capped(every, stage.select_rows, task), kept(len(every), stage.select_rows, task)
        encoding = Encoding(task, data, start, part.settings.max_length)
        keep_on_machine(store, encoding, every, len(places), learner.tokenizer)
        examples = examples_of(store.root, encoding, rows, places, learner.tokenizer)
        selections.append(_Selection(task, language, rows, examples))
    return selections


def _select_scores(
    model: nn.Module, learner: Learner, selected: _Selection, batch_size: int
) -> dict[str, float]:
    task, rows = selected.task, selected.rows
    predictions = predict_encoded(
        model, learner.tokenizer, task, rows, selected.examples, batch_size=batch_size
    )
    family = family_of(task)
    scores = family.score(rows, predictions, task, selected.language)
    return {**scores, COLLAPSED: float(family.collapsed(rows, predictions))}


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
