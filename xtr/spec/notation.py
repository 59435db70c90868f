"""This is where a dimension is read and written: a plain number, or the kind of range as a key.

read_dimension({"choice": [1, 2, 4]})            -> Choice((1, 2, 4))
read_dimension({"log_float": [1e-6, 1e-4]})      -> LogFloatRange(1e-06, 0.0001)
read_dimension(3)                                -> Fixed(3)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeGuard

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from xtr.errors import suggest
from xtr.spec.elsewhere import native
from xtr.spec.explain import refusal
from xtr.spec.space import Choice, Dimension, Fixed, FloatRange, IntRange, LogFloatRange, Value

KINDS = ("choice", "int", "float", "log_float")
_ALLOWED = (
    "a number, {choice: [a, b, ...]}, {int: [low, high]}, {float: [low, high]} or {log_float: [low, high]}"
)
_NUMBER = {"type": "number"}
_PAIR = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_RANGES = {
    "choice": {"type": "array", "items": _NUMBER, "minItems": 1, "uniqueItems": True},
    "int": {**_PAIR, "items": {"type": "integer"}},
    "float": _PAIR,
    "log_float": {**_PAIR, "items": {"type": "number", "exclusiveMinimum": 0}},
}
_SCHEMA = {
    "anyOf": [
        _NUMBER,
        *(
            {
                "type": "object",
                "properties": {kind: _RANGES[kind]},
                "required": [kind],
                "additionalProperties": False,
            }
            for kind in KINDS
        ),
    ]
}


def read_number(value: object) -> Value:
    """Read a finite number and keep whole numbers whole; true and false are no numbers."""
    if not _is_number(value):
        raise refusal("must be a number", allowed="a finite number")
    return value


def _is_number(value: object) -> TypeGuard[Value]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_dimension(value: object) -> Dimension:
    """Read a dimension as the sweep file writes it; one that is a dimension already passes."""
    if isinstance(value, (Fixed, Choice, IntRange, FloatRange, LogFloatRange)):
        return value
    if not isinstance(value, Mapping):
        if _is_number(value):
            return Fixed(value)
        if isinstance(value, (list, tuple)) and value and all(map(_is_number, value)):
            raise refusal("a list is not a dimension", allowed=_ALLOWED, hint=_kinds_of(value))
        raise refusal("not a dimension", allowed=_ALLOWED)
    if len(value) != 1:
        raise refusal("a dimension has exactly one kind", allowed=_ALLOWED)
    ((kind, numbers),) = value.items()
    if kind not in KINDS:
        raise refusal(
            f"unknown kind of dimension {kind!r}", allowed=_ALLOWED, hint=suggest(native(str(kind)), KINDS)
        )
    if not isinstance(numbers, (list, tuple)) or not all(map(_is_number, numbers)):
        raise refusal(f"{kind} needs a list of numbers", allowed=_ALLOWED)
    return _build(kind, tuple(numbers))


def _kinds_of(numbers: Sequence[Value]) -> str:
    """Write what a bare list may have meant: a choice; of two rising numbers, a range as well."""
    listed = f"[{', '.join(f'{number:g}' for number in numbers)}]"
    rise = len(numbers) == 2 and 0 < numbers[0] < numbers[1]
    kind = "int" if all(isinstance(number, int) for number in numbers) else "log_float"
    return f"{{choice: {listed}}}" + (f", or the range {{{kind}: {listed}}}" if rise else "")


def _build(kind: str, numbers: tuple[Value, ...]) -> Dimension:
    if kind == "choice":
        return Choice(numbers)
    if len(numbers) != 2:
        raise refusal(f"{kind} needs two bounds", allowed=f"{{{kind}: [low, high]}}")
    if kind == "int":
        return IntRange(*map(_whole, numbers))
    return FloatRange(*numbers) if kind == "float" else LogFloatRange(*numbers)


def _whole(number: Value) -> int:
    if isinstance(number, float):
        raise refusal("the bounds of an int range must be whole numbers", allowed="{int: [1, 5]}")
    return number


def write_dimension(dimension: Dimension) -> object:
    """Write a dimension as the sweep file has it."""
    if isinstance(dimension, Fixed):
        return dimension.value
    if isinstance(dimension, Choice):
        return {"choice": list(dimension.values)}
    kind = {IntRange: "int", FloatRange: "float", LogFloatRange: "log_float"}[type(dimension)]
    return {kind: [dimension.low, dimension.high]}


WORDS = ("published", "winners")
"""What `search.start_with` may hold besides mappings."""


def read_start(value: object) -> dict[str, Value] | str:
    """Read a first trial: a mapping of dimensions to numbers, or a word for settings that xtr knows."""
    if isinstance(value, str):
        if value not in WORDS:
            raise refusal(
                "not a word for first trials", allowed=" or ".join(WORDS), hint=suggest(value, WORDS)
            )
        return value
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise refusal(
            "not a first trial", allowed=f"a mapping of dimensions to numbers, {' or '.join(WORDS)}"
        )
    for name, number in value.items():
        if not _is_number(number):
            raise refusal(f"{name} must be a number", allowed="a finite number")
    return dict(value)


def read_rungs(value: object) -> int | tuple[int, ...]:
    """Read after which epochs trials are compared: one whole number, or a rising list of them."""
    rungs = value if isinstance(value, (list, tuple)) else (value,)
    whole = [rung for rung in rungs if isinstance(rung, int) and not isinstance(rung, bool) and rung >= 1]
    if not whole or len(whole) < len(rungs) or whole != sorted(set(whole)):
        raise refusal(
            "not epochs to compare after", allowed="a whole number from 1, or a rising list: [1, 2, 4]"
        )
    return tuple(whole) if isinstance(value, (list, tuple)) else whole[0]


def read_keep(value: object) -> Value:
    """Read how many go on: a whole number counts them, any other number is their share."""
    allowed = "a share above 0 up to 1.0, or a whole number from 1"
    if not _is_number(value):
        raise refusal("must be a number", allowed=allowed)
    if value <= 0:
        raise refusal("must be above 0", allowed=allowed)
    if isinstance(value, float) and value > 1:
        raise refusal("a share must be at most 1.0", allowed=allowed)
    return value


_RUNG = {"type": "integer", "minimum": 1}
_RUNGS = {"anyOf": [_RUNG, {"type": "array", "items": _RUNG, "minItems": 1, "uniqueItems": True}]}
_START = {"anyOf": [{"type": "object", "additionalProperties": _NUMBER}, {"enum": list(WORDS)}]}
Rungs = Annotated[
    int | tuple[int, ...],
    PlainValidator(read_rungs),
    PlainSerializer(lambda rungs: list(rungs) if isinstance(rungs, tuple) else rungs),
    WithJsonSchema(_RUNGS),
]
Keep = Annotated[Value, PlainValidator(read_keep), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
Start = Annotated[dict[str, Value] | str, PlainValidator(read_start), WithJsonSchema(_START)]
Number = Annotated[Value, PlainValidator(read_number), WithJsonSchema(_NUMBER)]
DimensionField = Annotated[
    Dimension, PlainValidator(read_dimension), PlainSerializer(write_dimension), WithJsonSchema(_SCHEMA)
]
