"""This is where the search space is described: what may vary, within which bounds, and for which pairs.

    Choice((1, 2, 4)).size                                                 -> 3
    dimensions_for(space, intermediates={}, trains_target=True)            -> the target.* dimensions only

A dimension is called by its stage and field (`intermediate.epochs`). How it is written stands in `notation`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from xtr.errors import Problem, suggest
from xtr.spec.elsewhere import native
from xtr.spec.explain import refusal, shown

Value = int | float


class _Kind:
    """What all kinds of dimensions share."""

    __slots__ = ()

    @property
    def size(self) -> int | None:
        """How many values it has; None where they cannot be counted."""
        return None

    @property
    def is_finite(self) -> bool:
        """Whether its values can be counted."""
        return self.size is not None


@dataclass(frozen=True, slots=True)
class Fixed(_Kind):
    """A number that does not vary."""

    value: Value

    @property
    def size(self) -> int:
        """One."""
        return 1

    def contains(self, value: Value) -> bool:
        """Say whether it may take this value."""
        return value == self.value


@dataclass(frozen=True, slots=True)
class Choice(_Kind):
    """One of a few numbers."""

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise refusal("a choice needs at least one value", allowed="{choice: [1, 2]}")
        if len(set(self.values)) < len(self.values):
            raise refusal("a choice names a value twice", allowed="different numbers")

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.values)

    def contains(self, value: Value) -> bool:
        """Say whether it may take this value."""
        return value in self.values


@dataclass(frozen=True, slots=True)
class IntRange(_Kind):
    """A whole number between two bounds, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if isinstance(self.low, float) or isinstance(self.high, float):
            raise refusal("the bounds of an int range must be whole numbers", allowed="{int: [1, 5]}")
        _check_order("int", self.low, self.high)

    @property
    def size(self) -> int:
        """How many whole numbers lie between the bounds."""
        return self.high - self.low + 1

    def contains(self, value: Value) -> bool:
        """Say whether it may take this value."""
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class FloatRange(_Kind):
    """A number between two bounds, all equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order("float", self.low, self.high)

    def contains(self, value: Value) -> bool:
        """Say whether it may take this value."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class LogFloatRange(_Kind):
    """A number between two bounds above zero, all magnitudes equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order("log_float", self.low, self.high)
        if self.low <= 0:
            raise refusal(
                "the bounds of a log_float range must be above 0", allowed="{log_float: [1e-6, 1e-4]}"
            )

    def contains(self, value: Value) -> bool:
        """Say whether it may take this value."""
        return self.low <= value <= self.high


def _check_order(kind: str, low: Value, high: Value) -> None:
    if low >= high:
        raise refusal(
            "the lower bound must be below the upper one",
            allowed=f"{{{kind}: [low, high]}} with low < high",
            hint=f"{low} alone fixes the value" if low == high else f"{{{kind}: [{high}, {low}]}}",
        )


Dimension = Fixed | Choice | IntRange | FloatRange | LogFloatRange
"""What a sweep file can write."""


@dataclass(frozen=True, slots=True)
class Pool(_Kind):
    """A few settings of one stage, drawn once: they vary together, so that trials share the stage.

    Attributes:
        settings: one mapping of dotted names to values each, all different.
    """

    settings: tuple[Mapping[str, Value], ...]

    @property
    def size(self) -> int:
        """How many settings there are."""
        return len(self.settings)

    def find(self, wanted: Mapping[str, Value]) -> int | None:
        """Say which setting has these values, the first one where several have; None where none has."""
        agree = (i for i, setting in enumerate(self.settings) if wanted.items() <= setting.items())
        return next(agree, None)


Searched = Dimension | Pool
"""What a study searches."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a field can take: numbers from `low` (itself where `closed`) to `high`, perhaps whole ones."""

    whole: bool
    low: float
    high: float
    closed: bool = True

    def admits(self, value: Value) -> bool:
        """Say whether a field may have this value."""
        above = self.low <= value if self.closed else self.low < value
        return above and value <= self.high and (isinstance(value, int) or not self.whole)

    def __str__(self) -> str:
        kind = "whole numbers" if self.whole else "numbers"
        start = f"from {self.low:g}" if self.closed else f"above {self.low:g}"
        return f"{kind} {start}" if self.high == float("inf") else f"{kind} {start} up to {self.high:g}"


_COUNT = Limits(whole=True, low=1, high=float("inf"))
_SHARE = Limits(whole=False, low=0, high=1, closed=False)
_PART = Limits(whole=False, low=0, high=1)
FIELDS: Mapping[str, Limits] = {
    "learning_rate": _SHARE,
    "epochs": _COUNT,
    "fraction": _SHARE,
    "examples": _COUNT,
    "batch_size": _COUNT,
    "weight_decay": _PART,
    "warmup_fraction": _PART,
}
STAGES = ("intermediate", "target")
LIMITS: Mapping[str, Limits] = {
    f"{stage}.{field}": limits for stage in STAGES for field, limits in FIELDS.items()
}


def general_name(name: str) -> str:
    """Drop the task from a dimension that holds for one task only: `intermediate.mnli.epochs`."""
    stage, *_, field = name.split(".")
    return f"{stage}.{field}"


def task_of(name: str) -> str | None:
    """Return the task that an intermediate dimension is limited to, None where it holds for all."""
    parts = name.split(".")
    return ".".join(parts[1:-1]) or None if parts[0] == "intermediate" else None


def complaint(name: str, dimension: Dimension) -> Problem | None:
    """Say what is wrong with a dimension of that name: unknown, or beyond what the field can take."""
    limits = LIMITS.get(general_name(name) if task_of(name) else name)
    if limits is None:
        return Problem(
            f"unknown dimension {name!r}", allowed=", ".join(LIMITS), hint=suggest(native(name), LIMITS)
        )
    if limits.whole and isinstance(dimension, (FloatRange, LogFloatRange)):
        return Problem(f"{name} takes whole numbers", allowed="{int: [low, high]} or {choice: [1, 2]}")
    wrong = [value for value in _ends(dimension) if not limits.admits(value)]
    if wrong:
        received = ", ".join(map(shown, wrong))
        return Problem(f"{name} cannot take this value", received=received, allowed=str(limits))
    return None


def _ends(dimension: Dimension) -> tuple[Value, ...]:
    if isinstance(dimension, Fixed):
        return (dimension.value,)
    return dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)


def dimensions_for(
    space: Mapping[str, Dimension], intermediates: Mapping[str, Collection[str]], trains_target: bool
) -> dict[str, Dimension]:
    """Keep the dimensions that a pair can use, in their order.

    `intermediate.*` needs an intermediate task, `intermediate.mnli.*` that one among them, `target.*` a target
    that is trained (retrieval is not).

    Args:
        intermediates: name to the fields that can be said for it alone.
    """

    def used(name: str) -> bool:
        if name.startswith("target."):
            return trains_target
        task = task_of(name)
        return bool(intermediates) if task is None else name.split(".")[-1] in intermediates.get(task, ())

    return {name: dimension for name, dimension in space.items() if used(name)}
