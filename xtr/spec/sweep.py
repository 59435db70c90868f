"""This is where the sweep file is described: every key, its meaning, unit and default.

    SweepSpec(version=1, name="demo", model=ModelSpec(name="demo"),
              pairs=PairsSpec(intermediate=("mnli",), target=("xnli",)), search=SearchSpec()).pairs.pairs()
    -> (Pair("none", "xnli"), Pair("mnli", "xnli"))

An exported config has the same grammar: every dimension is a number, and `result` says what it reached.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from xtr.catalogue.lookup import register
from xtr.spec.contrasts import Contrast
from xtr.spec.explain import refusal
from xtr.spec.expressions import absolute, target_task
from xtr.spec.own import OwnTask
from xtr.spec.roots import Options, Root
from xtr.spec.search import Confirm, EarlyStopping, SamplerSpec, SearchSpec
from xtr.spec.settings import (
    Count,
    Described,
    EvaluateSettings,
    Expression,
    NotNegative,
    Real,
    Share,
    StagesSpec,
    TaskSettings,
    Text,
    TrainSettings,
)
from xtr.storage.workplace import Workplace, is_uri, workplace

__all__ = [
    "BudgetSpec",
    "ComputeSpec",
    "Confirm",
    "DataSpec",
    "EarlyStopping",
    "EvaluateSettings",
    "Exclusion",
    "ModelSpec",
    "Pair",
    "PairsSpec",
    "PerWorker",
    "Prices",
    "Retries",
    "SamplerSpec",
    "SearchSpec",
    "StagesSpec",
    "StorageSpec",
    "SweepSpec",
    "TaskSettings",
    "TrackingSpec",
    "TrainSettings",
]

NotBelowZero = Annotated[Real, Field(ge=0)]
AboveZero = Annotated[Real, Field(gt=0)]
Sharding = Literal["auto", "never", "always"]
Compiling = Literal["auto", "never"]


def _read_slug(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", value):
        raise refusal(
            "not a name for a sweep",
            allowed="small letters, digits, dot, dash and underscore, beginning with a letter or digit",
            hint=re.sub(r"[^a-z0-9._-]+", "-", value.lower()).strip("._-")[:100],
        )
    return value


def _read_version(value: object) -> object:
    if type(value) is not int or value != 1:
        raise refusal("not a version of this grammar", allowed="1")
    return value


@dataclass(frozen=True, slots=True)
class Pair:
    """An intermediate expression and a target task; one study."""

    intermediate: str
    target: str

    @property
    def target_task(self) -> str:
        """The task that is scored, whatever languages it is trained in."""
        return target_task(self.target)


class ModelSpec(Described):
    """The pretrained encoder."""

    name: Text = Field(
        description="`demo` or `demo-small` (the demo world's own encoders), a hub id such as xlm-roberta-base, "
        "or a folder."
    )
    revision: Text | None = Field(
        default=None, description="Commit of the hub repository; null locks the present one at first use."
    )


class Exclusion(Described):
    """A pair that is left out."""

    intermediate: Expression = Field(description="Intermediate expression, as in pairs.intermediate.")
    target: Expression = Field(description="Target, as in pairs.target.")
    because: Text = Field(description="Why the pair is left out, in words.")


class PairsSpec(Described):
    """Which intermediate tasks are tried for which targets: the outer product without the exclusions."""

    intermediate: tuple[Expression, ...] = Field(
        description="Tasks (mnli), languages (mnli@en,ru), mixtures (mnli+squad_v1, mnli+mlm), chains "
        "(mnli>squad_v1, mnli>squad_v1+replay) or checkpoint:FOLDER_OR_ID; none is always added."
    )
    target: tuple[Expression, ...] = Field(
        min_length=1,
        description="Target tasks, at least one; tydiqa@sw or tydiqa@en,sw says what languages it is trained in.",
    )
    exclude: tuple[Exclusion, ...] = Field(default=(), description="Pairs that are left out.")

    @property
    def intermediates(self) -> tuple[str, ...]:
        """Every intermediate expression once, none first."""
        return tuple(dict.fromkeys(("none", *self.intermediate)))

    def pairs(self) -> tuple[Pair, ...]:
        """List the pairs, target by target, none first in each."""
        left_out = {Pair(each.intermediate, each.target) for each in self.exclude}
        product = (Pair(each, target) for target in dict.fromkeys(self.target) for each in self.intermediates)
        return tuple(pair for pair in product if pair.intermediate == "none" or pair not in left_out)


class PerWorker(Described):
    """What one training worker gets."""

    CPU: Count = Field(default=1, description="CPU cores, at least 1.")
    GPU: NotNegative = Field(default=0, description="GPUs; 0 trains on the CPU.")


class Retries(Described):
    """How often something is tried again."""

    worker_failure: NotNegative = Field(default=2, description="Times a stage goes on after a lost worker.")
    trial: NotNegative = Field(default=1, description="Times a failed trial is started again.")


class ComputeSpec(Described):
    """What a trial runs on."""

    workers: Count = Field(default=1, description="Data-parallel workers per trial, at least 1.")
    min_workers: Count | None = Field(
        default=None,
        description="Workers that a stage begins or goes on with at least, where fewer machines are there than "
        "workers ask for; it grows again when they come. null waits for all of them.",
    )
    per_worker: PerWorker = Field(default=PerWorker(), description="What one worker gets.")
    shard: Sharding = Field(
        default="auto",
        description="always: each worker of a training stage holds a part of the weights, their gradients and "
        "moments (FSDP); never: all of them; auto: a part where all would not fit one GPU.",
    )
    compile: Compiling = Field(
        default="auto",
        description="auto: the encoder's blocks are compiled (torch.compile) on GPUs, where a training stage is "
        "long enough for it to pay; never: they are not.",
    )
    retries: Retries = Field(default=Retries(), description="How often something is tried again.")
    checkpoint_every_steps: Count = Field(
        default=500, description="Optimiser steps between two checkpoints, at least 1."
    )

    @property
    def fewest_workers(self) -> int:
        """Workers that a stage begins with at least."""
        return self.min_workers or self.workers

    @model_validator(mode="after")
    def _begins_with_no_more_than_all(self) -> ComputeSpec:
        if self.min_workers is not None and self.min_workers > self.workers:
            raise refusal(
                "min_workers is more than workers", allowed=f"at most {self.workers}", hint="compute.workers"
            )
        return self

    @model_validator(mode="after")
    def _shares_with_somebody(self) -> ComputeSpec:
        if self.shard == "always" and self.fewest_workers < 2:
            raise refusal(
                "shard: always needs two workers at least, and a stage may begin with one",
                allowed="auto, never, or more workers",
                hint="compute.workers: 2, and no compute.min_workers below 2",
            )
        return self


class Prices(Described):
    """What an hour costs; which money is up to the user."""

    currency: Text = Field(default="USD", description="Shown beside every sum.")
    gpu_hour: NotBelowZero = Field(default=0.0, description="Price of one GPU for an hour.")
    cpu_hour: NotBelowZero = Field(default=0.0, description="Price of one CPU core for an hour.")


class BudgetSpec(Described):
    """What the sweep may spend; at a limit running stages finish, nothing new starts, exit code 4 says so."""

    gpu_hours: AboveZero | None = Field(
        default=None, description="GPU hours of training and scoring, all runs of the sweep together."
    )
    wall_hours: AboveZero | None = Field(default=None, description="Hours that one `xtr run` may take.")
    money: AboveZero | None = Field(default=None, description="Sum, by `prices`, all runs together.")


class DataSpec(Described):
    """Where the data come from."""

    source: Literal["official", "hub", "demo"] = Field(
        default="demo",
        description="official (folders as XTREME's scripts make them), hub (the Hugging Face hub, each data set "
        "at the revision locked at first use in data/hub.lock.json below storage.root) or demo (synthetic).",
    )
    official_root: Text | None = Field(
        default=None, description="Folder that XTREME's download scripts filled; official needs it."
    )
    folders: dict[str, Text] = Field(
        default_factory=dict,
        description="Folder of a task below official_root, by task name; unsaid ones lie as XTREME has them.",
    )
    files: dict[str, dict[str, Text]] = Field(
        default_factory=dict,
        description="Files of a task below official_root, by task name and split; {lang} is the language. A "
        "format may stand before the path: nli_tsv:glue/dev_mismatched.tsv.",
    )
    hub_folders: dict[str, Text] = Field(
        default_factory=dict,
        description="Local folder in the hub's layout, by data set id (facebook/xnli), read instead of the hub.",
    )
    skip_bad: NotNegative = Field(
        default=0,
        description="Malformed rows of a file that are left out, counted and recorded; more are refused.",
    )
    demo_seed: NotNegative = Field(default=0, description="Seed of the demo world.")
    demo_scale: Share = Field(default=1.0, description="Size of the demo world's data, in (0, 1].")


class StorageSpec(Described):
    """Where stages and results are kept."""

    root: Root = Field(
        default="runs",
        description="Folder on this machine or on a file system that all machines share, or s3://bucket/prefix.",
    )
    options: Options = Field(
        default_factory=dict,
        description="What fsspec opens a URI with, `endpoint_url` for one; credentials come from the environment.",
    )
    cache: Text | None = Field(
        default=None,
        description="Folder on each machine for working copies of a bucket; null is XTR_CACHE, or ~/.cache/xtr.",
    )

    def workplace(self) -> Workplace:
        """Open the root: the store that all machines share, and its files on this one.

        Raises:
            InputError: a package for it is missing.
        """
        return workplace(self.root, self.options, self.cache)


class TrackingSpec(Described):
    """Where MLflow shows the sweep."""

    uri: Text | None = Field(
        default=None,
        description="MLflow tracking URI, best as env:NAME where it has a password; null is sqlite under mlruns/.",
    )
    experiment: Text | None = Field(default=None, description="MLflow experiment; null is xtr/<name>.")


class SweepSpec(Described):
    """A sweep: models, pairs, search space, budget and where it all goes."""

    version: Annotated[Literal[1], BeforeValidator(_read_version)] = Field(
        description="Version of this grammar: 1."
    )
    name: Annotated[str, BeforeValidator(_read_slug)] = Field(
        description="Name of the sweep: small letters, digits, dot, dash and underscore."
    )
    description: str = Field(default="", description="What the sweep asks, in words.")
    tags: dict[str, str] = Field(default_factory=dict, description="Free labels, shown in MLflow.")
    model: ModelSpec = Field(description="The pretrained encoder.")
    pairs: PairsSpec = Field(description="Which intermediate tasks are tried for which targets.")
    stages: StagesSpec = Field(default=StagesSpec(), description="Fixed settings of the stages.")
    search: SearchSpec = Field(description="What is searched, by whom and how long.")
    compute: ComputeSpec = Field(default=ComputeSpec(), description="What a trial runs on.")
    budget: BudgetSpec = Field(default=BudgetSpec(), description="What the sweep may spend.")
    prices: Prices = Field(
        default=Prices(), description="What an hour costs: in place, or a file beside this one that says so."
    )
    data: DataSpec = Field(default=DataSpec(), description="Where the data come from.")
    storage: StorageSpec = Field(default=StorageSpec(), description="Where stages and results are kept.")
    tracking: TrackingSpec = Field(default=TrackingSpec(), description="Where MLflow shows the sweep.")
    catalogue: tuple[OwnTask, ...] = Field(
        default=(),
        description="Tasks of your own, or files beside this one that hold lists of them (docs/own-task.md).",
    )
    contrasts: dict[str, Contrast] = Field(
        default_factory=dict,
        description="What is compared and what is expected of it, by name; `xtr findings` gives the verdicts.",
    )
    result: dict[str, object] | None = Field(
        default=None, description="What an exported config reached; a run ignores it."
    )

    @model_validator(mode="after")
    def _make_own_tasks_known(self) -> SweepSpec:
        register(own.task() for own in self.catalogue)
        return self

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Know the sweep's own tasks in the process that receives it, too."""
        super().__setstate__(state)
        register(own.task() for own in self.catalogue)

    def located(self) -> SweepSpec:
        """Make the paths of data and model absolute, to be read from another folder one day."""
        return self.anchored().model_copy(update={"storage": self.storage})

    def anchored(self) -> SweepSpec:
        """Make every path absolute, for processes that work in another folder."""
        data, model = self.data, self.model
        if data.official_root is not None:
            data = data.model_copy(update={"official_root": absolute(data.official_root)})
        folders = {name: absolute(folder) for name, folder in data.hub_folders.items()}
        if folders:
            data = data.model_copy(update={"hub_folders": folders})
        if Path(model.name).expanduser().is_dir():
            model = model.model_copy(update={"name": absolute(model.name)})
        storage = self.storage
        if not is_uri(storage.root):
            storage = storage.model_copy(update={"root": absolute(storage.root)})
        if storage.cache is not None:
            storage = storage.model_copy(update={"cache": absolute(storage.cache)})
        return self.model_copy(update={"data": data, "model": model, "storage": storage})
