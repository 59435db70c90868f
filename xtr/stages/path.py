"""This is where a trial becomes a path of stages.

Paths(spec, source).path(Pair("squad_v1", "tydiqa"), {"target.learning_rate": 3e-5}, seed=1)
    -> train squad_v1, train tydiqa
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from xtr.catalogue.benchmarks import benchmark_languages
from xtr.catalogue.lookup import find_task, training_task
from xtr.catalogue.task import Role, Split, Task
from xtr.data.demo import world_identity
from xtr.data.hublock import HubLock
from xtr.data.source import Source
from xtr.errors import InputError, Problem
from xtr.families.registry import PREDICTING, SCORING
from xtr.spec.expressions import Link, Member, parse_intermediate, parse_target
from xtr.spec.settings import TrainSettings
from xtr.spec.space import Value
from xtr.spec.sweep import ModelSpec, Pair, SweepSpec
from xtr.stages.stage import (
    EmbedStage,
    EvaluateStage,
    Part,
    PretrainStage,
    Start,
    TrainStage,
    pretrained,
)

DEMO_MODELS = ("demo", "demo-small")
"""The demo world's own encoders: as `model.name`, or as `checkpoint:demo-small`."""


@dataclass(frozen=True, slots=True)
class Path:
    """The stages of one trial.

    Attributes:
        intermediate: one a link of the chain, empty for `none`.
        target: None where the target is never trained.
        select: evaluations that give the trial its score; empty where the target stage gives it.
    """

    start: Start
    intermediate: tuple[TrainStage, ...]
    target: TrainStage | None
    select: tuple[EvaluateStage, ...]

    @property
    def training(self) -> tuple[TrainStage, ...]:
        """All training stages in order."""
        return (*self.intermediate, *((self.target,) if self.target else ()))

    @property
    def end(self) -> Start | TrainStage:
        """What is evaluated."""
        return self.training[-1] if self.training else self.start


