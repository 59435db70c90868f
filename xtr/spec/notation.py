"""This is where a dimension is read and written: a plain number, or the kind of range as a key.

read_dimension({"choice": [1, 2, 4]})            -> Choice((1, 2, 4))
read_dimension({"log_float": [1e-6, 1e-4]})      -> LogFloatRange(1e-06, 0.0001)
read_dimension(3)                                -> Fixed(3)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, TypeGuard

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from xtr.errors import suggest
from xtr.spec.explain import refusal
from xtr.spec.space import Choice, Dimension, Fixed, FloatRange, IntRange, LogFloatRange, Value

KINDS = ("choice", "int", "float", "log_float")
_ALLOWED = (
    "a number, {choice: [a, b, ...]}, {int: [low, high]}, {float: [low, high]} or {log_float: [low, high]}"
)
_NUMBER = {"type": "number"}
_PAIR = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_SCHEMA = {
    "anyOf": [
        _NUMBER,
        *(
            {
                "type": "object",
                "properties": {kind: {"type": "array", "items": _NUMBER} if kind == "choice" else _PAIR},
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
        raise refusal("not a dimension", allowed=_ALLOWED)
    if len(value) != 1:
        raise refusal("a dimension has exactly one kind", allowed=_ALLOWED)
    ((kind, numbers),) = value.items()
    if kind not in KINDS:
        raise refusal(f"unknown kind of dimension {kind!r}", allowed=_ALLOWED, hint=suggest(str(kind), KINDS))
    if not isinstance(numbers, (list, tuple)) or not all(map(_is_number, numbers)):
        raise refusal(f"{kind} needs a list of numbers", allowed=_ALLOWED)
    return _build(kind, tuple(numbers))


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


Number = Annotated[Value, PlainValidator(read_number), WithJsonSchema(_NUMBER)]
DimensionField = Annotated[
    Dimension, PlainValidator(read_dimension), PlainSerializer(write_dimension), WithJsonSchema(_SCHEMA)
]
