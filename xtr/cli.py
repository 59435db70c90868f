"""This is the door: the command line. Every command is a few lines over a function of the same meaning.

Heavy libraries are imported inside the commands that need them, so that help, validate, plan and tasks answer at
once.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xtr.answer import AsJson
from xtr.answer import hush as _hush
from xtr.answer import say as _say
from xtr.answer import show as _show
from xtr.asked import Demo, File, Root, Set, SkipBad, Sweep
from xtr.asked import as_asked as _as_asked
from xtr.asked import find as _find
from xtr.asked import load as _load
from xtr.asked import one_of as _one_of
from xtr.catalogue.lookup import TASKS, find_task, forget_own, names
from xtr.cli_groups import Grouped
from xtr.cli_start import doctor, init, schema, submit
from xtr.cli_store import store
from xtr.cli_tables import compare, findings, report, results
from xtr.cli_views import export, ui
from xtr.errors import InputError, Problem, XtrError

if TYPE_CHECKING:
    from xtr.fingerprint import JSON
    from xtr.spec.sweep import SweepSpec

INTERRUPTED, SOME_FAILED, OUT_OF_BUDGET = 130, 3, 4

app = typer.Typer(
    name="xtr",
    cls=Grouped,
    help="Find the best intermediate task, data size and hyper-parameters for zero-shot cross-lingual transfer.",
    epilog="Start with: xtr plan sweeps/demo.yaml, then xtr run sweeps/demo.yaml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Prepare and check a sweep's data.")
app.add_typer(data, name="data")
app.add_typer(store, name="store")


def _tell_version(asked: bool) -> None:
    if asked:
        _say(f"xtr {metadata.version('xtr')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Tell the version.")
    ] = False,
) -> None:
    """Take what stands before a command."""


track = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look after what MLflow shows.")
app.add_typer(track, name="track")


app.command(epilog="Example: xtr init my-sweep.yaml --model xlm-roberta-base --target xnli")(init)


@app.command(epilog="Example: xtr run sweeps/demo.yaml --set search.trials_per_pair=8")
def run(file: File, set_: Set = [], skip_bad: SkipBad = None, demo: Demo = False) -> None:  # noqa: B006
    """Run a sweep, or go on with one. Nothing finished is done again."""
    # Before the heavy imports, so that a wrong file is told at once.
    spec = _load(file, set_, skip_bad, demo=demo)
    from xtr.analysis.answers.leaderboard_text import leaderboard_text
    from xtr.analysis.records.spending import ended_text, next_text
    from xtr.search.sweep import run_sweep

    outcome = run_sweep(spec, _say)
    kept = f"{outcome.n_kept} {'trial is' if outcome.n_kept == 1 else 'trials are'} kept unfinished"
    if outcome.ended and outcome.ended.by == "interrupt":
        _say(f"this run made {outcome.steps} training steps; {kept}")
        raise typer.Exit(INTERRUPTED)
    _say(f"\n{leaderboard_text(spec, outcome.rows)}")
    _say(f"this run made {outcome.steps} training steps")
    if outcome.ended:
        allowed = [] if skip_bad is None else ["--skip-bad", str(skip_bad)]
        words = [
            "xtr",
            "run",
            str(file),
            *["--demo"] * demo,
            *(word for each in set_ for word in ("--set", each)),
            *allowed,
        ]
        _say(f"\n{ended_text(spec, outcome.ended)}; {kept}\n{next_text(outcome.ended, shlex.join(words))}")
        raise typer.Exit(OUT_OF_BUDGET)
    if outcome.n_failed:
        failed = f"{outcome.n_failed} trial{'s' * (outcome.n_failed > 1)} failed"
        _say(f"\n{failed}; why: xtr status {spec.name}{_root_option(spec)}")
        _say(f"next: mend it, then xtr run {_as_asked(file, demo=demo)} tries them again")
        raise typer.Exit(SOME_FAILED)
    _say(f"\nnext: xtr evaluate {spec.name}{_root_option(spec)}    (scores in every language)")


app.command(epilog="Example: xtr submit sweep.yaml --address http://127.0.0.1:8265 --follow")(submit)


@app.command(epilog="Example: xtr plan sweeps/one-night.yaml --gpus 4 --gpus 8")
def plan(
    file: File,
    set_: Set = [],  # noqa: B006
    gpus: Annotated[
        list[int],
        typer.Option(min=1, metavar="N", help="Show the wall time on N GPUs, too; may be repeated."),
    ] = [],  # noqa: B006
    demo: Demo = False,
    as_json: AsJson = False,
) -> None:
    """Tell the price of a sweep before it runs. Stages, tokens, hours, money, disk and wall time."""
    from xtr.analysis.planning.plan import plan_now
    from xtr.analysis.planning.text import plan_text

    asked = _as_asked(file, demo=demo)
    counted, changes = plan_now(_load(file, set_, demo=demo), gpus=gpus, file=asked)
    document = {**counted.document(), "changes": changes.document() if changes else None}
    text = plan_text(counted, asked)
    _show(document, f"{changes.text(counted.sweep)}\n\n{text}" if changes else text, as_json=as_json)


@app.command(epilog="Example: xtr validate sweeps/*.yaml")
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Sweep files.")],
    set_: Set = [],  # noqa: B006
    demo: Demo = False,
) -> None:
    """Check sweep files. Every key, value, task and language, all errors at once, with file and line."""
    from xtr.analysis.planning.advice import doubts

    problems: list[Problem] = []
    note = ""
    for file in files:
        forget_own()
        try:
            spec = _load(file, set_, demo=demo)
        except InputError as error:
            problems.extend(error.problems)
            note = error.note or note
        else:
            asked = _as_asked(file, demo=demo)
            _say(f"{asked}: valid ({len(spec.pairs.pairs())} pairs); next: xtr plan {asked}")
            for doubt in doubts(spec):
                _say(f"    warning: {doubt}")
    if problems:
        raise InputError(problems, note)


app.command(epilog="Example: xtr schema > sweep.schema.json")(schema)


@app.command(epilog="Example: xtr tasks xnli")
def tasks(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One task in full.")] = None,
    role: Annotated[str | None, typer.Option(help="Only intermediate or target tasks.")] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="XTR_DATA", help="Folder of official data; shows a row of a task.")
    ] = None,
    catalogue: Annotated[Path | None, typer.Option(help="A file with tasks of your own.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the tasks that xtr knows, or show one in full."""
    from dataclasses import asdict

    from xtr.analysis.catalogue import row_text, task_text, tasks_text

    if catalogue is not None:
        from xtr.spec.load import load_catalogue

        load_catalogue(catalogue)
    if role not in (None, "intermediate", "target"):
        raise InputError(Problem("unknown role", "--role", str(role), "intermediate, target"))
    if name is not None:
        task = find_task(name)
        text = task_text(task) + (f"\n{row_text(task, data)}" if data else "")
        _show({"schema_version": 1, **_listed(asdict(task))}, text, as_json=as_json)
        return
    chosen = [TASKS[each] for each in names(role)]  # type: ignore[arg-type]
    rows: list[JSON] = [_listed(asdict(task)) for task in chosen]
    _show({"schema_version": 1, "tasks": rows}, tasks_text(chosen), as_json=as_json)


