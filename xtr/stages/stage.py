"""This is where a stage gets its name: the recipe that it is the result of, hashed.

    pretrained encoder -> train on squad_v1 -> train on tydiqa -> evaluate tydiqa/test/sw

A recipe holds the parent's key, the training task with the identity of its data, settings and seed. It never
holds the target's name or the role, so MNLI for XNLI is the MNLI intermediate. Device, threads, world size and
library versions go to the manifest. A trunk is what trainings of several lengths begin with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split
from xtr.data.hublock import UNLOCKED, HubLock
from xtr.errors import InputError, Problem
from xtr.fingerprint import JSON, digest, file_digest
from xtr.spec.expressions import REPLAY
from xtr.spec.settings import Precision
from xtr.spec.sweep import ModelSpec, TrainSettings

ITEMS = "items.jsonl"
"""In a scored evaluation: how each of its rows went."""

RECIPE_VERSION = 3
"""Raised when the same recipe comes to other numbers than before; a golden-number test watches over it."""

ROW_SETTINGS = ("fraction", "examples", "max_rows", "max_length", "cross_lingual_share")
"""Settings that say which rows a task gives and how they are read; members of a mixture have their own."""

AMOUNT_SETTINGS = ("fraction", "examples", "max_rows", "epochs")
"""Settings that say how long a run is, and nothing of how it begins."""

Kind = Literal["pretrain", "train", "trunk", "embed", "evaluate"]


@dataclass(frozen=True)
class Pretrained:
    """An encoder that exists already: hub id and revision, or a folder named by its content."""

    name: str
    revision: str | None
    identity: str

    @property
    def key(self) -> str:
        """What children's recipes call it."""
        return f"model:{self.identity}"


@dataclass(frozen=True)
class PretrainStage:
    """The demo world's own encoder, or its smaller one, pretrained on its text."""

    world: str
    seed: int
    scale: float
    name: str = "demo"
    kind: Kind = "pretrain"

    @property
    def recipe(self) -> dict[str, JSON]:
        """What the result depends on."""
        smaller: dict[str, JSON] = {} if self.name == "demo" else {"name": self.name}
        return {
            "kind": self.kind,
            "version": RECIPE_VERSION,
            "world": self.world,
            "seed": self.seed,
            **smaller,
        }

    @cached_property
    def key(self) -> str:
        """The stage's name in the store."""
        return stage_key(self.recipe)


@dataclass(frozen=True)
class Part:
    """The rows of one task that a training stage learns from.

    Attributes:
        name: the task as the sweep names it, such as `mnli@de`; names the part's random streams.
        languages: of the training rows; several share the examples equally, but for pooled tasks.
        select_languages: of the rows that are scored after each epoch.
        settings: fully resolved for this task; of a mixture's member, amount and length of the rows count.
        train_data, select_data: identities from the data source, one a language.
        parallel_data: (language, identity) of the same rows in other languages, where some are mixed in.
        replayed: an earlier link of the chain learnt from them, and this one goes over them again.
    """

    name: str
    task: str
    languages: tuple[str, ...]
    select_languages: tuple[str, ...]
    settings: TrainSettings
    train_data: tuple[str, ...]
    select_data: tuple[str, ...]
    parallel_data: tuple[tuple[str, str], ...] = ()
    replayed: bool = False

    @property
    def recipe(self) -> dict[str, JSON]:
        """What the rows and their encoding depend on."""
        return self.recipe_of(ROW_SETTINGS)

    def recipe_of(self, settings: Iterable[str]) -> dict[str, JSON]:
        """Say what the rows and their encoding depend on, as far as these settings go."""
        own = self.settings.model_dump(mode="json", include=set(settings), exclude_none=True)
        parallel: list[JSON] = [[language, identity] for language, identity in self.parallel_data]
        return {
            "task": self.name,
            "settings": own,
            "train_data": list(self.train_data),
            "select_data": list(self.select_data),
            **({"parallel_data": parallel} if parallel else {}),
            **({"replayed": True} if self.replayed else {}),
        }


