"""This is where a sweep is shown in MLflow: sweep -> pair -> trial runs, nested by explicit parent.

MLflow is a view. Only the driver writes it, by run id, and a run is found again by its tags, so that a resumed
sweep adds to the runs it has. Weights stay in the stage store; runs carry a reference and a digest.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the default blocks a call for minutes
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.tracking import MlflowClient

from xtr.analysis.references import stage_keys
from xtr.analysis.trials import TrialRow
from xtr.errors import CorruptArtefact
from xtr.fingerprint import digest
from xtr.spec.dump import to_yaml
from xtr.spec.sweep import Pair, SweepSpec, TrackingSpec
from xtr.stages.store import Manifest, StageStore

for _name in ("mlflow", "alembic"):  # they tell of every table that they create
    logging.getLogger(_name).setLevel(logging.WARNING)

WEIGHTS = "encoder/model.safetensors"
PARENT, NAME = "mlflow.parentRunId", "mlflow.runName"
DATABASES = ("postgresql", "mysql", "mssql")
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "diverged": "FAILED", "failed": "FAILED"}


def tracking_uri(spec: SweepSpec) -> str:
    """Return the tracking URI: the sweep file's, else MLFLOW_TRACKING_URI, else sqlite under mlruns/."""
    local = f"sqlite:///{Path('mlruns').resolve() / 'mlflow.db'}"
    return spec.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or local


