"""This is where it is known where MLflow keeps what it shows: which URI, and where artifacts lie beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from xtr.spec.sweep import SweepSpec

SQLITE = "sqlite:///"
DATABASES = ("postgresql", "mysql", "mssql")
SERVERS = ("http://", "https://")


def tracking_uri(spec: SweepSpec | None = None) -> str:
    """Return the tracking URI: the sweep file's, else MLFLOW_TRACKING_URI, else sqlite under mlruns/."""
    local = f"{SQLITE}{Path('mlruns').resolve() / 'mlflow.db'}"
    written = None if spec is None else spec.tracking.uri
    return written or os.environ.get("MLFLOW_TRACKING_URI") or local


def experiment_name(spec: SweepSpec) -> str:
    """Name the experiment that shows a sweep."""
    return spec.tracking.experiment or f"xtr/{spec.name}"


def database_file(uri: str) -> Path | None:
    """Return the file of an sqlite URI; None for any other."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def artifact_location(uri: str) -> str | None:
    """Put artifacts beside sqlite's file, of another database under mlruns/; a server decides for itself."""
    file = database_file(uri)
    if file is not None:
        return (file.resolve().parent / "artifacts").as_uri()
    return Path("mlruns/artifacts").resolve().as_uri() if uri.startswith(DATABASES) else None


def without_password(uri: str) -> str:
    """Write a URI as it may be shown."""
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", uri)


def naming_variable(spec: SweepSpec, env: Mapping[str, str]) -> SweepSpec:
    """Put `env:NAME` in the place of a URI with a password, where a variable holds it: a sweep to be kept."""
    uri = spec.tracking.uri
    names = sorted(name for name, value in env.items() if value == uri and name.isidentifier())
    if uri is None or uri == without_password(uri) or not names:
        return spec
    return spec.model_copy(update={"tracking": spec.tracking.model_copy(update={"uri": f"env:{names[0]}"})})
