"""This is where a stage gets its name: the recipe that it is the result of, hashed.

    pretrained encoder -> train on squad_v1 -> train on tydiqa -> evaluate tydiqa/test/sw

A recipe holds the parent's key, the training task with the identity of its data, settings and seed. It never
holds the target's name or the role, so MNLI for XNLI is the MNLI intermediate. Device, threads, world size and
library versions go to the manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from xtr.catalogue.task import Split
from xtr.data.hublock import UNLOCKED, HubLock
from xtr.errors import InputError, Problem
from xtr.fingerprint import JSON, digest, file_digest
from xtr.spec.sweep import ModelSpec, TrainSettings

RECIPE_VERSION = 1
"""Raised when the same recipe comes to other numbers than before; a golden-number test watches over it."""

Kind = Literal["pretrain", "train", "evaluate"]


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
    """The demo world's own encoder, pretrained on its text."""

    world: str
    seed: int
    scale: float
    kind: Kind = "pretrain"

    @property
    def recipe(self) -> dict[str, JSON]:
        """What the result depends on."""
        return {"kind": self.kind, "version": RECIPE_VERSION, "world": self.world, "seed": self.seed}

    @cached_property
    def key(self) -> str:
        """The stage's name in the store."""
        return stage_key(self.recipe)


@dataclass(frozen=True)
class TrainStage:
    """Training on one task, from an encoder that exists or from another stage's.

    Attributes:
        settings: fully resolved, so `settings.tasks` is empty.
        train_data, select_data: identities from the data source.
        select_rows: how many rows of the select split are scored after each epoch; None means all.
    """

    parent: Pretrained | PretrainStage | TrainStage
    task: str
    settings: TrainSettings
    seed: int
    train_data: str
    select_data: str
    select_rows: int | None
    batch_size: int
    kind: Kind = "train"

    @property
    def recipe(self) -> dict[str, JSON]:
        """What the result depends on."""
        settings: dict[str, JSON] = {
            name: value
            for name, value in self.settings.model_dump(mode="json", exclude={"tasks"}).items()
            if value is not None
        }
        return {
            "kind": self.kind,
            "version": RECIPE_VERSION,
            "parent": self.parent.key,
            "task": self.task,
            "settings": settings,
            "seed": self.seed,
            "train_data": self.train_data,
            "select": {"data": self.select_data, "rows": self.select_rows, "batch_size": self.batch_size},
            "precision": "float32",
        }

    @cached_property
    def key(self) -> str:
        """The stage's name in the store."""
        return stage_key(self.recipe)


@dataclass(frozen=True)
class EvaluateStage:
    """Predictions and scores of one task, split and language."""

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
    kind: Kind = "evaluate"

    @property
    def recipe(self) -> dict[str, JSON]:
        """What the result depends on."""
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
        }

    @cached_property
    def key(self) -> str:
        """The stage's name in the store."""
        return stage_key(self.recipe)


Start = Pretrained | PretrainStage
Stage = PretrainStage | TrainStage | EvaluateStage


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
