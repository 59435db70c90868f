"""This is where files that were made of a sweep are laid beside its run in MLflow, such as its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlflow.tracking import MlflowClient

from xtr.spec.sweep import SweepSpec
from xtr.track.mlflow import Tracker
from xtr.track.where import database_file, experiment_name

SWEEP_RUN = "tags.`xtr.id` = 'sweep'"


def log_folder(spec: SweepSpec, folder: Path, name: str, complain: Callable[[str], None]) -> str | None:
    """Lay a folder's files under a name beside the sweep's run; a sweep that MLflow does not show is left alone.

    Only the sweep's own run is looked for, however many trials there are.

    Returns:
        Where MLflow shows it, without a password; None where it does not.
    """
    tracker = Tracker(spec, complain)
    file = database_file(tracker.uri)
    if file is not None and not file.exists():  # nothing was tracked here
        return None
    try:
        client = MlflowClient(tracking_uri=tracker.uri)
        experiment = client.get_experiment_by_name(experiment_name(spec))
        runs = client.search_runs([experiment.experiment_id], SWEEP_RUN, max_results=1) if experiment else []
        if not runs:
            return None
        client.log_artifacts(runs[0].info.run_id, str(folder), name)
    except Exception as error:  # whatever a database or a server thinks of: this is a view
        complain(f"MLflow at {tracker.shown_at} cannot be written ({type(error).__name__})")
        return None
    return tracker.shown_at