@app.command(epilog="Example: xtr status demo")
def status(sweep: Sweep, root: Root = "runs", as_json: AsJson = False) -> None:
    """Show how far a sweep is, and what failed and why."""
    from xtr.analysis.answers.status import status_document, status_text
    from xtr.analysis.records.spending import spending_document, spending_text
    from xtr.analysis.records.trials import read_trials
    from xtr.stages.preflight import left_out_text, read_left_out
    from xtr.storage.lease import driver_lease, is_held

    spec, folder = _find(sweep, root)
    driven = is_held(spec.storage.workplace().store, driver_lease(spec.name))
    trials, left_out = read_trials(folder), read_left_out(folder)
    document: dict[str, JSON] = {
        **status_document(spec, trials),
        **spending_document(spec, folder),
        "left_out": list(left_out),
    }
    told = [left_out_text(left_out)] if left_out else []
    text = "\n".join([status_text(spec, trials, driven=driven), *told, spending_text(spec, folder)])
    _show(document, text, as_json=as_json)


@app.command(epilog="Example: xtr best demo --json")
def best(sweep: Sweep, root: Root = "runs", as_json: AsJson = False) -> None:
    """Show the leaderboard. Per target the best pair, its transfer over none, and its settings."""
    from xtr.analysis.answers.leaderboard import document, leaderboard
    from xtr.analysis.answers.leaderboard_text import leaderboard_text
    from xtr.analysis.records.trials import read_trials

    spec, folder = _find(sweep, root)
    trials = read_trials(folder)
    _show(document(spec, leaderboard(spec, trials)), leaderboard_text(spec, trials), as_json=as_json)


