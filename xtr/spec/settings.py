"""This is where the settings of the three stages are described: two trainings and the evaluation.

TrainSettings(epochs=2).resolved_for("tydiqa", {"learning_rate": 3e-5}).epochs    -> 2
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    model_serializer,
    model_validator,
)

from xtr.spec.explain import refusal
from xtr.spec.expressions import tidied
from xtr.spec.space import Value

Whole = Annotated[int, Strict()]
Real = Annotated[float, Strict(), AllowInfNan(False)]
Count = Annotated[Whole, Field(ge=1)]
NotNegative = Annotated[Whole, Field(ge=0)]

Text = Annotated[str, Field(min_length=1)]
Expression = Annotated[
    Text, BeforeValidator(lambda value: tidied(value) if isinstance(value, str) else value)
]
LearningRate = Annotated[Real, Field(gt=0, le=1)]
Share = Annotated[Real, Field(gt=0, le=1)]
Part = Annotated[Real, Field(ge=0, le=1)]
MaxLength = Annotated[Whole, Field(ge=8)]
Precision = Literal["auto", "fp32", "bf16"]
WarmupSteps = Annotated[Whole, Field(ge=0)]

ONLY_LINEAR, ONLY_WSD = frozenset({"warmup_fraction"}), frozenset({"warmup_steps", "decay_fraction"})
"""Settings that one schedule of the learning rate reads and the other does not."""


class Described(BaseModel):
    """A part of the sweep file: it never changes, and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MixtureSettings(Described):
    """How the members of a mixture share the steps; a step has rows of one member."""

    sampling: Literal["proportional", "capped", "temperature"] = Field(
        default="proportional",
        description="proportional: every row once an epoch; capped: by size up to the cap; temperature: by that "
        "size to the power of 1/temperature. These two have as many steps an epoch and draw rows anew.",
    )
    cap: Count = Field(
        default=131_072, description="Rows of a member that count at most; proportional has no cap."
    )
    temperature: Annotated[Real, Field(ge=1)] = Field(
        default=2.0, description="1 is by size; the higher, the more equal the members."
    )
    mlm_share: Annotated[Real, Field(gt=0, lt=1)] = Field(
        default=0.5,
        description="Share of the steps that are masked language modelling, where mlm is a member; the "
        "other members have as many steps as without it.",
    )
    replay_share: Annotated[Real, Field(gt=0, lt=1)] = Field(
        default=0.05,
        description="Share of the steps that go over rows of the links before, with the heads they were learnt "
        "with, where replay is a member; the other members have as many steps as without it.",
    )

    @model_validator(mode="after")
    def _leaves_steps_to_its_tasks(self) -> MixtureSettings:
        if self.mlm_share + self.replay_share >= 1:
            raise refusal("mlm_share and replay_share leave no step", allowed="less than 1 together")
        return self


class LoraSettings(Described):
    """Low-rank adapters (Hu et al. 2021), learnt in place of the encoder's own weights and then added to them."""

    rank: Count = Field(default=16, description="Rank of the adapters, at least 1.")
    alpha: Count = Field(default=32, description="Their weight is alpha / rank, at least 1.")
    dropout: Annotated[Real, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Dropout before the adapters, in [0, 1)."
    )
    modules: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] = Field(
        default=("query", "value"), description="Names of the linear layers that get one."
    )
    layers: Annotated[tuple[NotNegative, ...], Field(min_length=1)] | None = Field(
        default=None, description="Numbers of the blocks that get some, from 0; null takes all."
    )


class TaskSettings(Described):
    """What differs for one training task or named mixture; null keeps what the stage says."""

    learning_rate: LearningRate | None = Field(default=None, description="Peak learning rate, per step.")
    epochs: Count | None = Field(default=None, description="Passes over the training rows, at least 1.")
    fraction: Share | None = Field(default=None, description="Share of the training rows, in (0, 1].")
    examples: Count | None = Field(default=None, description="Training rows, instead of a fraction.")
    batch_size: Count | None = Field(default=None, description="Training rows per optimiser step.")
    max_length: MaxLength | None = Field(default=None, description="Longest input in tokens, at least 8.")
    warmup_fraction: Part | None = Field(
        default=None, description="Share of warm-up steps, in [0, 1]; linear only."
    )
    warmup_steps: WarmupSteps | None = Field(default=None, description="Steps of warm-up; wsd only.")
    decay_fraction: Share | None = Field(
        default=None, description="Share of the steps that decay, in (0, 1]; wsd only."
    )
    weight_decay: Part | None = Field(default=None, description="Decoupled weight decay, in [0, 1].")
    max_rows: Count | None = Field(default=None, description="Training rows that are read at most.")
    mixture: MixtureSettings | None = Field(
        default=None,
        description="How its members share the steps; of a mixture with a name, such as anli_plus.",
    )
    cross_lingual_share: Part | None = Field(
        default=None, description="Ranking: share of the rows whose answer is in another language, in [0, 1]."
    )

    @model_validator(mode="after")
    def _has_one_amount(self) -> TaskSettings:
        if self.fraction is not None and self.examples is not None:
            raise refusal("fraction and examples exclude each other", allowed="one of the two")
        return self


