"""This is where a dotted path meets the fields of the spec.

split("search.space.target.epochs", SweepSpec)   -> ("search", "space", "target.epochs")
keys_at(SweepSpec, ("storage",))                 -> ("root",)
"""

from __future__ import annotations

import types
from collections.abc import Collection
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from xtr.errors import InputError, Problem, suggest
from xtr.spec.elsewhere import native

Keys = tuple[str | int, ...]


def dotted(keys: Keys) -> str:
    """Write keys as the user writes them: `pairs.target[1]`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def is_below(keys: Keys, paths: Collection[Keys]) -> bool:
    """Say whether keys lead to one of the paths or to something in it."""
    return any(keys[:end] in paths for end in range(len(keys) + 1))


def _parts(annotation: object) -> tuple[object, ...]:
    """List what an annotation allows: the members of a union, without Annotated around them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return tuple(part for member in get_args(annotation) for part in _parts(member))
    return (annotation,)


def _model(annotation: object) -> type[BaseModel] | None:
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _items(annotation: object) -> object | None:
    """Return what the values of a mapping or the items of a list are, or None for anything else."""
    for part in _parts(annotation):
        if get_origin(part) is dict:
            value: object = get_args(part)[1]
            return value
        if get_origin(part) is tuple:
            item: object = get_args(part)[0]
            return item
    return None


def _annotation_at(annotation: object, keys: Keys) -> object | None:
    for key in keys:
        model = _model(annotation)
        if model is None:
            annotation = _items(annotation)
        else:
            field = model.model_fields.get(str(key))
            annotation = field.annotation if field else None
        if annotation is None:
            return None
    return annotation


def keys_at(model: type[BaseModel], keys: Keys) -> tuple[str, ...]:
    """List the keys that may stand at a path; none where the user is free to choose them."""
    found = _model(_annotation_at(model, keys))
    return tuple(found.model_fields) if found else ()


def field_at(model: type[BaseModel], keys: Keys) -> FieldInfo | None:
    """Return the field that a path names, or the field that holds the list or mapping it leads into."""
    for end in range(len(keys), 0, -1):
        parent = _model(_annotation_at(model, keys[: end - 1]))
        if parent and str(keys[end - 1]) in parent.model_fields:
            return parent.model_fields[str(keys[end - 1])]
    return None


def places_of_key(model: type[BaseModel], name: str, under: Keys = ()) -> list[str]:
    """List the paths below which a key of that name may stand; for a key that was put in the wrong place."""
    found = [dotted(under)] if under and name in model.model_fields else []
    for key, field in model.model_fields.items():
        if child := _model(field.annotation):
            found += places_of_key(child, name, (*under, key))
    return found


def split(path: str, model: type[BaseModel]) -> Keys:
    """Split a dotted path at the dots that separate keys; a dimension's name keeps its own.

    Raises:
        InputError: no field has this path; the nearest one is suggested.
    """
    annotation: object = model
    keys: list[str] = []
    rest = path.split(".")
    while rest:
        child, items = _model(annotation), _items(annotation)
        if child and rest[0] in child.model_fields:
            annotation = child.model_fields[rest[0]].annotation
            keys.append(rest.pop(0))
        elif not child and items is not None and all(rest):
            whole = _model(items) is None and _items(items) is None
            keys.append(".".join(rest) if whole else rest[0])
            rest, annotation = ([] if whole else rest[1:]), items
        else:
            raise InputError(_unknown_path(path, keys, rest[0], model))
    return tuple(keys)


def _unknown_path(path: str, known: list[str], wrong: str, model: type[BaseModel]) -> Problem:
    siblings = keys_at(model, tuple(known))
    prefix = "".join(f"{key}." for key in known)
    meant = native(wrong)
    if meant not in siblings and (places := places_of_key(model, meant)):
        hint = " or ".join(f"{place}.{meant}" for place in places)
    else:
        hint = suggest(meant, siblings).replace("'", f"'{prefix}", 1)
    allowed = ", ".join(f"{prefix}{name}" for name in siblings) or f"{dotted(tuple(known))} has no keys below"
    return Problem(f"unknown path {path!r}", "--set", wrong, allowed, hint)
