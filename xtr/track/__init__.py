"""The room for MLflow: how a sweep is shown."""

import os

# Read when MLflow is imported. By its own defaults a server that does not answer blocks a call for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
