"""This is where the grammar of the sweep file becomes a JSON Schema, by which editors complete and check it.

    sweep_schema()["properties"]["extends"]["type"]     -> "string"

It is derived from the models, then told what a file may hold besides: `extends`, `demo`, `env:NAME`, and names of
files in place of what they hold. It accepts every file that xtr accepts. xtr refuses more: tasks, languages and
what settings say of one another are no matter of grammar.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from xtr.spec.demo import SECTION
from xtr.spec.space import FIELDS, LIMITS, STAGES
from xtr.spec.sweep import SweepSpec

Schema = dict[str, Any]
DRAFT = "http://json-schema.org/draft-07/schema#"
"""What the YAML language server of editors understands best."""

_ENVIRONMENT = {"type": "string", "pattern": "^env:[A-Za-z_]"}
_FILE = {"type": "string", "minLength": 1}


def sweep_schema() -> Schema:
    """Write the JSON Schema of a sweep file."""
    schema = SweepSpec.model_json_schema(schema_generator=_WithoutTitles)
    definitions: dict[str, Schema] = schema["$defs"]
    properties: dict[str, Schema] = schema["properties"]
    demands = _take_demands(schema, definitions)
    for node in (schema, *definitions.values()):
        _let_environment_choose(node)
    _name_dimensions(definitions["SearchSpec"]["properties"]["space"])
    properties["prices"] = {
        "anyOf": [{"$ref": properties["prices"].pop("$ref")}, _FILE],
        **properties["prices"],
    }
    own_task = properties["catalogue"]["items"]
    properties["catalogue"]["items"] = {"anyOf": [own_task, _FILE]}
    extends = {
        **_FILE,
        "description": "A file beside this one, from which everything is taken that is unsaid.",
    }
    return {
        "$schema": DRAFT,
        **schema,
        "title": "xtr sweep file",
        "properties": {"extends": extends, **properties, SECTION: _demo_of(properties)},
        "if": {"required": ["extends"]},
        "else": demands,
    }


class _WithoutTitles(GenerateJsonSchema):
    """A writer that does not repeat each key's name as its title."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _demo_of(properties: dict[str, Schema]) -> Schema:
    """Describe the demo section: whatever differs on the demo world; a contrast that is null is left out there."""
    contrasts = properties["contrasts"]
    droppable = {
        **contrasts,
        "additionalProperties": {"anyOf": [contrasts["additionalProperties"], {"type": "null"}]},
    }
    return {
        "description": "What differs with --demo, on the demo world.",
        "type": "object",
        "additionalProperties": False,
        "properties": {**properties, "contrasts": droppable},
    }


def _take_demands(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """Take the required keys out of a schema and what merges into it, and return them as one of their own.

    A file that extends another need not say what that one says. Lists replace, so their items stay complete.
    """
    node = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    if "anyOf" in node:  # a mapping, or null
        members = [each for each in node["anyOf"] if "$ref" in each]
        return _take_demands(members[0], definitions) if len(members) == 1 else {}
    demands: Schema = {"required": node.pop("required")} if "required" in node else {}
    below = {name: _take_demands(child, definitions) for name, child in node.get("properties", {}).items()}
    if any(below.values()):
        demands["properties"] = {name: each for name, each in below.items() if each}
    values = node.get("additionalProperties")
    if isinstance(values, dict) and (each := _take_demands(values, definitions)):
        demands["additionalProperties"] = each
    return demands


def _let_environment_choose(node: object) -> None:
    """Let `env:NAME` stand wherever one of a few words may stand; other texts take it anyway."""
    if isinstance(node, list):
        for each in node:
            _let_environment_choose(each)
    if not isinstance(node, dict):
        return
    words = node.get("enum")
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        node.pop("type", None)
        node["anyOf"] = [{"enum": node.pop("enum")}, dict(_ENVIRONMENT)]
        return
    for key, each in node.items():
        if key not in ("default", "propertyNames"):
            _let_environment_choose(each)


def _name_dimensions(space: Schema) -> None:
    """Say which dimensions there are, and that one of `intermediate` may hold for one task or mixture."""
    dimension = space["additionalProperties"]
    own = f"^{STAGES[0]}\\..+\\.({'|'.join(map(re.escape, FIELDS))})$"
    space["properties"] = {name: {**dimension, "description": str(limits)} for name, limits in LIMITS.items()}
    space["patternProperties"] = {own: dimension}
    space["additionalProperties"] = False
