"""This is where contrasts are described: what is compared with what, and what is expected before anything runs.

    squad-helps:
      claim: SQuAD helps TyDiQA in the other languages.
      difference: {of: squad_v1, minus: none, at: {intermediate.fraction: 1.0}}
      targets: [tydiqa]
      expect: {above: 0}

Kinds are keys, one a contrast: a difference of two arms, the difference of that between two groups, a curve over
a size, or the size at which two curves cross. An arm is an expression of the sweep, or several whose mean it is.
Contrasts name no stage and open no study: they may be changed when everything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from xtr.errors import suggest
from xtr.spec.explain import refusal
from xtr.spec.expressions import tidied
from xtr.spec.notation import Number, read_number
from xtr.spec.settings import Described, Expression, Text

LanguageGroup = Literal["source", "other", "all", "seen", "unseen", "low_resource", "high_resource"]
Bound = Literal["above", "below", "within"]
Word = Literal["rises", "falls", "crosses", "never"]
KINDS: Mapping[str, tuple[str, ...]] = {
    "difference": get_args(Bound),
    "difference_of_differences": get_args(Bound),
    "curve": (*get_args(Bound), "rises", "falls"),
    "crossing": ("above", "below", "crosses", "never"),
}
"""What each kind of contrast may be expected to be."""

_GROUPS = f"{', '.join(get_args(LanguageGroup))} or a list such as [de, sw]"
_EXPECTED = "{above: X}, {below: X}, {within: X}, or for curves rises, falls, crosses, never"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a contrast is expected to be: `Expectation("above", 0)`, `Expectation("rises")`.

    Attributes:
        value: points of 100, points per doubling for a curve, a size for a crossing; 0 where a word says it all.
    """

    what: Bound | Word
    value: float = 0

    def __str__(self) -> str:
        return f"{self.what} {self.value:g}" if self.what in get_args(Bound) else self.what


def read_expectation(value: object) -> Expectation:
    """Read what is expected: a word, or a bound in points."""
    if isinstance(value, Expectation):
        return value
    if isinstance(value, str) and value in get_args(Word):
        return Expectation(value)  # type: ignore[arg-type]
    if not isinstance(value, Mapping) or len(value) != 1:
        words = (*get_args(Bound), *get_args(Word))
        hint = suggest(value, words) if isinstance(value, str) else ""
        raise refusal("not an expectation", allowed=_EXPECTED, hint=hint)
    ((what, number),) = value.items()
    if what not in get_args(Bound):
        hint = suggest(str(what), get_args(Bound))
        raise refusal("not an expectation", allowed=_EXPECTED, hint=hint)
    bound = read_number(number)
    if what == "within" and bound <= 0:
        raise refusal("a margin of equivalence is above 0", allowed="points such as {within: 0.5}")
    return Expectation(what, bound)


def write_expectation(value: Expectation) -> object:
    """Write an expectation as the sweep file has it."""
    return {value.what: value.value} if value.what in get_args(Bound) else value.what


def read_group(value: object) -> object:
    """Read which languages are meant: a word, or a list of codes."""
    if isinstance(value, str) and value in get_args(LanguageGroup):
        return value
    if isinstance(value, str):
        hint = suggest(value, get_args(LanguageGroup)) or f"[{value}]"
        raise refusal("not a group of languages", allowed=_GROUPS, hint=hint)
    if not isinstance(value, (list, tuple)) or not all(isinstance(code, str) for code in value):
        raise refusal("not a group of languages", allowed=_GROUPS)
    if not value or len(set(value)) < len(value):
        raise refusal("a language list needs different languages, at least one", allowed="[de, sw]")
    return tuple(value)


def read_arm(value: object) -> tuple[str, ...]:
    """Read an arm: an expression, or a list of them."""
    arms = value if isinstance(value, (list, tuple)) else (value,)
    if not arms or not all(isinstance(each, str) and each for each in arms):
        raise refusal(
            "not an arm", allowed="an intermediate of the sweep such as squad_v1, or a list of them"
        )
    if len(set(arms)) < len(arms):
        raise refusal("an arm names an intermediate twice", allowed="different ones")
    return tuple(tidied(each) for each in arms)


@dataclass(frozen=True, slots=True)
class Part:
    """Where a difference is looked at: in some languages, or on some targets.

    Attributes:
        languages: a word or codes; None where targets are told.
    """

    languages: LanguageGroup | tuple[str, ...] | None = None
    targets: tuple[str, ...] = ()


def read_part(value: object) -> Part:
    """Read one side of a difference of differences."""
    if isinstance(value, Part):
        return value
    if not isinstance(value, Mapping):
        return Part(languages=read_group(value))  # type: ignore[arg-type]
    targets = value.get("targets")
    if set(value) != {"targets"} or not isinstance(targets, (list, tuple)) or not targets:
        raise refusal("not a part", allowed=f"{_GROUPS}, or targets such as {{targets: [bucc2018, tatoeba]}}")
    return Part(targets=tuple(map(str, targets)))


def write_part(part: Part) -> object:
    """Write a part as the sweep file has it."""
    if part.targets:
        return {"targets": list(part.targets)}
    return _plain_group(part.languages)


