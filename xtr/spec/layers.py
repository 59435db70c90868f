"""This is where documents are laid over each other: a child over its parent, `--set` over both.

Mappings merge and lists replace. A dimension replaces too: `{int: [1, 3]}` over `{choice: [1, 2]}` is an int
range; and so does what a contrast is expected to be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from xtr.spec.document import Document
from xtr.spec.paths import Keys

Mapping = dict[str, object]


def _is_atom(keys: Keys) -> bool:
    keys = keys[1:] if keys[:1] == ("demo",) else keys
    return len(keys) == 3 and (
        keys[:2] == ("search", "space") or (keys[0], keys[2]) == ("contrasts", "expect")
    )


def merge(base: Document, child: Document) -> Document:
    """Lay a child over its base; a problem of a value that the child replaces is forgotten."""
    merged = Document(base.values, dict(base.places), list(base.findings), set(base.broken))
    if isinstance(base.values, dict) and isinstance(child.values, dict):
        merged.values = _over(base.values, child.values, (), lambda keys: _forget(merged, keys))
    merged.places |= child.places
    merged.findings += child.findings
    merged.broken |= child.broken
    return merged


def _over(base: Mapping, child: Mapping, keys: Keys, forget: Callable[[Keys], None]) -> Mapping:
    result = dict(base)
    for key, value in child.items():
        path, below = (*keys, key), base.get(key)
        if isinstance(value, dict) and isinstance(below, dict) and not _is_atom(path):
            result[key] = _over(below, value, path, forget)
        else:
            forget(path)
            result[key] = value
    return result


def _forget(document: Document, keys: Keys) -> None:
    """Drop what is known of a path and all below it."""

    def stays(path: Keys) -> bool:
        return path[: len(keys)] != keys

    document.places = {path: place for path, place in document.places.items() if stays(path)}
    document.findings = [finding for finding in document.findings if stays(finding.keys)]
    document.broken = {path for path in document.broken if stays(path)}


def put(document: Document, keys: Keys, value: Document) -> None:
    """Set one path to a value, making the mappings that lead to it."""
    _forget(document, keys)
    if not isinstance(document.values, dict):
        return
    mapping: Mapping = document.values
    for key in keys[:-1]:
        below = mapping.get(str(key))
        mapping[str(key)] = dict(below) if isinstance(below, dict) else {}
        mapping = cast(Mapping, mapping[str(key)])
    mapping[str(keys[-1])] = value.values
    document.places |= {(*keys, *path): place for path, place in value.places.items()}
    document.broken |= {(*keys, *path) for path in value.broken}


def write_as_text(values: object, keys: Keys) -> bool:
    """Put text in the place of a wrong item in a list, so that the others keep theirs; say if it was done."""
    for key in keys[:-1]:
        values = values.get(str(key)) if isinstance(values, dict) else None
    if not isinstance(values, list) or isinstance(values[int(keys[-1])], (dict, list)):
        return False
    values[int(keys[-1])] = f"wrong: {values[int(keys[-1])]}"
    return True


def prune(values: object, keys: Keys) -> bool:
    """Take a path out of plain values, and say if it was there; with anything in a list goes the whole list."""
    if not keys or not isinstance(values, dict):
        return False
    below = values.get(str(keys[0]))
    if len(keys) == 1 or isinstance(below, list):
        return values.pop(str(keys[0]), None) is not None
    return prune(below, keys[1:])
