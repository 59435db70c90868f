"""This is where what MLflow shows of a sweep is rebuilt from the sources of truth: its journal and its stages."""

from __future__ import annotations

from xtr.analysis.records.references import JOURNAL
from xtr.analysis.records.scores import read_scores
from xtr.analysis.records.trials import read_trials
from xtr.errors import InputError, Problem, XtrError
from xtr.search.book import read_journal
from xtr.search.report import track_evaluation
from xtr.search.sweep import hold_sweep
from xtr.spec.sweep import SweepSpec
from xtr.track.mlflow import Tracker


def sync_tracking(spec: SweepSpec) -> str:
    """Write to MLflow what it does not have of a sweep, and trials.jsonl anew; say what there is now.

    Runs are found by their `xtr.id`, so it may be called at any time and any number of times.

    Raises:
        InputError: the sweep has no journal.
        SweepBusy: a driver runs the sweep, and writes to MLflow itself.
        XtrError: MLflow cannot be written.
    """
    with hold_sweep(spec.storage.workplace(), spec.name, _refuse) as held:
        folder = held.folder
        if not (folder / JOURNAL).exists():
            raise InputError(
                Problem("this sweep has no journal to read its trials from", str(folder / JOURNAL))
            )
        attempts = read_journal(spec, folder)
        trials = read_trials(folder)
        tracker = Tracker(spec, complain=_refuse)
        tracker.open(attempts)
        tracker.leaderboard(trials)
        scores = read_scores(folder)
        for split in dict.fromkeys(row.split for row in scores):  # the last one that was evaluated comes last
            track_evaluation(spec, [row for row in scores if row.split == split], _refuse)
        unfinished = any(row.state == "running" for row in trials)
        tracker.close("KILLED" if unfinished else "FINISHED")
    shown = sum(row.state != "running" for row in attempts)
    return f"MLflow shows {shown} trials and {len(scores)} scores of {spec.name}: {tracker.shown_at}"


def _refuse(message: str) -> None:
    raise XtrError(message)