def _plain_group(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


_CODES = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_GROUP = {"anyOf": [{"enum": list(get_args(LanguageGroup))}, _CODES]}
_TARGETS = {"type": "object", "properties": {"targets": _CODES}, "additionalProperties": False}
_BOUNDS = {
    "type": "object",
    "additionalProperties": {"type": "number"},
    "minProperties": 1,
    "maxProperties": 1,
}

Arm = Annotated[
    tuple[str, ...],
    PlainValidator(read_arm),
    PlainSerializer(lambda arm: arm[0] if len(arm) == 1 else list(arm)),
    WithJsonSchema({"anyOf": [{"type": "string"}, _CODES]}),
]
Languages = Annotated[
    LanguageGroup | tuple[str, ...],
    PlainValidator(read_group),
    PlainSerializer(_plain_group),
    WithJsonSchema(_GROUP),
]
PartField = Annotated[
    Part,
    PlainValidator(read_part),
    PlainSerializer(write_part),
    WithJsonSchema({"anyOf": [*_GROUP["anyOf"], _TARGETS]}),
]
Expected = Annotated[
    Expectation,
    PlainValidator(read_expectation),
    PlainSerializer(write_expectation),
    WithJsonSchema({"anyOf": [{"enum": list(get_args(Word))}, _BOUNDS]}),
]

_OF = "An intermediate of the sweep, or a list of them whose mean is taken."
_AT = "Dimensions that are held at a value; over those that are free the mean is taken, at equal settings."
_OVER = "The dimension that is the size, such as intermediate.fraction or target.examples."


class Difference(Described):
    """One arm minus another, at equal settings of what both train, and equal seeds."""

    of: Arm = Field(description=_OF)
    minus: Arm = Field(default=("none",), description="What is subtracted, likewise.")
    at: dict[str, Number] = Field(default_factory=dict, description=_AT)


class DifferenceOfDifferences(Difference):
    """The difference of two arms in one group of languages, or targets, minus that in another."""

    among: PartField = Field(
        description="Where the difference is looked at: a group of languages, or {targets: [..]}."
    )
    against: PartField = Field(description="What it is held against, likewise.")


class Curve(Described):
    """How an arm, or the difference of two, goes with a size: its slope in points per doubling."""

    of: Arm = Field(description=_OF)
    minus: Arm | None = Field(default=None, description="What is subtracted, likewise; null is nothing.")
    over: Text = Field(description=_OVER)
    at: dict[str, Number] = Field(default_factory=dict, description=_AT)


class Crossing(Described):
    """The size at which two arms are equally good."""

    between: tuple[Expression, Expression] = Field(
        description="Two intermediates of the sweep: the one that leads at small sizes, and the other."
    )
    over: Text = Field(description=_OVER)
    at: dict[str, Number] = Field(default_factory=dict, description=_AT)


class Contrast(Described):
    """A comparison that was declared before anything ran; of the four kinds it has one."""

    claim: Text = Field(description="What is claimed, in words.")
    source: str = Field(default="", description="Who claims it, and where.")
    difference: Difference | None = Field(default=None, description="One arm minus another, in points.")
    difference_of_differences: DifferenceOfDifferences | None = Field(
        default=None, description="A difference in one group minus that in another, in points."
    )
    curve: Curve | None = Field(default=None, description="A slope over a size, in points per doubling.")
    crossing: Crossing | None = Field(default=None, description="The size at which two arms meet.")
    targets: tuple[Text, ...] = Field(
        default=(), description="Targets whose mean is taken, as in pairs.target; empty is all of the sweep."
    )
    languages: Languages = Field(
        default="other",
        description="Languages whose mean is taken: source; other (than the source); all; seen or unseen (other "
        "languages in which the arm is trained before the target, or no arm is); low_resource or high_resource; a "
        "list of codes.",
    )
    expect: Expected = Field(
        description="{above: X}, {below: X} or {within: X} (of nought), in points, points per doubling for a "
        "curve, in the size for a crossing; rises or falls for a curve; crosses or never for a crossing."
    )

    @property
    def kind(self) -> str:
        """Which of the four it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def compared(self) -> Difference | DifferenceOfDifferences | Curve | Crossing:
        """What stands under the kind."""
        compared: Difference | DifferenceOfDifferences | Curve | Crossing = getattr(self, self.kind)
        return compared

    @property
    def arms(self) -> tuple[str, ...]:
        """Every intermediate that is compared, once."""
        compared = self.compared
        if isinstance(compared, Crossing):
            return compared.between
        return tuple(dict.fromkeys((*compared.of, *(compared.minus or ()))))

    @model_validator(mode="after")
    def _has_one_kind(self) -> Contrast:
        said = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(said) != 1:
            what = f"a contrast has one kind, not {' and '.join(said)}" if said else "a contrast needs a kind"
            raise refusal(
                what, received=", ".join(said) or "none of them", allowed=f"one of {', '.join(KINDS)}"
            )
        if self.expect.what not in KINDS[said[0]]:
            allowed = ", ".join(KINDS[said[0]])
            raise refusal(
                f"a {said[0]} is not expected so", received=f"expect: {self.expect}", allowed=allowed
            )
        return self