@app.command(epilog="Example: xtr evaluate demo --split test")
def evaluate(
    sweep: Sweep,
    root: Root = "runs",
    split: Annotated[str | None, typer.Option(help="test or dev; by default what the sweep says.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score the winners, or all of a design, in every language. Writes XTREME's prediction files."""
    spec, _ = _find(sweep, root)
    chosen = split or spec.stages.evaluate.split
    _one_of("--split", chosen, ("test", "dev"))
    from xtr.api import evaluate as evaluate_sweep
    from xtr.search.report import evaluation_document, evaluation_findings, evaluation_text

    evaluation = evaluate_sweep(spec, chosen, _hush if as_json else _say)  # type: ignore[arg-type]
    found = evaluation_findings(spec, evaluation)
    document, text = evaluation_document(spec, evaluation, found), evaluation_text(spec, evaluation, found)
    following = f"next: xtr report {spec.name}{_root_option(spec)} --to {spec.name}-report    (one page)"
    _show(document, f"{text}\n\n{following}", as_json=as_json)


@app.command(epilog="Example: xtr stage sweeps/demo.yaml --pair none:tatoeba")
def stage(  # noqa: PLR0913 (one option each)
    file: File,
    pair: Annotated[
        str, typer.Option(metavar="I:T", help="Intermediate and target, such as squad_v1:tydiqa.")
    ],
    param: Annotated[
        list[str],
        typer.Option(metavar="NAME=X", help="Value of a dimension, target.epochs=2; may be repeated."),
    ] = [],  # noqa: B006
    set_: Set = [],  # noqa: B006
    seed: Annotated[int | None, typer.Option(min=0, help="Of the training; by default the sweep's.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: the GPU where there is one.")] = "auto",
    evaluate: Annotated[bool, typer.Option("--evaluate", help="Score it in every language, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the stages of one trial without Ray. In this process, on one machine's processor or GPU."""
    spec = _load(file, set_)
    from xtr.stages.alone import Trial, alone_text, make_alone, read_pair, read_params

    spec.storage.workplace().check_writable()
    say = _hush if as_json else _say
    trial = Trial(read_pair(pair), read_params(param), seed)
    alone = make_alone(spec, trial, device=device, evaluate=evaluate, say=say)
    _show(alone.document(), alone_text(alone), as_json=as_json)


@app.command(epilog="Example: xtr score --predictions mine --labels gold --benchmark xtreme --json")
def score(
    predictions: Annotated[Path, typer.Option(help="Folder with <task>/test-<language>.<suffix>.")],
    labels: Annotated[Path, typer.Option(help="Folder with the same files, holding the gold.")],
    benchmark: Annotated[str, typer.Option(help="xtreme or xtreme-r.")] = "xtreme",
    languages: Annotated[
        str, typer.Option(help="all: every language that the benchmark counts; available: those with labels.")
    ] = "all",
    as_json: AsJson = False,
) -> None:
    """Score prediction files against label files, as XTREME does."""
    from xtr.analysis.official import official_document, official_text, score_folders

    _one_of("--benchmark", benchmark, ("xtreme", "xtreme-r"))
    _one_of("--languages", languages, ("all", "available"))
    scores = score_folders(predictions, labels, benchmark, languages)  # type: ignore[arg-type]
    document = official_document(scores, benchmark, languages)  # type: ignore[arg-type]
    text = official_text(scores, benchmark, languages)  # type: ignore[arg-type]
    _show(document, text, as_json=as_json)


app.command(epilog="Example: xtr export demo --to best --weights")(export)
app.command(epilog="Example: xtr results demo --to demo.csv")(results)
app.command(epilog="Example: xtr compare demo/squad_v1 demo/none")(compare)
app.command(epilog="Example: xtr findings demo --json")(findings)
app.command(epilog="Example: xtr report demo --to demo-report")(report)
app.command(epilog="Example: xtr ui demo")(ui)
app.command(epilog="Example: xtr doctor sweep.yaml")(doctor)


@data.command(epilog="Example: xtr data prepare sweeps/demo.yaml")
def prepare(file: File, set_: Set = [], skip_bad: SkipBad = None, as_json: AsJson = False) -> None:  # noqa: B006
    """Lock revisions, download, read and encode once what a sweep and its evaluation read."""
    spec = _load(file, set_, skip_bad)
    from xtr.stages.prepare import prepare_data, prepared_text

    spec.storage.workplace().check_writable()
    document = prepare_data(spec, _hush if as_json else _say)
    _show(document, f"{prepared_text(document)}\nnext: xtr run {file}", as_json=as_json)


@data.command(epilog="Example: xtr data check sweeps/demo.yaml --json")
def check(file: File, set_: Set = [], skip_bad: SkipBad = None, as_json: AsJson = False) -> None:  # noqa: B006
    """Look at a sweep's data: counts, labels, lengths in tokens, duplicates, rows that training and test share."""
    spec = _load(file, set_, skip_bad)
    from xtr.analysis.datacheck import check_data_of, check_text, token_counter
    from xtr.data.open import open_source

    place = spec.storage.workplace()
    place.check_readable()
    source = open_source(spec.data, place)
    document = check_data_of(spec, source, *token_counter(spec, source))
    _show(document, check_text(document), as_json=as_json)


@track.command(epilog="Example: xtr track sync demo")
def sync(sweep: Sweep, root: Root = "runs") -> None:
    """Write a sweep to MLflow again from its journal and its stages; what is there already stays as it is."""
    spec, _ = _find(sweep, root)
    from xtr.search.sync import sync_tracking

    _say(sync_tracking(spec))


def main() -> None:
    """Run the command line; errors are told in words and by exit code, never by a traceback."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except XtrError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except SystemExit as end:  # Typer's word for every other end, Ctrl-C included
        if end.code == INTERRUPTED:
            print("interrupted; the same command goes on from here", file=sys.stderr)  # noqa: T201
        raise


def _root_option(spec: SweepSpec) -> str:
    return "" if spec.storage.root == "runs" else f" --root {spec.storage.root}"


def _listed(values: dict[str, object]) -> dict[str, JSON]:
    """Turn sets and tuples into lists, for JSON."""
    document: dict[str, JSON] = json.loads(json.dumps(values, default=sorted))
    return document


if __name__ == "__main__":
    main()
