"""This is where YAML text becomes plain values whose lines are remembered.

    read_document("epochs: 2\\nrate: 1e-5\\n", "a.yaml").values     -> {"epochs": 2, "rate": 1e-05}
    ... .places[("rate",)]                                         -> "a.yaml:2"

No surprises of YAML 1.1: `1e-5` is a number, only `true` and `false` are booleans (`no` is Norwegian);
a key stands once; tags, anchors and aliases are refused. The only interpolation is a scalar `env:NAME`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import yaml

from xtr.errors import Problem
from xtr.spec.explain import Finding
from xtr.spec.paths import Keys, dotted, is_below

_NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))
_FIRST = list("-+.0123456789")
RESOLVERS: tuple[tuple[str, str, list[str]], ...] = (
    (_NULL, r"^(?:~|null|)$", ["~", "n", ""]),
    (_BOOL, r"^(?:true|false)$", ["t", "f"]),
    (_INT, r"^[-+]?(?:[0-9]+|[0-9]{1,3}(?:_[0-9]{3})+)$", _FIRST),
    (_FLOAT, r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", _FIRST),
)
_ENV = re.compile(r"env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<rest>/.*)?")
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
)  # by escapes, or from outside
_DEEPEST = 20


class Elsewhere(dict[str, str]):
    """The environment of another machine, as far as it is known here: what is not set stays `env:NAME`."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"env:{name}"


@dataclass(slots=True)
class Document:
    """Values, where each was written, and what is wrong with some of them.

    Attributes:
        values: mappings, lists and scalars as YAML has them.
        places: `file:line` by path.
        findings: problems met so far.
        broken: paths whose values say nothing, because a finding says why.
    """

    values: object = None
    places: dict[Keys, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    broken: set[Keys] = field(default_factory=set)

    def refuse(self, keys: Keys, problem: Problem) -> None:
        """Note a problem that makes the value at a path useless."""
        self.findings.append(Finding(keys, problem))
        self.broken.add(keys)

    def is_broken(self, keys: Keys) -> bool:
        """Say whether a path lies at or below a useless value."""
        return is_below(keys, self.broken)

    def where(self, keys: Keys) -> str:
        """Write the place of a path, or of the nearest mapping around it that was written."""
        for end in range(len(keys), -1, -1):
            if keys[:end] in self.places:
                return f"{self.places[keys[:end]]} {dotted(keys)}".strip()
        return dotted(keys)


class _Loader(yaml.SafeLoader):
    """A loader that only composes: no tags, no aliases, no deep nesting."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused_at(event, "anchors and aliases are not supported; use extends")
        if getattr(event, "tag", None) is not None:
            raise _refused_at(event, "tags are not supported; quotes make text, kinds are keys")
        if self._depth >= _DEEPEST:
            raise _refused_at(event, f"nested more than {_DEEPEST} deep")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in RESOLVERS:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def _refused_at(event: yaml.Event, what: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=cast(yaml.Mark, event.start_mark))


def read_document(text: str, label: str, env: Mapping[str, str], *, lines: bool = True) -> Document:
    """Read one YAML document; what is wrong is noted in it, never raised.

    `label` is the file's name in places; `lines` says whether line numbers help.
    """
    document = Document()
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        document.refuse((), _syntax_problem(error, text, label))
    except (ValueError, OverflowError) as error:  # escapes and directives with absurd numbers
        document.refuse((), Problem(f"not valid YAML: {error}", label))
    else:
        if node is not None:
            _Builder(document, label, env, lines).build(node, ())
    return document


def _syntax_problem(error: yaml.YAMLError, text: str, label: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Problem(f"not valid YAML: {' '.join(str(error).split())}", label)
    what = getattr(error, "problem", None) or getattr(error, "context", None) or "unreadable"
    lines = text.splitlines()
    line = lines[mark.line].strip()[:80] if mark.line < len(lines) else ""
    hint = "spaces instead of tabs" if "\\t" in what else ""
    return Problem(f"not valid YAML: {what}", f"{label}:{mark.line + 1}:{mark.column + 1}", line, hint=hint)


def _paired(text: str) -> str:
    """Join the two halves by which JSON escapes a character beyond U+FFFF; a lone half stays."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@dataclass(frozen=True, slots=True)
class _Builder:
    """Turns composed nodes into plain values and notes their lines."""

    document: Document
    label: str
    env: Mapping[str, str]
    lines: bool

    def build(self, node: yaml.Node, keys: Keys) -> None:
        """Read the whole document into `document.values`."""
        self.document.places.setdefault(keys, self._place(node))
        self.document.values = self._value(node, keys)

    def _place(self, node: yaml.Node) -> str:
        return f"{self.label}:{node.start_mark.line + 1}" if self.lines else self.label

    def _value(self, node: yaml.Node, keys: Keys) -> object:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.document.places[(*keys, index)] = self._place(item)
            return [self._value(item, (*keys, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, keys)

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(keys, Problem("a key must be a word", place, allowed="key: value"))
                continue
            key = _paired(key_node.value)
            if _UNPRINTABLE.search(key):
                self._refuse(keys, Problem(f"the key {key!r} has a control character", place))
                continue
            path = (*keys, key)
            if key in values:
                first = self.document.places[path]
                self._refuse(path, Problem(f"duplicate key {key!r}, first at {first}", place))
                continue
            self.document.places[path] = place
            values[key] = self._value(value_node, path)
        return values

    def _refuse(self, keys: Keys, problem: Problem) -> None:
        where = f"{problem.where} {dotted(keys)}".strip()
        self.document.refuse(
            keys, Problem(problem.what, where, problem.received, problem.allowed, problem.hint)
        )

    def _scalar(self, node: yaml.Node, keys: Keys) -> object:
        text = _paired(node.value)
        plain = text.replace("_", "")
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text == "true"
        if node.tag == _FLOAT and math.isfinite(float(plain)):
            return float(plain)
        if node.tag == _INT and len(plain) <= 18:
            return int(plain)
        if node.tag in (_INT, _FLOAT):
            allowed = "whole numbers of up to 18 digits, others below 1e308"
            self._refuse(keys, Problem("the number is too large", self._place(node), allowed=allowed))
        elif text.startswith("env:"):
            text = self._environment(text, node, keys)
        if _UNPRINTABLE.search(text):
            self._refuse(keys, Problem("the text has a control character", self._place(node)))
            return ""
        return text

    def _environment(self, text: str, node: yaml.Node, keys: Keys) -> str:
        found = _ENV.fullmatch(text)
        if found is None:
            if not re.search(r"\s", text):
                allowed = "env:NAME or env:NAME/rest/of/a/path"
                self._refuse(keys, Problem("not a variable", self._place(node), text, allowed))
            return text
        name = found["name"]
        if name not in self.env:
            problem = Problem(
                f"variable {name} is not set", self._place(node), text, hint=f"export {name}=..."
            )
            self._refuse(keys, problem)
            return text
        return self.env[name] + (found["rest"] or "")