@dataclass(frozen=True)
class TrainStage:
    """Training on one task or a mixture, from an encoder that exists or from another stage's.

    Attributes:
        settings: fully resolved, so `settings.tasks` is empty.
        select_rows: how many rows of the select split are scored after each epoch; None means all.
        precision: that was asked for; what was used is told by the manifest.
    """

    parent: Pretrained | PretrainStage | TrainStage
    parts: tuple[Part, ...]
    settings: TrainSettings
    seed: int
    select_rows: int | None
    batch_size: int
    precision: Precision = "auto"
    kind: Kind = "train"

    @property
    def task(self) -> str:
        """What is trained on, as the sweep names it: `mnli`, `mnli@de`, `mnli+squad_v1`, `squad_v1+replay`."""
        own = [part.name for part in self.parts if not part.replayed]
        return "+".join([*own, *([REPLAY] if self._replays else [])])

    @property
    def _replays(self) -> bool:
        return any(part.replayed for part in self.parts)

    @property
    def is_mixture(self) -> bool:
        """Whether several tasks are trained on at once."""
        return len(self.parts) > 1

    def share_of(self, part: Part) -> float | None:
        """Say which share of the steps a part has where that is asked for; None shares by size."""
        if part.replayed:
            return self.settings.mixture.replay_share / sum(each.replayed for each in self.parts)
        beside = any(each is not part and not each.replayed for each in self.parts)
        return self.settings.mixture.mlm_share if beside and find_task(part.task).family == "mlm" else None

    @property
    def recipe(self) -> dict[str, JSON]:
        """What the result depends on."""
        left_out = ROW_SETTINGS if self.is_mixture else ("mixture",)
        return self.recipe_of([part.recipe for part in self.parts], left_out)

    def recipe_of(self, parts: list[JSON], left_out: Iterable[str]) -> dict[str, JSON]:
        """Say what the result depends on, with these parts and without some of the settings."""
        leave: dict[str, Any] = dict.fromkeys(("tasks", *left_out), True)
        if not self._replays:
            leave.setdefault("mixture", {"replay_share"})
        return {
            "kind": self.kind,
            "version": RECIPE_VERSION,
            "parent": self.parent.key,
            "parts": parts,
            "settings": self.settings.model_dump(mode="json", exclude=leave, exclude_none=True),
            "seed": self.seed,
            "select": {"rows": self.select_rows, "batch_size": self.batch_size},
            "precision": self.precision,
        }

    @cached_property
    def key(self) -> str:
        """The stage's name in the store."""
        return stage_key(self.recipe)


@dataclass(frozen=True)
class TrunkStage:
    """The first steps of a training under `schedule: wsd`, where runs of several lengths part.

    Its content is a state that training goes on from. Its recipe covers the prefix and nothing behind it: amount,
    epochs and decay of the run are left out, so runs that begin alike ask for one trunk.

    Attributes:
        run: a training that begins so; which one makes no difference to the result.
        steps: optimiser steps.
        pass_examples: examples that a pass has; None within the first pass, which is alike for every amount.
    """

    run: TrainStage
    steps: int
    pass_examples: int | None
    kind: Kind = "trunk"

    @property
    def recipe(self) -> dict[str, JSON]:
        """What the result depends on."""
        a_pass: dict[str, JSON] = {} if self.pass_examples is None else {"pass_examples": self.pass_examples}
        return {**_beginning(self.run), "steps": self.steps, **a_pass}

    @cached_property
    def key(self) -> str:
        """The stage's name in the store."""
        return stage_key(self.recipe)


def lineage(run: TrainStage) -> str:
    """Name what a training shares with longer and shorter ones: its recipe without its length and its decay."""
    return stage_key(_beginning(run))


def _beginning(run: TrainStage) -> dict[str, JSON]:
    rows = [name for name in ROW_SETTINGS if name not in AMOUNT_SETTINGS]
    left_out = ("mixture", "decay_fraction", *AMOUNT_SETTINGS)
    recipe = run.recipe_of([part.recipe_of(rows) for part in run.parts], left_out)
    return {**recipe, "kind": "trunk"}


@dataclass(frozen=True)
class EmbedStage:
    """Vectors of the candidates that a task's queries of every language rank, made once a checkpoint.

    Attributes:
        data: (language, identity) of the pool's files.
    """

    parent: Pretrained | PretrainStage | TrainStage
    task: str
    data: tuple[tuple[str, str], ...]
    max_length: int
    batch_size: int
    precision: Precision = "auto"
    kind: Kind = "embed"

    @property
    def recipe(self) -> dict[str, JSON]:
        """What the result depends on."""
        return {
            "kind": self.kind,
            "version": RECIPE_VERSION,
            "parent": self.parent.key,
            "task": self.task,
            "data": [[language, identity] for language, identity in self.data],
            "max_length": self.max_length,
            "batch_size": self.batch_size,
            "precision": self.precision,
        }

    @cached_property
    def key(self) -> str:
        """The stage's name in the store."""
        return stage_key(self.recipe)


