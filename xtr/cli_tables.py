"""This is the door to what others read on: `xtr results`, `compare`, `findings` and `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtr.answer import AsJson, hush, say, show
from xtr.asked import Root, Sweep, find, load, one_of
from xtr.errors import InputError, Problem

if TYPE_CHECKING:
    from xtr.analysis.answers.compare import Side

SUFFIXES = (".csv", ".parquet")

Winner = Annotated[
    str, typer.Argument(metavar="SWEEP[/INTERMEDIATE]", help="A sweep, or one intermediate of it.")
]


def results(
    sweep: Sweep,
    root: Root = "runs",
    to: Annotated[Path | None, typer.Option(help="A .csv or .parquet file; else CSV is printed.")] = None,
) -> None:
    """Give all scores as one long table. A row a pair, seed, split, language and metric."""
    from xtr.analysis.records.results import results_csv, results_of, write_parquet

    _, folder = find(sweep, root)
    rows = results_of(folder)
    if not rows:
        raise InputError(Problem("this sweep has no score yet", received=sweep, hint="xtr run FILE"))
    if to is None:
        say(results_csv(rows).rstrip())
        return
    one_of("--to", to.suffix, SUFFIXES)
    if to.suffix == ".csv":
        to.write_text(results_csv(rows), encoding="utf-8")
    else:
        write_parquet(rows, to)
    say(f"wrote {len(rows)} rows to {to}")


def compare(
    one: Winner,
    other: Winner,
    root: Root = "runs",
    split: Annotated[str, typer.Option(help="test or dev.")] = "test",
    as_json: AsJson = False,
) -> None:
    """Compare two winners, language by language on the same items. Their settings stand beside each other."""
    one_of("--split", split, ("test", "dev"))
    from xtr.analysis.answers.compare import compare_sides
    from xtr.analysis.answers.compare_text import comparison_document, comparison_text

    ours, theirs = (_side(name, root) for name in (one, other))
    compared = compare_sides(ours, theirs, split)  # type: ignore[arg-type]
    document = comparison_document(ours, theirs, compared, split)  # type: ignore[arg-type]
    show(document, comparison_text(ours, theirs, compared), as_json=as_json)


def findings(
    sweep: Sweep,
    root: Root = "runs",
    split: Annotated[
        str | None, typer.Option(help="test or dev; by default what the sweep was evaluated on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold what a sweep's contrasts expect against its scores. Of a sweep's file, as it declares them by now."""
    if split is not None:
        one_of("--split", split, ("test", "dev"))
    from xtr.analysis.findings.text import findings_document, findings_text
    from xtr.analysis.findings.verdicts import findings_of
    from xtr.analysis.records.results import results_of

    spec, folder = find(sweep, root)
    if sweep.endswith((".yaml", ".yml")):
        spec = spec.model_copy(update={"contrasts": load(Path(sweep), []).contrasts})
    if not spec.contrasts:
        hint = (
            "contrasts: in its file (docs/sweep-file.md), then xtr findings FILE; nothing is trained for it"
        )
        raise InputError(Problem("this sweep declares no contrasts", received=sweep, hint=hint))
    found = findings_of(spec, results_of(folder), split)  # type: ignore[arg-type]
    show(findings_document(spec.name, found), findings_text(found), as_json=as_json)


def report(
    sweep: Sweep,
    to: Annotated[Path, typer.Option(help="Folder for the page, its figures and its tables.")],
    root: Root = "runs",
    as_json: AsJson = False,
) -> None:
    """Write a sweep as one page, with its figures and tables. HTML; SVG and PNG; CSV and LaTeX."""
    spec, folder = find(sweep, root)
    from datetime import date

    from xtr.analysis.records.trials import read_trials
    from xtr.analysis.report.gathered import gather
    from xtr.analysis.report.write import write_report, written_files, written_text
    from xtr.search.importance import importances
    from xtr.track.artifacts import log_files

    tell = hush if as_json else say
    found = importances(spec, read_trials(folder))
    document = write_report(gather(spec, folder, importances=found, date=date.today().isoformat()), to)
    shown_at = log_files(spec, to, written_files(document), "report", complain=tell)
    text = written_text(document, to)
    if shown_at:
        text += f"\nMLflow has it, too, under the sweep's run: {shown_at}"
    show({**document, "folder": str(to), "mlflow": shown_at}, text, as_json=as_json)


def _side(name: str, root: str) -> Side:
    from xtr.analysis.answers.compare import find_side

    sweep, _, intermediate = name.partition("/")
    spec, folder = find(sweep, root)
    return find_side(name, spec, folder, intermediate)
