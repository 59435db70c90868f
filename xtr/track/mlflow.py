"""This is where a sweep is shown in MLflow: sweep -> pair -> trial runs, nested by explicit parent.

MLflow is a view. Only the driver writes it, by run id, and a run is found again by its tags, so that a resumed
sweep adds to the runs it has. Weights stay in the stage store; runs carry a reference and a digest.

What is shown can be rebuilt from the journal and the stages (`xtr track sync`). That is why the machine's load is
not sampled into it: MLflow's system metrics would be lost with the database, and be those of the driver, which
trains nothing. What training took stands in each trial's steps, tokens and seconds, which its stages remember.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.tracking import MlflowClient

from xtr.analysis.answers.leaderboard import Row, best_rows, leaderboard
from xtr.analysis.answers.leaderboard_text import leaderboard_text
from xtr.analysis.records.references import stage_keys
from xtr.analysis.records.trials import TrialRow
from xtr.errors import CorruptArtefact
from xtr.fingerprint import digest
from xtr.spec.dump import to_yaml
from xtr.spec.sweep import Pair, SweepSpec, TrackingSpec
from xtr.stages.store import Manifest, StageStore
from xtr.track.looks import (
    NOTE,
    PLACE,
    SAME_SETTINGS,
    TRANSFER,
    VIEW,
    DataSet,
    data_sets,
    epoch_scores,
    experiment_note,
    failure_note,
    metric_name,
    pair_name,
    run_name,
    sweep_note,
    views,
    winner_note,
)
from xtr.track.undisturbed import undisturbed
from xtr.track.where import (
    artifact_location,
    database_file,
    experiment_name,
    tracking_uri,
    without_password,
)

for _name in ("mlflow", "alembic"):  # they tell of every table that they create
    logging.getLogger(_name).setLevel(logging.WARNING)

WEIGHTS = "encoder/model.safetensors"
PARENT, NAME, SOURCE = "mlflow.parentRunId", "mlflow.runName", "mlflow.source.name"
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "diverged": "FAILED", "failed": "FAILED"}


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

    def leaderboard(self, trials: Sequence[TrialRow]) -> None:
        """Write what the sweep has come to so far: winners on their pairs' runs, each target's best on its own."""
        self._attempt(lambda: self._write_leaderboard(trials))

    def scores(self, pair: Pair, metrics: Mapping[str, float]) -> None:
        """Write a winner's scores on its pair's run."""
        self._attempt(lambda: self._write(self._pair_run(pair), metrics=metrics))

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
        return without_password(self.uri)

    def _reason(self, error: Exception) -> str:
        """Say in a line what went wrong; libraries like to repeat the URI, password and all."""
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        return first.replace(self.uri, self.shown_at)

    # -- runs ------------------------------------------------------------------------------------------

    @cached_property
    def _client(self) -> MlflowClient:
        file = database_file(self.uri)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self.uri)

    @cached_property
    def _experiment(self) -> str:
        name = experiment_name(self.spec)
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                self._client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=artifact_location(self.uri)))

    def _describe_experiment(self) -> None:
        """Say what the experiment is, what counts in it, and how its runs table looks."""
        found = self._client.get_experiment(self._experiment)
        wanted = {
            NOTE: experiment_note(self.spec, self._experiment),
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.experiment.primaryMetric.name": "select/score",
            "mlflow.experiment.primaryMetric.greaterIsBetter": "True",
            **{VIEW + name: view for name, view in views(self.spec, found.creation_time).items()},
        }
        for name, value in wanted.items():
            if found.tags.get(name) != value:
                self._client.set_experiment_tag(self._experiment, name, value)

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
        tags = {"xtr.kind": "sweep", "xtr.sweep": self.spec.name, **self.spec.tags, **self._select_on}
        return self._run("sweep", self.spec.name, tags)

    @property
    def _select_on(self) -> dict[str, str]:
        """Mark scores that trials were not given by the select split."""
        return {f"xtr.{name}": value for name, value in self.spec.search.mark.items()}

    def _pair_run(self, pair: Pair) -> str:
        tags = {
            "xtr.kind": "pair",
            "xtr.sweep": self.spec.name,
            "xtr.intermediate": pair.intermediate,
            "xtr.target": pair.target,
            **self._select_on,
        }
        identity = f"pair {pair.intermediate} {pair.target}"
        return self._run(identity, pair_name(pair), tags, parent=self._sweep_run)

    def _run(self, identity: str, name: str, tags: Mapping[str, str], parent: str | None = None) -> str:
        if identity not in self._runs:
            own = {
                "xtr.id": identity,
                NAME: name,
                SOURCE: "xtr",
                **({PARENT: parent} if parent else {}),
                **tags,
            }
            self._runs[identity] = self._client.create_run(self._experiment, tags=own, run_name=name)
        return str(self._runs[identity].info.run_id)

    # -- writing ---------------------------------------------------------------------------------------

    def _open(self, rows: list[TrialRow]) -> None:
        self._describe_experiment()
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
        trained = self._trained(row)
        tags = {
            "xtr.kind": "trial",
            "xtr.sweep": self.spec.name,
            "xtr.intermediate": row.intermediate,
            "xtr.target": row.target,
            "xtr.phase": row.phase,
            "xtr.seed": str(row.seed),
            "xtr.state": row.state,
            **self._select_on,
            **({"xtr.collapsed": ", ".join(row.collapsed)} if row.collapsed else {}),
            **(self._checkpoint(trained) if trained else {}),
        }
        run = self._run(identity, run_name(row), tags, parent=self._pair_run(row.pair))
        metrics = {"select/score": row.value, "select/rung": row.rung}
        spent = {name: row.detail.get(name) for name in ("steps", "tokens", "seconds")}
        numbers = {k: float(v) for k, v in (metrics | spent).items() if isinstance(v, (int, float))}
        told = row.state == "complete" and trained is not None and trained.key == stage_keys(row)[-1]
        epochs = dict(epoch_scores(trained)) if told and trained is not None else {}
        self._write(run, numbers, {k: f"{v:g}" for k, v in row.params.items()}, epochs=epochs)
        if "error" in row.detail:
            self._client.log_text(run, str(row.detail["error"]), "error.txt")
            self._client.set_tag(run, NOTE, failure_note(row.detail["error"]))
        self._client.set_terminated(run, STATUS[row.state])
        self._ended.add(identity)

    def _write_leaderboard(self, trials: Sequence[TrialRow]) -> None:
        ranked = leaderboard(self.spec, trials)
        for place, row in enumerate(ranked, 1):
            run = self._pair_run(Pair(row.intermediate, row.target))
            metrics = {
                "select/score": row.score,
                PLACE: float(place),
                TRANSFER: row.transfer,
                SAME_SETTINGS: row.transfer_same_settings,
            }
            tags = {f"xtr.best.{name}": f"{value:g}" for name, value in row.config.items()}
            tags |= self._select_on
            tags |= {"xtr.seeds": ", ".join(map(str, row.seeds)), NOTE: winner_note(self.spec, row)}
            shown = {name: round(each, 4) for name, each in metrics.items() if each is not None}
            self._write(run, shown, tags=tags)
            self._write_data_sets(run, data_sets(self._stages_of(row, trials)))
        best = {f"select/{row.target}": row.score for row in best_rows(ranked)}
        note = sweep_note(self.spec, leaderboard_text(self.spec, trials))
        self._write(self._sweep_run, best, tags={NOTE: note, **self._select_on})

    def _stages_of(self, row: Row, trials: Sequence[TrialRow]) -> Iterator[Manifest]:
        """Read the stages of a winner at its first seed."""
        own = (Pair(row.intermediate, row.target), row.config, row.seeds[0])
        for trial in trials:
            if trial.state == "complete" and (trial.pair, trial.params, trial.seed) == own:
                yield from self._manifests(stage_keys(trial))
                return

    def _write_data_sets(self, run: str, found: Sequence[DataSet]) -> None:
        """Name the data that a run has read; MLflow keeps each once."""
        inputs = [
            DatasetInput(
                Dataset(each.name, each.digest, "xtr", ", ".join(each.identities)),
                [InputTag("mlflow.data.context", each.context)],
            )
            for each in found
        ]
        if inputs:
            self._client.log_inputs(run, datasets=inputs)

    def _manifests(self, keys: Sequence[str]) -> Iterator[Manifest]:
        """Read stages that are there and whole."""
        for key in keys:
            with suppress(CorruptArtefact):
                manifest = self._store.read(key)
                if manifest is not None:
                    yield manifest

    def _trained(self, row: TrialRow) -> Manifest | None:
        """Read the last stage of a trial that left an encoder."""
        found = self._manifests(stage_keys(row)[::-1])
        return next((each for each in found if WEIGHTS in each.files), None)

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
            named = {metric_name(name): value for name, value in values.items()}
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

    def _attempt(self, write: Callable[[], object]) -> None:
        if not self._works:
            return
        try:
            with undisturbed():
                write()
        except Exception as error:  # whatever a database or a server thinks of: this is a view
            self._works = False
            self.complain(f"MLflow at {self.shown_at} cannot be written ({self._reason(error)})")


def _identity(row: TrialRow) -> str:
    """Name a trial by its settings, whatever study it stands in by now; attempts that failed stand apart."""
    attempt = f" attempt {row.number}" if row.state == "failed" else ""
    settings = digest({**row.params})[:12]
    scored = "" if row.scored_on == "select" else f" {row.scored_on}"
    return f"trial {row.intermediate} {row.target} {row.phase} seed{row.seed} {settings}{attempt}{scored}"
