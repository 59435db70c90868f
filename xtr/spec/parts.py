"""This is where it is told which files a sweep is written in: itself, what it extends, its tasks and its prices.

files_of(Path("sweeps/planted.yaml"))    -> (Path("sweeps/planted.yaml"), Path("sweeps/demo.yaml"))
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from xtr.spec.document import read_document


def files_of(path: Path) -> tuple[Path, ...]:
    """List the files of a sweep that reads without problems, its own first, each once."""
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop(0)
        if file not in found:
            found[file] = None
            waiting += [file.parent / name for name in _named(file)]
    return tuple(found)


def _named(file: Path) -> Iterator[str]:
    """Name the files beside one that stand for what they hold; variables name none of them."""
    nothing: dict[str, str] = defaultdict(str)
    values = read_document(file.read_text(encoding="utf-8-sig"), str(file), nothing).values
    if not isinstance(values, dict):
        return
    tasks = values.get("catalogue")
    named = [values.get("extends"), values.get("prices"), *(tasks if isinstance(tasks, list) else [])]
    yield from (name for name in named if isinstance(name, str))
