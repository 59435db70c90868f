"""This is where a trial becomes a path of stages.

Paths(spec, source).path(Pair("squad_v1", "tydiqa"), {"target.learning_rate": 3e-5}, seed=1)
    -> train squad_v1, train tydiqa
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath

from xtr.catalogue.lookup import find_task, training_task
from xtr.catalogue.task import Role, Split, Task
from xtr.data.demo import world_identity
from xtr.data.hublock import HubLock, lock_path
from xtr.data.source import Source
from xtr.spec.intermediate import parse_intermediate
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.stage import EvaluateStage, Pretrained, PretrainStage, Start, TrainStage, pretrained

SOURCE_LANGUAGE = "en"
DEMO_MODEL = "demo"


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
        if self.spec.model.name != DEMO_MODEL:
            return pretrained(self.spec.model, HubLock(lock_path(FilePath(self.spec.storage.root).resolve())))
        data = self.spec.data
        return PretrainStage(world_identity(data.demo_seed, data.demo_scale), data.demo_seed, data.demo_scale)

    def path(self, pair: Pair, params: Mapping[str, Value], seed: int) -> Path:
        """Resolve one trial's stages from its parameters and its training seed."""
        target = find_task(pair.target)
        end: Pretrained | PretrainStage | TrainStage = self.start
        links = []
        for name in parse_intermediate(pair.intermediate):
            end = self._training(end, find_task(name), "intermediate", params, seed)
            links.append(end)
        trained = training_task(target)
        if trained is None:
            select = self.evaluations(end, None, target, "select", target_languages(target, self.source))
            return Path(self.start, tuple(links), None, select)
        stage = self._training(end, trained, "target", params, seed)
        return Path(self.start, tuple(links), stage, ())

    def evaluations(
        self,
        end: Pretrained | PretrainStage | TrainStage,
        trained: TrainStage | None,
        target: Task,
        split: Split,
        languages: tuple[str, ...],
    ) -> tuple[EvaluateStage, ...]:
        """Ask for one evaluation a language; `trained` is the target stage whose head is used, if any."""
        settings = self.spec.stages.evaluate
        retrieval = trained is None
        return tuple(
            EvaluateStage(
                parent=end,
                task=target.name,
                split=split,
                language=language,
                data=self.source.identity(target, split, language),
                max_length=settings.retrieval_max_length if trained is None else trained.settings.max_length,
                max_rows=settings.max_rows,
                batch_size=settings.batch_size,
                layer=settings.layer if retrieval else None,
                pooling=settings.pooling if retrieval else "mean",
            )
            for language in languages
        )

    def _training(
        self,
        parent: Pretrained | PretrainStage | TrainStage,
        task: Task,
        role: Role,
        params: Mapping[str, Value],
        seed: int,
    ) -> TrainStage:
        stages = self.spec.stages
        settings = stages.intermediate if role == "intermediate" else stages.target
        own = {
            name.removeprefix(f"{role}."): value
            for name, value in params.items()
            if name.startswith(f"{role}.")
        }
        return TrainStage(
            parent=parent,
            task=task.name,
            settings=settings.resolved_for(task.name, own),
            seed=seed,
            train_data=self.source.identity(task, "train", SOURCE_LANGUAGE),
            select_data=self.source.identity(task, "select", SOURCE_LANGUAGE),
            select_rows=self.spec.stages.evaluate.max_rows,
            batch_size=self.spec.stages.evaluate.batch_size,
        )


def target_languages(target: Task, source: Source) -> tuple[str, ...]:
    """List the languages that a target which is never trained selects on."""
    return source.languages(target, "select")
