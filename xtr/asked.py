"""This is where commands learn what they are asked for: a sweep file, a sweep that was run, options they share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtr.errors import InputError, Problem, suggest

if TYPE_CHECKING:
    from xtr.spec.sweep import SweepSpec

File = Annotated[Path, typer.Argument(metavar="FILE", help="A sweep file or an exported config (YAML).")]
Sweep = Annotated[str, typer.Argument(metavar="SWEEP", help="A sweep's name, or its file.")]
Root = Annotated[str, typer.Option(help="Storage root in which a sweep is looked up by name: folder or URI.")]
Set = Annotated[list[str], typer.Option("--set", metavar="A.B=C", help="Override a value; may be repeated.")]

Demo = Annotated[
    bool, typer.Option("--demo", help="The same on the demo world, small and under a name of its own.")
]

SkipBad = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Leave out up to N malformed rows of a file (data.skip_bad)."),
]


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that an option does not have.

    Raises:
        InputError: with what it may be.
    """
    if value not in allowed:
        what = f"unknown {option.removeprefix('--')}"
        raise InputError(Problem(what, option, value, ", ".join(allowed), suggest(value, allowed)))


def load(file: Path, overrides: list[str], skip_bad: int | None = None, *, demo: bool = False) -> SweepSpec:
    """Read a sweep file with what the command line overrides.

    Raises:
        InputError: with every problem of it.
    """
    from xtr.spec.load import load_sweep

    allowed = [] if skip_bad is None else [f"data.skip_bad={skip_bad}"]
    return load_sweep(file, [*overrides, *allowed], demo=demo)


def as_asked(file: Path, *, demo: bool) -> str:
    """Write a file as a command names it: `sweeps/q1-size.yaml --demo`."""
    return f"{file} --demo" if demo else str(file)


def find(sweep: str, root: str) -> tuple[SweepSpec, Path]:
    """Find a sweep that was run, by its file or by its name below the storage root: its spec and its folder.

    Raises:
        InputError: there is none of this name.
    """
    from xtr.storage.workplace import workplace

    place, storage = workplace(root), None
    if sweep.endswith((".yaml", ".yml")):
        spec = load(Path(sweep), [])
        sweep, storage = spec.name, spec.storage
        root, place = storage.root, storage.workplace()
    place.check_readable()
    folder = place.read_sweep(sweep)
    if not (folder / "spec.yaml").exists():
        known = place.sweeps()
        raise InputError(
            Problem(
                "no such sweep",
                where=f"{root}/sweeps",
                received=sweep,
                allowed=", ".join(known) or "nothing has been run below this root",
                hint=suggest(sweep, known) or "--root FOLDER",
            )
        )
    from xtr.spec.load import load_stored

    return load_stored(folder, storage or root), folder
