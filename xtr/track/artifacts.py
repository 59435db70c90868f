"""This is where files that were made of a sweep are laid beside its run in MLflow, such as its report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from xtr.spec.sweep import SweepSpec
from xtr.track.where import database_file, experiment_name, tracking_uri, without_password

SWEEP_RUN = "tags.`xtr.id` = 'sweep'"


def log_files(
    spec: SweepSpec, folder: Path, files: Iterable[str], under: str, complain: Callable[[str], None]
) -> str | None:
    """Lay files of a folder under a name beside the sweep's run; a sweep that MLflow does not show is left alone.

    Only the sweep's own run is looked for, however many trials there are.

    Returns:
        Where MLflow shows it, without a password; None where it does not.
    """
    uri = tracking_uri(spec)
    shown_at, database = without_password(uri), database_file(uri)
    if (
        database is not None and not database.exists()
    ):  # nothing was tracked here, and MLflow loads for seconds
        return None
    from mlflow.tracking import MlflowClient

    try:
        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name(experiment_name(spec))
        runs = client.search_runs([experiment.experiment_id], SWEEP_RUN, max_results=1) if experiment else []
        if not runs:
            return None
        for name in files:
            place = (Path(under) / name).parent.as_posix()
            client.log_artifact(runs[0].info.run_id, str(folder / name), place)
    except Exception as error:  # whatever a database or a server thinks of: this is a view
        complain(f"MLflow at {shown_at} cannot be written ({type(error).__name__})")
        return None
    return shown_at
