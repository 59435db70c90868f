"""This is where MLflow is asked whether it answers, before a sweep relies on it."""

from __future__ import annotations

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from xtr.track.where import database_file


def reach(uri: str) -> str:
    """Ask a tracking store for its experiments and say in words what is there; nothing is made.

    Raises:
        OSError: it does not answer, with the reason.
    """
    file = database_file(uri)
    if file is not None and not file.exists():
        return "made at the first run"
    try:
        found = MlflowClient(tracking_uri=uri).search_experiments()
    except MlflowException as error:
        first = str(error).splitlines()[0]
        raise OSError(first.partition(" failed with exception")[0]) from error
    return f"{len(found)} experiments"
