"""This is where it is said what may stand at a key: in words, from the types of the spec alone.

    allowed = Allowed(SweepSpec, ("search", "confirm", "seeds", 0))
    str(allowed)                                              -> "whole numbers from 0"
    Allowed(SweepSpec, ("stages", "evaluate", "split")).words      -> ("test", "dev")
    Allowed(SweepSpec, ("search",)).form("tpe")                -> "{sampler: {name: tpe}}"

The types are read as the JSON Schema that pydantic writes of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

Node = dict[str, Any]
_BOUNDS = (
    ("minimum", "from"),
    ("exclusiveMinimum", "above"),
    ("maximum", "up to"),
    ("exclusiveMaximum", "below"),
)
_TYPES = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


@cache
def _schema_of(model: type[BaseModel]) -> Node:
    return model.model_json_schema()


class Allowed:
    """What may stand at a path of a model; it says nothing where the path leads nowhere."""

    def __init__(self, model: type[BaseModel], keys: tuple[str | int, ...]) -> None:
        self._definitions: Node = _schema_of(model).get("$defs", {})
        self._node: Node = _schema_of(model)
        for key in keys:
            self._node = self._below(self._node, key)

    def __str__(self) -> str:
        return self._told(self._node)

    @property
    def words(self) -> tuple[str, ...]:
        """The words among which one may be chosen, if it is a choice of words."""
        return tuple(
            word for each in self._ways(self._node) for word in each.get("enum", ()) if isinstance(word, str)
        )

    def form(self, value: object) -> str:
        """Write how a mapping is written, around a plain value that stood in its place; empty if it is none."""
        for node in self._ways(self._node):
            properties: Node = node.get("properties", {})
            for written in (
                self._around_word(node, value),
                self._around(properties, value),
                self._first(properties),
            ):
                if written:
                    return written
        return ""

    # -- walking ---------------------------------------------------------------------------------------

    def _ways(self, node: Node) -> Iterator[Node]:
        """Yield the schemas by which a node may be met: the members of a union, references followed."""
        if "$ref" in node:
            yield from self._ways(self._definitions[node["$ref"].rpartition("/")[2]])
        elif "anyOf" in node:
            for each in node["anyOf"]:
                yield from self._ways(each)
        else:
            yield node

    def _below(self, node: Node, key: str | int) -> Node:
        for each in self._ways(node):
            below = each.get("items") if isinstance(key, int) else each.get("properties", {}).get(key)
            if below is None and not isinstance(key, int):
                below = each.get("additionalProperties")
            if isinstance(below, dict):
                return below
        return {}

    # -- words -----------------------------------------------------------------------------------------

    def _told(self, node: Node) -> str:
        """Put a schema into words; nothing where a way of it is free text: the description says more."""
        ways = sorted(self._ways(node), key=lambda each: each.get("type") != "null")
        told = [self._one(each) for each in ways]
        return " or ".join(told) if all(told) else ""

    def _one(self, node: Node) -> str:
        if words := node.get("enum", [node["const"]] if "const" in node else None):
            return ", ".join(map(_plain, words))
        kind = node.get("type")
        if kind in ("integer", "number"):
            name = "whole numbers" if kind == "integer" else "numbers"
            bounds = ", ".join(f"{word} {node[bound]:g}" for bound, word in _BOUNDS if bound in node)
            return f"{name} {bounds}".strip()
        if kind == "array":
            items = self._told(node.get("items", {}))
            return f"a list of {items.replace('a mapping', 'mappings', 1)}" if items else ""
        if kind == "object":
            names = ", ".join(node.get("properties", ()))
            return f"a mapping with any of {names}" if names else "a mapping of names to values"
        return {"boolean": "true, false", "null": "null"}.get(str(kind), "")

    # -- forms -----------------------------------------------------------------------------------------

    def _around_word(self, node: Node, value: object) -> str:
        """Find the mapping, at any depth, in which one of a few words is this one."""
        for name, child in node.get("properties", {}).items():
            for way in self._ways(child):
                if isinstance(value, str) and value in way.get("enum", ()):
                    return f"{{{name}: {value}}}"
                if inner := self._around_word(way, value):
                    return f"{{{name}: {inner}}}"
        return ""

    def _around(self, properties: Node, value: object) -> str:
        """Find the first key that takes such a value."""
        for name, child in properties.items():
            for way in self._ways(child):
                types = _TYPES.get(way.get("type", ""), ())
                if type(value) in types and "enum" not in way:
                    return f"{{{name}: {_plain(value)}}}"
        return ""

    def _first(self, properties: Node) -> str:
        """Write the first key with a default that is plain."""
        for name, child in properties.items():
            default = child.get("default")
            if isinstance(default, (str, int, float)) and default != "":
                return f"{{{name}: {_plain(default)}}}"
        return ""


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