class Tracker:
    """Writes one sweep to MLflow.

    A store that cannot be reached never stops a sweep: the first failure is handed to `complain`, and what was
    not written is written by the next `xtr run` of the same sweep.
    """

    def __init__(self, spec: SweepSpec, complain: Callable[[str], None]) -> None:
        self.spec = spec
        self.complain = complain
        self.uri = tracking_uri(spec)
        self._store = StageStore(spec.storage.workplace())
        self._shown: dict[str, dict[str, float]] = {}
        self._ended: set[str] = set()
        self._works = True

    # -- what the sweep says ---------------------------------------------------------------------------

    def open(self, rows: list[TrialRow]) -> None:
        """Make experiment, sweep run and pair runs, and write the trials that are not there yet."""
        self._attempt(lambda: self._open(rows))

    def trial(self, row: TrialRow) -> None:
        """Write a trial that has ended."""
        if row.state != "running":
            self._attempt(lambda: self._write_trial(row))

    def scores(self, pair: Pair, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Write a winner's scores on its pair's run."""
        self._attempt(lambda: self._write(self._pair_run(pair), metrics=metrics, tags=tags))

    def summary(self, metrics: Mapping[str, float]) -> None:
        """Write the sweep's own figures, such as XTREME task scores."""
        self._attempt(lambda: self._write(self._sweep_run, metrics=metrics))

    def artifact(self, name: str, text: str) -> None:
        """Keep a text file with the sweep's run."""
        self._attempt(lambda: self._client.log_text(self._sweep_run, text, name))

    def close(self, status: str) -> None:
        """End the open runs: FINISHED, FAILED or KILLED."""
        self._attempt(lambda: self._close(status))

    @property
    def shown_at(self) -> str:
        """The tracking URI as it may be shown: without a password."""
        return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", self.uri)

    def _reason(self, error: Exception) -> str:
        """Say in a line what went wrong; libraries like to repeat the URI, password and all."""
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        return first.replace(self.uri, self.shown_at)

    # -- runs ------------------------------------------------------------------------------------------

    @cached_property
    def _client(self) -> MlflowClient:
        if self.uri.startswith("sqlite:///"):
            Path(self.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self.uri)

    @cached_property
    def _experiment(self) -> str:
        name = self.spec.tracking.experiment or f"xtr/{self.spec.name}"
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                self._client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=self._artifact_location()))

    @cached_property
    def _runs(self) -> dict[str, Run]:
        """The experiment's runs by their xtr.id tag; of those that MLflow has, what they show is noted."""
        runs: dict[str, Run] = {}
        token: str | None = None
        while True:
            page = self._client.search_runs([self._experiment], max_results=1000, page_token=token)
            runs.update({run.data.tags["xtr.id"]: run for run in page if "xtr.id" in run.data.tags})
            self._shown.update({run.info.run_id: dict(run.data.metrics) for run in page})
            token = page.token
            if not token:
                return runs

    @property
    def _sweep_run(self) -> str:
        tags = {"xtr.kind": "sweep", "xtr.sweep": self.spec.name, **self.spec.tags}
        return self._run("sweep", self.spec.name, tags)

    def _pair_run(self, pair: Pair) -> str:
        tags = {
            "xtr.kind": "pair",
            "xtr.sweep": self.spec.name,
            "xtr.intermediate": pair.intermediate,
            "xtr.target": pair.target,
        }
        name = f"{pair.intermediate} → {pair.target}"
        return self._run(f"pair {pair.intermediate} {pair.target}", name, tags, parent=self._sweep_run)

    def _run(self, identity: str, name: str, tags: Mapping[str, str], parent: str | None = None) -> str:
        if identity not in self._runs:
            own = {"xtr.id": identity, NAME: name, **({PARENT: parent} if parent else {}), **tags}
            self._runs[identity] = self._client.create_run(self._experiment, tags=own, run_name=name)
        return str(self._runs[identity].info.run_id)

    # -- writing ---------------------------------------------------------------------------------------

    def _open(self, rows: list[TrialRow]) -> None:
        self._client.set_terminated(self._sweep_run, "RUNNING")
        shown = self.spec.model_copy(update={"tracking": TrackingSpec()})  # its URI may hold a password
        self._client.log_text(self._sweep_run, to_yaml(shown), "sweep.yaml")
        for pair in self.spec.pairs.pairs():
            self._pair_run(pair)
        for row in rows:
            if row.state != "running":
                self._write_trial(row)

    def _write_trial(self, row: TrialRow) -> None:
        identity = _identity(row)
        if identity in self._ended or (
            identity in self._runs and self._runs[identity].info.status in STATUS.values()
        ):
            return
        name = f"{row.phase} {row.index:03d}" if row.phase == "search" else f"{row.phase} seed {row.seed}"
        trained = self._trained(row)
        tags = {
            "xtr.kind": "trial",
            "xtr.sweep": self.spec.name,
            "xtr.intermediate": row.intermediate,
            "xtr.target": row.target,
            "xtr.phase": row.phase,
            "xtr.seed": str(row.seed),
            "xtr.state": row.state,
            **(self._checkpoint(trained) if trained else {}),
        }
        run = self._run(identity, name, tags, parent=self._pair_run(row.pair))
        metrics = {"select/score": row.value, "select/rung": row.rung}
        spent = {name: row.detail.get(name) for name in ("steps", "tokens", "seconds")}
        numbers = {k: float(v) for k, v in (metrics | spent).items() if isinstance(v, (int, float))}
        told = row.state == "complete" and trained is not None and trained.key == stage_keys(row)[-1]
        epochs = dict(_epochs(trained)) if told and trained is not None else {}
        self._write(run, numbers, {k: f"{v:g}" for k, v in row.params.items()}, epochs=epochs)
        if "error" in row.detail:
            self._client.log_text(run, str(row.detail["error"]), "error.txt")
        self._client.set_terminated(run, STATUS[row.state])
        self._ended.add(identity)

    def _trained(self, row: TrialRow) -> Manifest | None:
        """Read the last stage of a trial that left an encoder."""
        for key in reversed(stage_keys(row)):
            try:
                manifest = self._store.read(key)
            except CorruptArtefact:
                continue
            if manifest is not None and WEIGHTS in manifest.files:
                return manifest
        return None

    def _checkpoint(self, trained: Manifest) -> dict[str, str]:
        """Refer to an encoder: where it lies, and the SHA-256 of its weights."""
        return {
            "xtr.stage_key": trained.key,
            "xtr.checkpoint_uri": self._store.uri(trained.key),
            "xtr.checkpoint_sha256": trained.files[WEIGHTS],
        }

    def _write(
        self,
        run: str,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        *,
        epochs: Mapping[int, Mapping[str, float]] | None = None,
    ) -> None:
        """Write what the run does not show yet, at once; of two values of one step MLflow shows the later one."""
        shown = self._shown.setdefault(run, {})
        now = time.time_ns() // 10**6
        new = []
        for step, values in {0: metrics or {}, **(epochs or {})}.items():
            named = {_metric(name): value for name, value in values.items()}
            new += [Metric(k, v, timestamp=now, step=step) for k, v in named.items() if shown.get(k) != v]
            if not step:
                shown |= named
        self._client.log_batch(
            run,
            metrics=new,
            params=[Param(name, value) for name, value in (params or {}).items()],
            tags=[RunTag(name, value) for name, value in (tags or {}).items()],
        )

    def _close(self, status: str) -> None:
        for pair in self.spec.pairs.pairs():
            self._client.set_terminated(self._pair_run(pair), status)
        self._client.set_terminated(self._sweep_run, status)

    def _artifact_location(self) -> str | None:
        """Put artifacts beside sqlite's file, of another database under mlruns/; a server decides for itself."""
        if self.uri.startswith("sqlite:///"):
            return (Path(self.uri.removeprefix("sqlite:///")).parent / "artifacts").as_uri()
        return Path("mlruns/artifacts").resolve().as_uri() if self.uri.startswith(DATABASES) else None

    def _attempt(self, write: Callable[[], object]) -> None:
        if not self._works:
            return
        try:
            with _undisturbed():
                write()
        except Exception as error:  # whatever a database or a server thinks of: this is a view
            self._works = False
            self.complain(f"MLflow at {self.shown_at} cannot be written ({self._reason(error)})")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put Ctrl-C off to the block's end, once: inside a transaction it would leave the database locked."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    struck: list[int] = []

    def note(number: int, frame: object) -> None:  # noqa: ARG001
        if struck:
            raise KeyboardInterrupt
        struck.append(number)

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in struck:  # whoever listened before is told now
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, None)


def _epochs(trained: Manifest) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield each epoch of a training stage with its select scores by `select/<task>/<metric>`."""
    parts, epochs = trained.recipe["parts"], trained.result["epochs"]
    assert isinstance(parts, list)
    assert isinstance(epochs, list)
    [task] = [part["task"] for part in parts if isinstance(part, dict)]
    for epoch in epochs:
        assert isinstance(epoch, dict)
        scores: Any = epoch["scores"]
        yield int(str(epoch["epoch"])), {f"select/{task}/{name}": value for name, value in scores.items()}


def _identity(row: TrialRow) -> str:
    """Name a trial by its settings, whatever study it stands in by now; attempts that failed stand apart."""
    attempt = f" attempt {row.number}" if row.state == "failed" else ""
    settings = digest({**row.params})[:12]
    return f"trial {row.intermediate} {row.target} {row.phase} seed{row.seed} {settings}{attempt}"


def _metric(name: str) -> str:
    """Keep to the signs that MLflow takes: `select/tydiqa@en,sw` becomes `select/tydiqa:en-sw`."""
    return name.replace("@", ":").replace(",", "-").replace("+", "_").replace(">", "_")