@dataclass(frozen=True)
class EvaluateStage:
    """Predictions and scores of one task, split and language.

    Attributes:
        calibration: the evaluation whose threshold this one applies; None fits its own, if it has one.
        pool: what its queries rank; None ranks what came with the rows.
        predicting, scoring: versions of its family's ways to predict and to score.
    """

    parent: Pretrained | PretrainStage | TrainStage
    task: str
    split: Split
    language: str
    data: str
    max_length: int
    max_rows: int | None
    batch_size: int
    layer: int | None = None
    pooling: Literal["mean", "cls"] = "mean"
    calibration: EvaluateStage | None = None
    pool: EmbedStage | None = None
    precision: Precision = "auto"
    predicting: int = 1
    scoring: int = 1
    kind: Kind = "evaluate"

    @property
    def scored_before(self) -> Iterator[EvaluateStage]:
        """List the stage under earlier ways of scoring, the latest first: what it predicts is the same."""
        for version in range(self.scoring - 1, 0, -1):
            fitted = self.calibration and replace(self.calibration, scoring=version)
            yield replace(self, scoring=version, calibration=fitted)

    @property
    def reads(self) -> tuple[tuple[str, Split, str], ...]:
        """List what it and the stages that it needs read: (task, split, language)."""
        own: tuple[tuple[str, Split, str], ...] = ((self.task, self.split, self.language),)
        pool = self.pool.data if self.pool else ()
        fitted = self.calibration.reads if self.calibration else ()
        return (*own, *fitted, *((self.task, "pool", language) for language, _ in pool))

    @property
    def recipe(self) -> dict[str, JSON]:
        """What the result depends on."""
        needed: dict[str, JSON] = {
            name: stage.key
            for name, stage in (("calibration", self.calibration), ("pool", self.pool))
            if stage is not None
        }
        versions: dict[str, JSON] = {"predicting": self.predicting, "scoring": self.scoring}
        return {
            "kind": self.kind,
            "version": RECIPE_VERSION,
            "parent": self.parent.key,
            "task": self.task,
            "split": self.split,
            "language": self.language,
            "data": self.data,
            "max_length": self.max_length,
            "max_rows": self.max_rows,
            "batch_size": self.batch_size,
            "layer": self.layer,
            "pooling": self.pooling,
            "precision": self.precision,
            **needed,
            **{name: version for name, version in versions.items() if version != 1},
        }

    @cached_property
    def key(self) -> str:
        """The stage's name in the store."""
        return stage_key(self.recipe)


Start = Pretrained | PretrainStage
Stage = PretrainStage | TrainStage | TrunkStage | EmbedStage | EvaluateStage


def stage_key(recipe: dict[str, JSON]) -> str:
    """Name a stage by its recipe: 32 hex characters."""
    return digest(recipe)[:32]


def pretrained(model: ModelSpec, lock: HubLock) -> Pretrained:
    """Name an encoder: a folder by its files' content, a hub id by its own or the locked revision.

    Raises:
        InputError: a path was meant but no model lies there.
    """
    folder = Path(model.name).expanduser()
    if folder.is_dir():
        weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
        vocabularies = (*folder.glob("*.txt"), *folder.glob("*.model"))
        parts = [*sorted(folder.glob("*.json")), *sorted(vocabularies), *weights]
        if not weights or not (folder / "config.json").exists():
            raise InputError(
                Problem(
                    "no encoder lies in this folder", "model.name", str(folder), "config.json and weights"
                )
            )
        content: list[JSON] = [[path.name, file_digest(path)] for path in parts]
        return Pretrained(str(folder.resolve()), None, digest(content)[:32])
    if model.name.startswith((".", "/", "~")):
        raise InputError(Problem("this folder does not exist", "model.name", model.name))
    revision = model.revision or lock.revision("models", model.name)
    return Pretrained(model.name, None if revision == UNLOCKED else revision, f"{model.name}@{revision}")
