"""This is the door for who begins: `xtr init`, `xtr schema`, `xtr submit`, `xtr doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtr.answer import AsJson, hush, say, show
from xtr.asked import Demo, File, Set, SkipBad, load
from xtr.errors import InputError, Problem

if TYPE_CHECKING:
    from xtr.fingerprint import JSON

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
    """Write a first sweep file, ready to run. It is commented; one that exists is left alone."""
    from xtr.spec.starter import Starter, write_starter

    write_starter(Starter(file, model, tuple(intermediate), tuple(target), data))
    say(f"wrote {file}; next: xtr plan {file}")


def schema() -> None:
    """Print the JSON Schema of a sweep file. Editors complete and check by it."""
    from xtr.spec.schema import sweep_schema

    say(json.dumps(sweep_schema(), indent=1, ensure_ascii=False))


def submit(  # noqa: PLR0913 (one option each)
    file: File,
    set_: Set = [],  # noqa: B006
    skip_bad: SkipBad = None,
    demo: Demo = False,
    address: Annotated[
        str | None,
        typer.Option(help="The cluster's dashboard, by default RAY_API_SERVER_ADDRESS or RAY_ADDRESS."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--follow", "--wait", help="Print what the job prints, and end as it ends.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a sweep as a job on a Ray cluster. The same line again goes on with it."""
    from xtr.search.submission import follow, how_to_follow
    from xtr.search.submission import submit as submit_sweep

    job = submit_sweep(file, set_, address, skip_bad=skip_bad, demo=demo)
    document: dict[str, JSON] = {"schema_version": 1, **asdict(job)}
    text = f"job {job.id} runs: {job.entrypoint}\n{how_to_follow(job)}"
    if not wait:
        show(document, text, as_json=as_json)
        return
    tell = hush if as_json else say
    tell(text)
    code = follow(job, tell)
    if as_json:
        show({**document, "exit_code": code}, "", as_json=True)
    raise typer.Exit(code)


def doctor(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A sweep: its storage, tracking and data, too.")
    ] = None,
    set_: Set = [],  # noqa: B006
    demo: Demo = False,
    as_json: AsJson = False,
) -> None:
    """Look whether this machine is ready. Python, packages, device, Ray, storage, tracking, model, data."""
    from xtr.doctor import anything, examine, examined_text

    if file is None and (set_ or demo):
        where, said = ("--set", set_[0]) if set_ else ("--demo", "")
        raise InputError(Problem("there is no file to change", where, said, hint="xtr doctor FILE"))
    spec = anything() if file is None else load(file, set_, demo=demo)
    checks = list(examine(spec))
    rows: list[JSON] = [asdict(check) for check in checks]
    show({"schema_version": 1, "checks": rows}, examined_text(checks), as_json=as_json)
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)
