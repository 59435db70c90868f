"""This is where the sweep's studies stand side by side: whose turn it is, and when all is done.

The book knows nothing of Ray. It hands out jobs and takes results; `searcher` puts it behind Tune's interface.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xtr.analysis.leaderboard import winners
from xtr.analysis.references import JOURNAL
from xtr.analysis.trials import State, TrialRow, append_trial, write_trials
from xtr.fingerprint import JSON
from xtr.search.optuna_space import open_storage
from xtr.search.study import Job, PairStudy
from xtr.spec.sweep import Pair, SweepSpec

Listener = Callable[[TrialRow], None]


def read_journal(spec: SweepSpec, folder: Path) -> list[TrialRow]:
    """Read every attempt at a trial from a sweep's journal and write the trials' view anew; nothing else changes.

    The caller holds the sweep. What a driver had under way when it was killed is in the journal alone until then.
    """
    storage = open_storage(folder / JOURNAL)
    studies = [PairStudy(spec, pair, storage, retry=False) for pair in spec.pairs.pairs()]
    write_trials(folder, [row for study in studies for row in study.rows])
    return [row for study in studies for row in study.attempts]


class Book:
    """All studies of a sweep over one Optuna storage, and what this driver's jobs have spent.

    Args:
        folder: the sweep's folder; the journal and the trials' view live there.
        listener: told of every trial that pauses or ends.
    """

    def __init__(self, spec: SweepSpec, folder: Path, listener: Listener | None = None) -> None:
        self.spec = spec
        self.folder = folder
        self.listener = listener
        storage = open_storage(folder / JOURNAL)
        self.studies = {pair: PairStudy(spec, pair, storage) for pair in spec.pairs.pairs()}
        self.steps = 0
        self.seconds = 0.0
        self._in_flight: set[tuple[Pair, int]] = set()
        write_trials(folder, self.rows)

    @property
    def rows(self) -> list[TrialRow]:
        """Every trial of every pair."""
        return [row for study in self.studies.values() for row in study.rows]

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not self._in_flight and self._next() is None

    @property
    def n_in_flight(self) -> int:
        """Jobs that were handed out and have not come back."""
        return len(self._in_flight)

    def next_job(self) -> Job | None:
        """Hand out the next job; None while all pairs wait for results, or at the end."""
        job = self._next()
        if job is not None:
            self._in_flight.add((job.pair, job.number))
        return job

    def report(self, job: Job, state: State, value: float | None, detail: dict[str, JSON]) -> None:
        """Take a job's result: `running` with a value is the end of a first leg."""
        self._in_flight.discard((job.pair, job.number))
        self.steps += int(_number(detail.get("steps")))
        self.seconds += _number(detail.get("seconds"))
        study = self.studies[job.pair]
        before = list(study.rows)
        if state == "running":
            assert value is not None
            study.report_rung(job.number, value, detail)
        else:
            study.finish(job.number, state, value, detail)
        for row, earlier in zip(study.rows, before, strict=True):
            if row != earlier:
                append_trial(self.folder, row)
                if self.listener is not None:
                    self.listener(row)

    def _next(self) -> Job | None:
        """Take turns: the pair with the fewest trials handed out goes first, ties in the file's order."""
        order = sorted(self.studies.values(), key=lambda study: len(study.rows))
        for study in order:
            flying = {number for pair, number in self._in_flight if pair == study.pair}
            job = study.next_job(flying)
            if job is not None:
                return job
        return self._next_control()

    def _next_control(self) -> Job | None:
        """Train `none` at each winner's target settings and seeds, once its pair is done."""
        for pair, best in winners(self.spec, self.rows).items():
            baseline = self.studies[Pair("none", pair.target)]
            if not (self.studies[pair].done and baseline.done):
                continue
            params = {name: value for name, value in best.params.items() if name.startswith("target.")}
            for seed in best.seeds:
                job = baseline.control(params, seed)
                if job is not None:
                    return job
        return None


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