class Paths:
    """Plans paths for one sweep; never reads rows, asks the source only for identities."""

    def __init__(self, spec: SweepSpec, source: Source) -> None:
        self.spec = spec
        self.source = source

    @cached_property
    def start(self) -> Start:
        """The encoder that every path begins with."""
        return self._encoder(self.spec.model)

    @property
    def starts(self) -> tuple[Start, ...]:
        """Every encoder that a pair begins with, once, that of the sweep first."""
        starts = (self.start, *(self.start_of(pair) for pair in self.spec.pairs.pairs()))
        return tuple({start.key: start for start in starts}.values())

    def _encoder(self, model: ModelSpec) -> Start:
        if model.name not in DEMO_MODELS:
            return pretrained(model, self._lock)
        seed, scale = self.spec.data.demo_seed, self.spec.data.demo_scale
        return PretrainStage(world_identity(seed, scale), seed, scale, model.name)

    @property
    def _lock(self) -> HubLock:
        return HubLock(self.spec.storage.workplace().store)

    def path(self, pair: Pair, params: Mapping[str, Value], seed: int) -> Path:
        """Resolve one trial's stages from its parameters and its training seed."""
        target = find_task(pair.target_task)
        start, links = self.start_of(pair), self.links(pair, params, seed)
        end: Start | TrainStage = links[-1] if links else start
        trained = training_task(target)
        if trained is None:
            select = self.evaluations(end, None, target, "select", self.source.languages(target, "select"))
            return Path(start, links, None, select)
        member = Member(trained.name, parse_target(pair.target).languages)
        stage = self._training(end, Link((member,), member.task), "target", params, seed)
        return Path(start, links, stage, self._oracle(stage, target))

    def _oracle(self, stage: TrainStage, target: Task) -> tuple[EvaluateStage, ...]:
        """Ask for the evaluations that an oracle selects on; nothing where the stage's own scores select."""
        if self.spec.search.select_on == "source":
            return ()
        languages = self.oracle_languages(target, stage.parts[0].languages)
        return self.evaluations(stage, stage, target, "dev", languages)

    def oracle_languages(self, target: Task, trained_in: Sequence[str]) -> tuple[str, ...]:
        """List the languages at hand on whose dev sets an oracle selects: all but those trained in.

        Raises:
            InputError: there is none.
        """
        at_hand = self.source.languages(target, "dev")
        wanted = [
            each for each in evaluated_languages(self.spec, self.source, target, "dev") if each in at_hand
        ]
        languages = tuple(each for each in wanted if each not in trained_in)
        if not languages:
            raise InputError(
                Problem(
                    "an oracle has no language to select on",
                    where=f"{target.name} dev",
                    received=", ".join(at_hand) or "nothing",
                    allowed="another language than it is trained in",
                    hint="search.select_on: source, or stages.evaluate.languages",
                )
            )
        return languages

    def links(self, pair: Pair, params: Mapping[str, Value], seed: int) -> tuple[TrainStage, ...]:
        """Resolve the intermediate stages alone, one a link of the chain."""
        links: list[TrainStage] = []
        for link in parse_intermediate(pair.intermediate).links:
            parent = links[-1] if links else self.start_of(pair)
            stage = self._training(parent, link, "intermediate", params, seed)
            links.append(_replaying(stage, links) if link.replays else stage)
        return tuple(links)

    def start_of(self, pair: Pair) -> Start:
        """The encoder that a pair begins with: a checkpoint of its own, or the sweep's."""
        checkpoint = parse_intermediate(pair.intermediate).checkpoint
        if checkpoint is None:
            return self.start
        return self._encoder(ModelSpec(name=checkpoint.name, revision=checkpoint.revision))

    def evaluations(
        self,
        end: Start | TrainStage,
        trained: TrainStage | None,
        target: Task,
        split: Split,
        languages: tuple[str, ...],
    ) -> tuple[EvaluateStage, ...]:
        """Ask for one evaluation a language; `trained` is the target stage whose head is used, if any.

        Without one `target` is retrieval, or masked language modelling with the pretrained model's head.
        """
        settings = self.spec.stages.evaluate
        retrieval = target.training_task is None
        max_length = settings.retrieval_max_length if trained is None else trained.settings.max_length
        fitted: dict[str, EvaluateStage] = {}
        if split == "test" and target.calibration is not None:
            stages = self.evaluations(end, trained, target, target.calibration, languages)
            fitted = {stage.language: stage for stage in stages}
        return tuple(
            EvaluateStage(
                parent=end,
                task=target.name,
                split=split,
                language=language,
                data=self.source.identity(target, split, language),
                max_length=max_length,
                max_rows=settings.max_rows,
                batch_size=settings.batch_size,
                layer=settings.layer if retrieval else None,
                pooling=settings.pooling if retrieval else "mean",
                calibration=fitted.get(language),
                pool=self._pool(end, target, max_length)
                if split in ("dev", "test") and target.pool
                else None,
                precision=self.spec.stages.precision,
                predicting=PREDICTING[target.family],
                scoring=SCORING[target.family],
            )
            for language in languages
        )

    def rows_read(self, member: Member) -> tuple[tuple[Split, tuple[str, ...]], ...]:
        """Say in which languages a task's train and select rows are read."""
        task = find_task(member.task)
        home = self._home(task)
        languages = member.languages or home
        return ("train", languages), ("select", languages if task.pools_languages else home)

    def _pool(self, end: Start | TrainStage, target: Task, max_length: int) -> EmbedStage:
        """Ask for the vectors of all candidates, of every language at hand."""
        languages = self.source.languages(target, "pool")
        if not languages:
            self.source.identity(target, "pool", target.languages[0])  # says which file is missing
        data = tuple((language, self.source.identity(target, "pool", language)) for language in languages)
        stages = self.spec.stages
        return EmbedStage(end, target.name, data, max_length, stages.evaluate.batch_size, stages.precision)

    def _training(
        self,
        parent: Start | TrainStage,
        link: Link,
        role: Role,
        params: Mapping[str, Value],
        seed: int,
    ) -> TrainStage:
        stages = self.spec.stages
        settings = stages.intermediate if role == "intermediate" else stages.target
        parts = tuple(
            self._part(member, settings, own_params(params, role, member.task)) for member in link.members
        )
        whole = (
            parts[0].settings
            if len(parts) == 1
            else settings.resolved_for(link.name, own_params(params, role, link.name))
        )
        evaluate = stages.evaluate
        return TrainStage(
            parent, parts, whole, seed, evaluate.max_rows, evaluate.batch_size, stages.precision
        )

    def _part(self, member: Member, settings: TrainSettings, own: Mapping[str, Value]) -> Part:
        task, source = find_task(member.task), self.source
        (_, languages), (_, select) = self.rows_read(member)
        resolved = settings.resolved_for(task.name, own)
        if task.family != "ranking":
            resolved = resolved.model_copy(update={"cross_lingual_share": None})
        return Part(
            name=str(member),
            task=task.name,
            languages=languages,
            select_languages=select,
            settings=resolved,
            train_data=tuple(source.identity(task, "train", language) for language in languages),
            select_data=tuple(source.identity(task, "select", language) for language in select),
            parallel_data=self._parallel(task, languages) if resolved.cross_lingual_share else (),
        )

    def _home(self, task: Task) -> tuple[str, ...]:
        """The languages that a task is trained in where the expression names none."""
        at_hand = self.source.languages(task, "train") if task.pools_languages else ()
        return task.trained_in(self.spec.stages.source_language, at_hand)

    def _parallel(self, task: Task, own: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Name the training rows in the other languages that are at hand.

        Raises:
            InputError: there are none.
        """
        languages = [each for each in self.source.languages(task, "train") if each not in own]
        if not languages:
            raise InputError(
                Problem(
                    "cross_lingual_share needs the training rows in another language",
                    where=f"{task.name} train",
                    received=f"{', '.join(own)} alone",
                    allowed=", ".join(files.pattern for files in task.train if "{lang}" in files.pattern),
                )
            )
        return tuple((each, self.source.identity(task, "train", each)) for each in languages)


def evaluated_languages(spec: SweepSpec, source: Source, task: Task, split: Split) -> tuple[str, ...]:
    """Resolve `stages.evaluate.languages` for a task: all of the benchmark's, those at hand, or a list."""
    wanted = spec.stages.evaluate.languages
    at_hand = source.languages(task, split)
    if wanted == "available":
        return at_hand
    if wanted == "all":
        counted = benchmark_languages(task, spec.stages.evaluate.benchmark) or task.languages
        return at_hand if spec.data.source == "demo" else counted
    return tuple(language for language in wanted if language in (*task.all_languages, *at_hand))


def _replaying(stage: TrainStage, before: Sequence[TrainStage]) -> TrainStage:
    """Have a link go over the rows of those before it, each task once."""
    own = {part.name for part in stage.parts}
    parts = [part for link in before for part in link.parts if part.name not in own]
    earlier = {part.name: replace(part, replayed=True) for part in parts}
    return replace(stage, parts=(*stage.parts, *earlier.values()))


def own_params(params: Mapping[str, Value], role: Role, task: str | None = None) -> dict[str, Value]:
    """Keep a stage's own parameters: `intermediate.epochs`, then `intermediate.mnli.epochs` for that task."""
    general, special = {}, {}
    for name, value in params.items():
        stage, _, rest = name.partition(".")
        of_task, _, setting = rest.rpartition(".")
        if stage == role and not of_task:
            general[setting] = value
        elif stage == role and of_task == task:
            special[setting] = value
    return general | special
