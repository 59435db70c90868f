"""This is where a spec becomes YAML again, such that reading it gives an equal spec.

to_yaml(load_sweep(path))    -> "version: 1\\nname: demo\\n..."
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from xtr.spec.document import RESOLVERS
from xtr.spec.sweep import SweepSpec


class _Dumper(yaml.SafeDumper):
    """A dumper that quotes what our loader would not read as text, and never writes aliases."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


for _tag, _pattern, _first in RESOLVERS:
    _Dumper.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def to_yaml(spec: SweepSpec) -> str:
    """Write what was said in a spec, in the order of the grammar; defaults that nobody said are left out.

    `extends` and `env:NAME` are resolved, so a secret that came from the environment stands in the text, unless
    the variable's name was put back.
    """
    values = spec.model_dump(mode="json", exclude_unset=True)
    return yaml.dump(
        values, Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
    )


def to_block(values: Mapping[str, object]) -> str:
    """Write plain values over several lines, in their order, as the front matter of a page has them."""
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text


def to_line(value: object) -> str:
    """Write a plain value on one line, as a sweep file would have it: `{int: [2, 6]}`."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=True,
        allow_unicode=True,
        width=float("inf"),
    )
    return text.removesuffix("\n").removesuffix("\n...")