class TrainSettings(Described):
    """How a training task is trained; a dimension of the search space takes precedence in each trial."""

    learning_rate: LearningRate = Field(
        default=1e-5, description="Peak learning rate of AdamW, above 0 and at most 1."
    )
    epochs: Count = Field(default=3, description="Passes over the training rows, at least 1.")
    fraction: Share = Field(
        default=1.0, description="Share of the training rows, in (0, 1]; smaller ones lie in larger ones."
    )
    examples: Count | None = Field(
        default=None, description="Training rows, instead of a fraction; null leaves it to the fraction."
    )
    batch_size: Count = Field(default=32, description="Training rows per optimiser step, over all workers.")
    max_length: MaxLength = Field(
        default=128, description="Longest input in tokens, at least 8; longer ones are cut or windowed."
    )
    warmup_fraction: Part = Field(
        default=0.1,
        description="Share of the steps in which the learning rate rises, in [0, 1]; linear only.",
    )
    warmup_steps: WarmupSteps | None = Field(
        default=None,
        description="Steps in which the learning rate rises, whatever the length of the run; wsd needs it.",
    )
    decay_fraction: Share = Field(
        default=0.1, description="Share of the steps in which the learning rate decays, in (0, 1]; wsd only."
    )
    weight_decay: Part = Field(default=0.01, description="Decoupled weight decay of AdamW, in [0, 1].")
    max_rows: Count | None = Field(
        default=None, description="Training rows that are read at most, for rehearsals; null reads all."
    )
    cross_lingual_share: Part | None = Field(
        default=None,
        description="Ranking: share of the rows that pair a query with an answer in another language, from the "
        "training task's parallel files; null learns from English alone.",
    )
    schedule: Literal["linear", "wsd"] = Field(
        default="linear",
        description="Course of the learning rate after the warm-up: linear to zero; or wsd, level and then a "
        "short decay as 1 - sqrt, so that runs of several sizes share their beginning.",
    )
    lora: LoraSettings | None = Field(
        default=None, description="Train low-rank adapters instead of the encoder; null trains all of it."
    )
    carry_head: bool = Field(
        default=False,
        description="Begin with the head of the stage before, where it trained the same kind of head.",
    )
    mixture: MixtureSettings = Field(
        default=MixtureSettings(),
        description="How the members of a mixture such as mnli+squad_v1 share the steps.",
    )
    tasks: dict[str, TaskSettings] = Field(
        default_factory=dict, description="What differs for a training task, by its name."
    )

    @model_validator(mode="after")
    def _has_one_amount(self) -> TrainSettings:
        if self.fraction != 1.0 and self.examples is not None:
            raise refusal("fraction and examples exclude each other", allowed="one of the two")
        return self

    @model_validator(mode="after")
    def _says_what_its_schedule_reads(self) -> TrainSettings:
        said = [name for name in self.model_fields_set if getattr(self, name) is not None]
        for task, own in self.tasks.items():
            said += [f"tasks.{task}.{name}" for name in own.model_dump(exclude_none=True)]
        for name in sorted(said):
            if name.rpartition(".")[2] in self._unread:
                raise _not_read(name, self.schedule)
        if self.schedule == "wsd" and self.warmup_steps is None:
            raise refusal(
                "schedule wsd needs warmup_steps",
                allowed="the warm-up in optimiser steps, the same for every length of run",
                hint="warmup_steps: 100",
            )
        return self

    @model_serializer(mode="wrap")
    def _what_its_schedule_reads(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Leave the other schedule's defaults out, so that what is written can be read, and recipes lack them."""
        return {name: value for name, value in handler(self).items() if name not in self._unread}

    @property
    def _unread(self) -> frozenset[str]:
        return ONLY_LINEAR if self.schedule == "wsd" else ONLY_WSD

    def resolved_for(self, task_name: str, overrides: Mapping[str, Value]) -> TrainSettings:
        """Settle every number: the stage's, then the task's, then the trial's.

        Asking for `examples` drops a fraction that was said before, and the other way round.
        """
        settled: dict[str, object] = self.model_dump(exclude={"tasks"})
        own = self.tasks[task_name].model_dump(exclude_none=True) if task_name in self.tasks else {}
        for layer in (own, dict(overrides)):
            if "examples" in layer:
                settled["fraction"] = 1.0
            if "fraction" in layer:
                settled["examples"] = None
            settled.update(layer)
        return TrainSettings.model_validate(settled)


def _not_read(name: str, schedule: str) -> Exception:
    if schedule == "wsd":
        return refusal(
            f"schedule wsd does not read {name}",
            allowed="warmup_steps and decay_fraction",
            hint="warmup_steps says the same in optimiser steps",
        )
    return refusal(f"schedule linear does not read {name}", allowed="warmup_fraction", hint="schedule: wsd")


def _read_languages(value: object) -> object:
    if value in ("all", "available"):
        return value
    if not isinstance(value, (list, tuple)) or not all(isinstance(code, str) for code in value):
        raise refusal("not a choice of languages", allowed="all, available or a list such as [de, sw]")
    if not value or len(set(value)) < len(value):
        raise refusal("a language list needs different languages, at least one", allowed="[de, sw]")
    return tuple(value)


def _read_tasks(value: object) -> object:
    if isinstance(value, bool):
        return value
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(each, str) for each in value):
        raise refusal(
            "neither yes nor a list of tasks", allowed="true, false or a list such as [tatoeba, mlm]"
        )
    return tuple(value)


