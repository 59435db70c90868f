"""This is where the parts of the documentation that are derived from the code are written.

    python -m docs.generate      -> docs/sweep-file.md, and the tree in docs/house.md

A test fails while either says something else than the code.
"""

from __future__ import annotations

import ast
import json
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from xtr.spec.space import LIMITS
from xtr.spec.sweep import SweepSpec

ROOT = Path(__file__).resolve().parents[1]
README, HOUSE, SWEEP_FILE = (ROOT / name for name in ("README.md", "docs/house.md", "docs/sweep-file.md"))
TREE = re.compile(r"(?<=<!-- tree -->\n```text\n).*?(?=```\n<!-- /tree -->)", re.DOTALL)
_LONGEST_NAME, _LONGEST_COMMENT = 24, 100
_INTRODUCTION = """# The sweep file

Every key of a sweep file, derived from the models in `xtr/spec/` (`python -m docs.generate` writes this page).
An exported config has the same grammar. `sweeps/demo.yaml` is a whole example.

- Unknown keys are refused, with a suggestion. All problems are told at once, each with file and line.
- `extends: other.yaml` takes everything from another file beside this one; mappings merge, lists and dimensions
  replace.
- `demo:` says what differs under `--demo`: then model, data, stages, compute and limits are the demo world's, this
  section lies over all, and the name ends in `-demo`.
- `--set a.b=c` overrides one value; it wins over the file, the file over what it extends.
- A value `env:NAME`, or `env:NAME/below/it`, is read from the environment. Nothing else is interpolated.
- `xtr schema` prints this grammar as a JSON Schema, by which editors complete and check. `xtr init` begins a file.
- `1e-5` is a number; only `true` and `false` are booleans; a key stands once.
"""


def sweep_file_reference() -> str:
    """Write every key of the sweep file with its default and its meaning."""
    paths: dict[type[BaseModel], list[str]] = {}
    for path, model in _walk(SweepSpec):
        paths.setdefault(model, []).append(path)
    sections = [_section(model, places) for model, places in paths.items()]
    return "\n".join([_INTRODUCTION, *sections, _dimensions()])


def annotated_tree() -> str:
    """Draw the package: one line a module, with what its docstring says first."""
    return "\n".join(_branch(ROOT / "xtr", depth=0)) + "\n"


def with_tree(page: str) -> str:
    """Put the tree between its markers."""
    return TREE.sub(lambda _: annotated_tree(), page)


def _walk(model: type[BaseModel], under: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every model below one, with the path at which it stands."""
    yield under, model
    for name, field in model.model_fields.items():
        for suffix, child in _children(field.annotation):
            yield from _walk(child, f"{under}.{name}{suffix}".removeprefix("."))


def _children(annotation: object, suffix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Find the models in an annotation; items of a list are `[]`, values of a mapping `.<name>`."""
    origin, args = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield suffix, annotation
    elif origin in (Union, types.UnionType):
        for member in args:
            yield from _children(member, suffix)
    elif origin is Annotated:
        yield from _children(args[0], suffix)
    elif origin is tuple:
        yield from _children(args[0], f"{suffix}[]")
    elif origin is dict:
        yield from _children(args[1], f"{suffix}.<name>")


def _section(model: type[BaseModel], places: list[str]) -> str:
    title = " and ".join(f"`{place}`" for place in places if place) or "Top level"
    rows = [
        f"| `{name}` | {_default(field)} | {_cell(field.description or '')} |"
        for name, field in model.model_fields.items()
    ]
    return "\n".join(
        [
            f"## {title}",
            "",
            (model.__doc__ or "").strip(),
            "",
            "| key | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return "see below"
    return _cell(f"`{json.dumps(default)}`")


def _dimensions() -> str:
    rows = [f"| `{name}` | {limits} |" for name, limits in LIMITS.items()]
    return "\n".join(
        [
            "## Dimensions of `search.space`",
            "",
            "What may be searched; a dimension takes precedence over the same key under `stages`.",
            "`intermediate.*` holds for every link of a chain. Pairs skip the dimensions they cannot use:",
            "`none` has no intermediate stage, and retrieval trains no target.",
            "",
            "| dimension | takes |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _branch(folder: Path, depth: int) -> Iterator[str]:
    indent = "    " * depth
    yield f"{indent}{folder.name}/".ljust(_LONGEST_NAME) + f"  {_comment(folder / '__init__.py')}"
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    for path in modules:
        yield f"{indent}    {path.name}".ljust(_LONGEST_NAME) + f"  {_comment(path)}"
    for path in sorted(path.parent for path in folder.glob("*/__init__.py")):
        yield from _branch(path, depth + 1)


def _comment(path: Path) -> str:
    """Shorten the first sentence of a module's docstring: `where sentence pairs are classified`."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = docstring.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".")
    first = re.sub(r"^(This is|The room for) ", "", first)
    if len(first) > _LONGEST_COMMENT:
        first = re.split(r"[:;] ", first)[0]
    return first


def main() -> None:
    """Write both files."""
    SWEEP_FILE.write_text(sweep_file_reference(), encoding="utf-8")
    HOUSE.write_text(with_tree(HOUSE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
