"""The room for MLflow: how a sweep is shown."""
