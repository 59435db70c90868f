"""The house keeps its order: imports run downwards, libraries have owners, files and functions stay small."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "xtr").rglob("*.py"))

FLOORS: tuple[tuple[str, ...], ...] = (
    ("__init__", "__main__"),
    ("cli",),
    ("api", "cli_groups", "cli_start", "cli_store", "cli_tables", "cli_views"),
    ("answer", "asked", "doctor"),
    ("search",),
    ("track",),
    ("analysis/report",),
    ("analysis/export", "analysis/findings", "analysis/upkeep"),
    ("analysis/answers",),
    ("analysis/planning",),
    ("analysis/records",),
    ("analysis",),
    ("stages",),
    ("evaluate", "train"),
    ("families",),
    ("data", "metrics", "model", "statistics"),
    ("spec",),
    ("catalogue",),
    ("storage",),
    ("faults",),
    ("errors", "fingerprint"),
)
"""Top floor first. A room imports from floors below it and from itself; rooms on one floor do not meet.

A room with a path is a part of a larger one; what lies beside the parts is below them.
"""

PARTS = frozenset(room for floor in FLOORS for room in floor if "/" in room)

STAGE_WORK = ("stages/training.py", "stages/evaluating.py", "stages/portable.py")
NEURAL = ("model/", "families/", "train/", "evaluate/", "stages/made.py", "stages/encoding.py", *STAGE_WORK)
DOORS = ("cli.py", "cli_groups.py", "cli_start.py", "cli_store.py", "cli_tables.py", "cli_views.py")
OWNERS: dict[str, tuple[str, ...]] = {
    "typer": (*DOORS, "answer.py", "asked.py"),
    "click": ("cli.py",),
    "ray": ("search/", "train/distributed.py"),
    "optuna": ("search/",),
    "mlflow": ("track/",),
    "torch": NEURAL,
    "transformers": NEURAL,
    "safetensors": ("model/", "train/", "families/encoded.py", *STAGE_WORK),
    "tokenizers": ("model/", "train/pretrain.py", "stages/encoding.py"),
    "datasets": ("data/hub.py",),
    "huggingface_hub": ("data/hub.py",),
    "faiss": ("families/neighbours.py",),
    "peft": ("model/lora.py",),
    "numpy": ("statistics/", "analysis/answers/compare.py", "analysis/records/outcomes.py"),
    "scipy": ("statistics/",),
    "pandas": ("analysis/records/results.py", "api.py"),
    "packaging": ("doctor.py",),
    "pydantic": ("spec/",),
    "pydantic_core": ("spec/",),
    "yaml": ("spec/",),
    "matplotlib": ("analysis/report/",),
    "fsspec": ("storage/",),
}
"""Who may import a library. One that is missing here has no owner yet: say who it is to be."""

NAMELESS = frozenset({"utils", "helpers", "common", "misc", "core", "base"})
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def _inside(path: Path) -> str:
    return path.relative_to(ROOT / "xtr").as_posix()


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _room(path: Path) -> str:
    return _room_of([*_inside(path).removesuffix(".py").split("/")])


def _room_of(parts: list[str]) -> str:
    """Name the room of a module's path below xtr: the part of a room where it is one, else the room."""
    return part if (part := "/".join(parts[:2])) in PARTS else parts[0]


def _floor(room: str) -> int:
    floors = [number for number, rooms in enumerate(reversed(FLOORS)) if room in rooms]
    assert floors, f"xtr/{room} has no floor yet: say in FLOORS on which it lives"
    return floors[0]


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module) of every import, inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{_inside(path)}:{node.lineno}: write imports from the top, `from xtr...`"
            )
            module = node.module or ""
            yield from (
                (node.lineno, f"{module}.{alias.name}" if module == "xtr" else module) for alias in node.names
            )


def _rooms_met(path: Path) -> Iterator[tuple[int, str]]:
    for line, module in _imports(path):
        if module.split(".")[0] == "xtr":
            room = _room_of(module.split(".")[1:]) if "." in module else "__init__"
            yield line, "__init__" if room == "__version__" else room


@pytest.mark.parametrize("path", MODULES, ids=_inside)
def test_imports_run_downwards(path: Path) -> None:
    own = _room(path)
    upwards = [
        f"xtr/{_inside(path)}:{line} imports xtr.{room}"
        for line, room in _rooms_met(path)
        if room != own and _floor(room) >= _floor(own)
    ]
    assert upwards == []


@pytest.mark.parametrize("path", MODULES, ids=_inside)
def test_a_library_is_imported_by_its_owner_alone(path: Path) -> None:
    ours = sys.stdlib_module_names | {"xtr"}
    foreign = [(line, name.split(".")[0]) for line, name in _imports(path) if name.split(".")[0] not in ours]
    trespasses = [
        f"xtr/{_inside(path)}:{line} imports {library}, owned by {', '.join(OWNERS.get(library, ('nobody',)))}"
        for line, library in foreign
        if not _inside(path).startswith(OWNERS.get(library, ()))
    ]
    assert trespasses == []


@pytest.mark.parametrize("path", MODULES, ids=_inside)
def test_files_and_functions_stay_small(path: Path) -> None:
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= LONGEST_FILE, f"{_inside(path)} has {n_lines} lines: split it"
    long = [
        f"{_inside(path)}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(_parse(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize("path", MODULES, ids=_inside)
def test_a_module_has_a_telling_name_and_says_what_it_is_for(path: Path) -> None:
    assert NAMELESS.isdisjoint(_inside(path).removesuffix(".py").split("/"))
    assert ast.get_docstring(_parse(path)), f"{_inside(path)} has no docstring"


def test_every_floor_is_inhabited() -> None:
    rooms = {_room(path) for path in MODULES}
    assert {room for floor in FLOORS for room in floor} == rooms