class EvaluateSettings(Described):
    """How the trained encoder is scored in every language."""

    batch_size: Count = Field(
        default=64, description="Rows that one forward pass reads at most; fewer where they are long."
    )
    max_rows: Count | None = Field(
        default=None, description="Rows that are scored at most per language; null scores all."
    )
    languages: Annotated[Literal["all", "available"] | tuple[str, ...], BeforeValidator(_read_languages)] = (
        Field(
            default="all",
            description="Languages that are scored: all of the benchmark, those available, or a list.",
        )
    )
    benchmark: Literal["xtreme", "xtreme-r"] = Field(
        default="xtreme",
        description="Benchmark whose languages are meant by all, and over which scores are averaged.",
    )
    split: Literal["test", "dev"] = Field(default="test", description="Split that the winners are scored on.")
    layer: Annotated[Whole, Field(ge=0)] | None = Field(
        default=None,
        description="Hidden state that is pooled into sentence vectors: 0 is the embeddings, n the output of the "
        "n-th block; null takes 8 of 12, 14 of 24, two thirds of other depths.",
    )
    pooling: Literal["mean", "cls"] = Field(
        default="mean", description="How token vectors become a sentence vector."
    )
    retrieval_max_length: MaxLength = Field(
        default=512, description="Longest sentence in retrieval, in tokens, at least 8."
    )
    forgetting: Annotated[bool | tuple[str, ...], BeforeValidator(_read_tasks)] = Field(
        default=False,
        description="Score each link of the winners' chains as well, from the pretrained encoder to the target: "
        "true (the benchmark's retrieval tasks and mlm on held-out text, where they are at hand) or a list.",
    )


class StagesSpec(Described):
    """The stages that a trial walks through."""

    source_language: Annotated[str, Field(min_length=2)] = Field(
        default="en",
        description="Language that tasks are trained and selected in where the expression names none.",
    )
    precision: Precision = Field(
        default="auto",
        description="What encoder and heads compute in, training and scoring alike: bf16 (weights, gradients, "
        "losses and optimiser state stay fp32), fp32, or auto, which is bf16 on GPUs that have it, else fp32.",
    )
    intermediate: TrainSettings = Field(
        default=TrainSettings(), description="Training on the intermediate task, every link of a chain."
    )
    target: TrainSettings = Field(default=TrainSettings(), description="Training for the target.")
    evaluate: EvaluateSettings = Field(default=EvaluateSettings(), description="Scoring in every language.")
