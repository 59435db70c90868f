"""This is where xtr is used from Python: what the commands do, as functions of a sweep.

    from xtr import best, export, load_sweep, plan, run

    sweep = load_sweep("sweeps/demo.yaml", ["search.trials_per_pair=2"])
    print(plan(sweep).trials)
    run(sweep)
    for row in best(sweep):
        print(row.target, row.intermediate, row.transfer)
    export(sweep, "best")

`docs/python.md` shows them at work. They raise what the commands tell in words: `InputError` of `xtr.errors` where
input is wrong, other `XtrError`s where the world is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from xtr.asked import find

if TYPE_CHECKING:
    import pandas

    from xtr.analysis.answers.leaderboard import Row
    from xtr.analysis.findings.verdicts import Finding
    from xtr.analysis.planning.plan import Plan
    from xtr.catalogue.task import Split
    from xtr.search.evaluation import Evaluation
    from xtr.search.sweep import SweepOutcome
    from xtr.spec.sweep import SweepSpec

Say = Callable[[str], None]


def load_sweep(file: str | PathLike[str], overrides: Sequence[str] = (), *, demo: bool = False) -> SweepSpec:
    """Read and check a sweep file or an exported config.

    Args:
        overrides: `a.b=c` each, as `--set` takes them.
        demo: take its form on the demo world, as `--demo` does.

    Raises:
        InputError: everything that is wrong, with file and line.
    """
    from xtr.spec.load import load_sweep as load

    return load(Path(file), overrides, demo=demo)


def open_sweep(name: str, root: str = "runs") -> SweepSpec:
    """Find a sweep that was run, by its name below a storage root.

    Raises:
        InputError: there is none of this name.
    """
    return find(name, root)[0]


def plan(sweep: SweepSpec, *, gpus: Sequence[int] = ()) -> Plan:
    """Tell the price of a sweep before it runs: stages, tokens, hours, money, disk and wall time.

    Args:
        gpus: numbers of GPUs for which the wall time is wanted, too.
    """
    from xtr.analysis.planning.plan import plan_now

    return plan_now(sweep, gpus=gpus)[0]


def run(sweep: SweepSpec, say: Say = print) -> SweepOutcome:
    """Run a sweep to its end, or go on with it; nothing finished is done again.

    Raises:
        InputError: storage, data or model are not as the sweep says; nothing has been started.
        SweepBusy: another driver runs this sweep.
    """
    from xtr.search.sweep import run_sweep

    return run_sweep(sweep, say)


def evaluate(sweep: SweepSpec, split: Split | None = None, say: Say = print) -> Evaluation:
    """Score what the sweep has found in every language; None takes the split that the sweep names.

    Raises:
        InputError: nothing has finished yet, or a language's file is missing or malformed.
    """
    from xtr.search.evaluation import evaluate_sweep
    from xtr.search.report import track_evaluation

    evaluation = evaluate_sweep(sweep, split or sweep.stages.evaluate.split, say)
    track_evaluation(sweep, evaluation.rows, say)
    return evaluation


def best(sweep: SweepSpec) -> list[Row]:
    """List the leaderboard: the pairs of each target, best first, with what they transfer; scores in [0, 1]."""
    from xtr.analysis.answers.leaderboard import leaderboard
    from xtr.analysis.records.trials import read_trials

    return leaderboard(sweep, read_trials(_folder(sweep)))


def results(sweep: SweepSpec) -> pandas.DataFrame:
    """Give every score as one long table: a row a pair, seed, split, language and metric; values in [0, 1]."""
    from xtr.analysis.records.results import results_of, results_table

    return results_table(results_of(_folder(sweep)))


def findings(sweep: SweepSpec, split: Split | None = None) -> list[Finding]:
    """Give the sweep's contrasts their verdicts; on the split that was evaluated, unless you say which."""
    from xtr.analysis.findings.verdicts import findings_of
    from xtr.analysis.records.results import results_of

    return findings_of(sweep, results_of(_folder(sweep)), split)


def export(sweep: SweepSpec, to: str | PathLike[str], *, weights: bool = False) -> list[Path]:
    """Write the best config of each target as a file that `run` reruns to the same score; return the paths.

    Args:
        weights: write a folder a target beside it, too, which transformers loads, and return those as well.

    Raises:
        InputError: weights are asked for that are no longer stored.
    """
    from xtr.analysis.export.config import export_best
    from xtr.analysis.records.scores import read_scores
    from xtr.analysis.records.trials import read_trials

    folder = _folder(sweep)
    paths = export_best(sweep, read_trials(folder), read_scores(folder), Path(to))
    if not weights:
        return paths
    from xtr.analysis.export.folder import export_models

    return [*paths, *(model.folder for model in export_models(sweep, folder, Path(to)))]


def _folder(sweep: SweepSpec) -> Path:
    place = sweep.storage.workplace()
    place.check_readable()
    return place.read_sweep(sweep.name)
