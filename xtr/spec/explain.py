"""This is where a wrong value turns into words: pydantic's errors become problems that can be mended.

raise refusal("must be a local folder", allowed="a path such as runs/")
findings_of(error, SweepSpec)    -> [Finding(("search", "seed"), Problem("must be a whole number", ...))]
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from xtr.errors import Problem, suggest
from xtr.spec.allowed import Allowed
from xtr.spec.elsewhere import native
from xtr.spec.paths import Keys, dotted, field_at, keys_at, places_of_key

_REFUSAL = "xtr_refusal"
_LONGEST = 80
_PHRASES = (
    ("Input should be ", "must be "),
    ("greater than or equal to", "at least"),
    ("less than or equal to", "at most"),
    ("greater than", "above"),
    ("less than", "below"),
)
_WORDS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and the keys that lead to it."""

    keys: Keys
    problem: Problem


def refusal(what: str, *, received: str = "", allowed: str = "", hint: str = "") -> PydanticCustomError:
    """Build the error by which a validator of the spec refuses a value in its own words.

    Args:
        received: shown in place of the value, where that is not for everybody to read.
    """
    said = {"what": what, "received": received, "allowed": allowed, "hint": hint}
    return PydanticCustomError(_REFUSAL, "{what}", said)


def shown(value: object) -> str:
    """Write a received value on one short line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


def findings_of(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """Translate every error that pydantic found, in its order."""
    return [_finding(details, model) for details in error.errors(include_url=False)]


def _finding(details: ErrorDetails, model: type[BaseModel]) -> Finding:
    keys = details["loc"]
    if details["type"] == "extra_forbidden":
        return Finding(keys, _unknown_key(keys, model))
    if details["type"] == "missing":
        return Finding(keys, _missing_key(keys, model))
    if details["type"] == _REFUSAL:
        said = details["ctx"]
        received = said["received"] or shown(details["input"])
        return Finding(keys, Problem(said["what"], "", received, said["allowed"], said["hint"]))
    return Finding(keys, _wrong_value(details, model))


def _unknown_key(keys: Keys, model: type[BaseModel]) -> Problem:
    name, siblings = str(keys[-1]), keys_at(model, keys[:-1])
    meant = native(name)
    if meant not in siblings and (elsewhere := places_of_key(model, meant)):
        hint = f"{meant!r} belongs under {' or '.join(elsewhere)}"
    else:
        hint = suggest(meant, siblings)
    return Problem(f"unknown key {name!r}", allowed=", ".join(siblings), hint=hint)


def _missing_key(keys: Keys, model: type[BaseModel]) -> Problem:
    field = field_at(model, keys)
    hint = "version: 1" if keys == ("version",) else ""
    return Problem(
        f"{dotted(keys[-1:])!r} is missing", allowed=(field and field.description) or "", hint=hint
    )


def _wrong_value(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    kind, value = details["type"], details["input"]
    field = field_at(model, details["loc"])
    what, allowed = _WORDS.get(kind) or _reworded(details["msg"]), Allowed(model, details["loc"])
    told = str(allowed) or (field and field.description) or ""
    return Problem(what, received=shown(value), allowed=told, hint=_hint(details, allowed))


def _reworded(message: str) -> str:
    for theirs, ours in _PHRASES:
        message = message.replace(theirs, ours, 1)
    return message


def _hint(details: ErrorDetails, allowed: Allowed) -> str:
    kind, value = details["type"], details["input"]
    if kind == "literal_error" and isinstance(value, str):
        return suggest(value, allowed.words)
    if kind == "model_type" and isinstance(value, (str, bool, int, float)) and (form := allowed.form(value)):
        return f"{details['loc'][-1]}: {form}"
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return f'quotes make it text: "{value}"'
    if kind == "tuple_type" and isinstance(value, (str, int, float)):
        return f"[{value}]"
    if isinstance(value, dict) and len(value) == 1 and kind in {"int_type", "float_type"}:
        return "a range to search goes under search.space"
    return ""
