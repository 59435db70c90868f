"""This is the door for who begins: `xtr init`, `xtr schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xtr.answer import say

DEFAULT = Path("sweep.yaml")


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = DEFAULT,
    model: Annotated[str, typer.Option(help="A hub id or a folder; demo needs no download.")] = "demo",
    intermediate: Annotated[
        list[str], typer.Option(metavar="TASK", help="An intermediate task; may be repeated.")
    ] = [],  # noqa: B006
    target: Annotated[list[str], typer.Option(metavar="TASK", help="A target; may be repeated.")] = [],  # noqa: B006
    data: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Folder of official data; else the hub's are read.")
    ] = None,
) -> None:
    """Write a first sweep file, commented and ready to run; one that exists is left alone."""
    from xtr.spec.starter import Starter, write_starter

    write_starter(Starter(file, model, tuple(intermediate), tuple(target), data))
    say(f"wrote {file}; next: xtr plan {file}")


def schema() -> None:
    """Print the JSON Schema of a sweep file, by which editors complete and check it."""
    from xtr.spec.schema import sweep_schema

    say(json.dumps(sweep_schema(), indent=1, ensure_ascii=False))
