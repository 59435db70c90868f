"""This is where the sweep's studies stand side by side: whose turn it is, and when all is done.

The book knows nothing of Ray. It hands out jobs and takes results; `searcher` puts it behind Tune's interface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from xtr.analysis.records.references import JOURNAL
from xtr.analysis.records.trials import State, TrialRow, append_trial, winner, write_trials
from xtr.faults import fault
from xtr.fingerprint import JSON
from xtr.search.adoption import adopt_trials
from xtr.search.optuna_space import Params, open_storage
from xtr.search.proposals import teachers_of
from xtr.search.study import Job, PairStudy
from xtr.search.unmet import Unmet
from xtr.spec.budget import searches
from xtr.spec.sweep import Pair, SweepSpec

Listener = Callable[[TrialRow], None]


def read_journal(spec: SweepSpec, folder: Path) -> list[TrialRow]:
    """Read every attempt at a trial from a sweep's journal and write the trials' view anew.

    The caller holds the sweep. What a driver had under way when it was killed is in the journal alone until then,
    and what a changed sweep file keeps of earlier trials is taken over as the next run would.
    """
    storage = open_storage(folder / JOURNAL)
    studies = [PairStudy(spec, pair, storage) for pair in spec.pairs.pairs()]
    adopt_trials(storage, studies)
    write_trials(folder, [row for study in studies for row in study.rows])
    return [row for study in studies for row in study.attempts]


class Book:
    """All studies of a sweep over one Optuna storage, and what this driver's jobs have spent.

    Args:
        folder: the sweep's folder; the journal and the trials' view live there.
        listener: told of every trial that pauses or ends.
        unmet: says which stages are missing, so that trials whose missing stages differ start first; None lets
            every trial start in its turn.
    """

    def __init__(
        self,
        spec: SweepSpec,
        folder: Path,
        listener: Listener | None = None,
        unmet: Unmet | None = None,
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.listener = listener
        self.unmet = unmet
        storage = open_storage(folder / JOURNAL)
        self.studies: dict[Pair, PairStudy] = {}
        for pair in spec.pairs.pairs():  # a pair's teachers stand before it
            teachers = {stage: self.studies[each] for stage, each in teachers_of(spec, pair).items()}
            self.studies[pair] = PairStudy(spec, pair, storage, teachers)
        adopt_trials(storage, self.studies.values())
        for study in self.studies.values():
            study.begin()
        self.steps = 0
        self.seconds = 0.0
        self._in_flight: dict[tuple[Pair, int], Job] = {}
        self._owed_controls: dict[Pair, list[tuple[Params, int]]] = {}
        self._searched = searches(spec)
        write_trials(folder, self.rows)

    @property
    def rows(self) -> list[TrialRow]:
        """Every trial of every pair."""
        return [row for study in self.studies.values() for row in study.rows]

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not self._in_flight and next(self._offers(), None) is None

    @property
    def n_in_flight(self) -> int:
        """Jobs that were handed out and have not come back."""
        return len(self._in_flight)

    def next_job(self) -> Job | None:
        """Hand out the next job; None while all wait for what is in flight, or at the end."""
        flying = list(self._in_flight.values())
        for job in self._offers():
            if self.unmet is None or not flying or not self.unmet.must_wait(job, flying):
                self.studies[job.pair].take(job)
                self._in_flight[job.pair, job.number] = job
                return job
        return None

    def report(self, job: Job, state: State, value: float | None, detail: dict[str, JSON]) -> None:
        """Take a job's result: `running` with a value is the end of a leg that is not the last."""
        self._take_in(job, detail)
        study = self.studies[job.pair]
        if state == "running":
            assert value is not None
            changed = study.report_rung(job.number, value, detail)
        else:
            changed = study.finish(job.number, state, value, detail)
        fault("book.before_trials_file")
        for row in changed:
            append_trial(self.folder, row)
            if self.listener is not None:
                self.listener(row)

    def put_back(self, job: Job, detail: dict[str, JSON]) -> None:
        """Take a job back that was asked to stop: its trial goes on running, in the next run."""
        self._take_in(job, detail)
        append_trial(self.folder, self.studies[job.pair].put_back(job.number, detail))

    def _take_in(self, job: Job, detail: dict[str, JSON]) -> None:
        del self._in_flight[job.pair, job.number]
        self.steps += int(_number(detail.get("steps")))
        self.seconds += _number(detail.get("seconds"))

    def _offers(self) -> Iterator[Job]:
        """Take turns: the pair with the fewest trials handed out goes first, ties in the file's order."""
        flying: dict[Pair, set[int]] = {}
        for pair, number in self._in_flight:
            flying.setdefault(pair, set()).add(number)
        for study in sorted(self.studies.values(), key=lambda each: each.n_trials):
            yield from study.offers(flying.get(study.pair, set()))
        for pair in self.studies:
            yield from self._controls(pair)

    def _controls(self, pair: Pair) -> Iterator[Job]:
        """Train `none` at the winner's target settings and seeds, once its pair and `none` are done."""
        study, baseline = self.studies[pair], self.studies[Pair("none", pair.target)]
        if not (study.done and baseline.done):
            return
        if pair not in self._owed_controls:
            best = winner(study.rows, self.spec.search.confirm.top, searched=self._searched)
            self._owed_controls[pair] = (
                [] if best is None else [(best.target_params, seed) for seed in best.seeds]
            )
        owed = self._owed_controls[pair]
        while owed:
            job = baseline.control(*owed[0])
            if job is None:  # it was asked for before
                owed.pop(0)
                continue
            yield job
            return


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
