"""This is where a pair's Optuna study is served: what is next in it, and what has happened.

Trials are proposed by generations (`proposals`), run in legs where weak ones stop early (`legs`), and the best are
confirmed on other seeds. A study offers jobs without writing anything; a job that is taken is written (`record`)
as one RUNNING trial in one line of the journal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, create_trial

from xtr.analysis.planning.changes import scored_stages
from xtr.analysis.records.trials import Phase, State, TrialRow, finalists
from xtr.faults import fault
from xtr.fingerprint import JSON, digest
from xtr.search.legs import Legs
from xtr.search.optuna_space import PairSpace
from xtr.search.proposals import Proposer
from xtr.search.record import FINISHED, Record
from xtr.spec.budget import search_trials
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec


@dataclass(frozen=True, slots=True)
class Job:
    """What a Tune trial is asked to do: one trial, or a leg of it that ends when `until_epoch` is set."""

    pair: Pair
    number: int
    phase: Phase
    params: dict[str, Value]
    seed: int
    until_epoch: int | None


class PairStudy:
    """The Optuna study of one pair and what is next in it.

    Args:
        teachers: the studies whose winners this one tries, by the prefix of what it takes from them.
    """

    def __init__(
        self,
        spec: SweepSpec,
        pair: Pair,
        storage: BaseStorage,
        teachers: Mapping[str, PairStudy] | None = None,
    ) -> None:
        self.spec = spec
        self.pair = pair
        self.space = PairSpace(spec, pair)
        self.n_search = search_trials(spec, pair)
        self._legs = Legs(spec, pair)
        self._teachers = {
            prefix: study
            for prefix, study in (teachers or {}).items()
            if any(name.startswith(prefix) for name in self.space.names)
        }
        self._proposer = Proposer(spec, pair, self.space, self._shown, taught=bool(self._teachers))
        self._cleared: dict[int, int] = {}  # by number: rungs past which a trial may go on
        self._peeked: list[TrialRow] = []  # proposals that nobody has taken yet
        self.study = optuna.create_study(
            study_name=self._name(), storage=storage, direction="maximize", load_if_exists=True
        )
        self.reload()

    def begin(self) -> None:
        """Start failed trials again, and make up for verdicts that a driver has died before."""
        for row in self.rows:
            if row.state == "failed":
                self.record.create(row.params, row.phase, row.seed, of=row.of, index=row.index)
        for row in self.record.unended("search"):
            self._settle(row)

    def reload(self) -> None:
        """Read the study's trials from the storage."""
        self.record = Record(self.study, self.pair, self.space)

    # -- what is next ----------------------------------------------------------------------------------

    @property
    def rows(self) -> list[TrialRow]:
        """The study's trials; one that failed and was started again by a later run counts once."""
        return self.record.rows

    @property
    def n_trials(self) -> int:
        """How many trials the study has had."""
        return self.record.count()

    @property
    def attempts(self) -> list[TrialRow]:
        """The study's trials, those that failed and were started again included."""
        return list(self.record.trials)

    def offers(self, in_flight: set[int]) -> Iterator[Job]:
        """Offer the jobs that could be done now, in order; nothing is written before one is taken.

        Args:
            in_flight: numbers of the trials that are being worked on.
        """
        for number in sorted(self.record.running - in_flight):
            job = self._continue(self.record.trials[number])
            if job is not None:
                yield job
        yield from self._proposals()
        if self.search_done:
            yield from self._confirmations()

    def take(self, job: Job) -> None:
        """Write an offered job's trial, and those that come before it, unless they are written already."""
        while len(self.record.trials) <= job.number:
            if job.phase == "search":
                self.record.create(self._peeked.pop(0).params, "search", job.seed)
            elif job.phase == "confirm":
                of, seed = self._unconfirmed()[0]
                self.record.create(of.params, "confirm", seed, of=of.number)
            else:
                self.record.create(job.params, "control", job.seed)

    @property
    def search_done(self) -> bool:
        """Whether every search trial has come to an end."""
        return self.record.count("search") >= self.n_search and not self.record.unended("search")

    @property
    def done(self) -> bool:
        """Whether search and confirmation have come to an end."""
        return self.search_done and not self.record.unended("confirm") and not self._unconfirmed()

    def control(self, params: dict[str, Value], seed: int) -> Job | None:
        """Offer these settings at this seed, unless a trial of the study comes or came to its end with them."""
        same = (row for row in self.rows if row.params == params and row.seed == seed)
        if any(row.state != "pruned" for row in same):
            return None
        return Job(self.pair, len(self.record.trials), "control", params, seed, None)

    # -- what has happened -----------------------------------------------------------------------------

    def report_rung(self, number: int, value: float, detail: dict[str, JSON]) -> list[TrialRow]:
        """Note the score at the end of a leg and return what has changed; the last of its group decides."""
        row = self.record.trials[number]
        epoch = self._legs.pauses(row)[len(self.record.scores[number])]
        self.record.pause(number, epoch, value, detail)
        return self._changed({number, *self._settle(row)})

    def finish(
        self, number: int, state: State, value: float | None, detail: dict[str, JSON]
    ) -> list[TrialRow]:
        """Tell Optuna how a trial ended, as what it was, and return what has changed."""
        self.record.end(number, state, value, detail)
        return self._changed({number, *self._settle(self.record.trials[number])})

    def put_back(self, number: int, detail: dict[str, JSON]) -> TrialRow:
        """Note what a trial has spent that was asked to stop and stays RUNNING."""
        self.record.spend(number, detail)
        return self.record.trials[number]

    def _changed(self, numbers: set[int]) -> list[TrialRow]:
        return [self.record.trials[number] for number in sorted(numbers)]

    # -- proposals -------------------------------------------------------------------------------------

    def _proposals(self) -> Iterator[Job]:
        """Propose what is left of the present generation, once the earlier ones have come to an end."""
        n, size = self.record.count("search"), self.spec.search.generation
        first = n // size * size
        if any(row.index < first for row in self.record.unended("search")):
            return
        for index in range(n, min(first + size, self.n_search)):
            if index - n >= len(self._peeked):
                if index == self._proposer.winners_at and not self._taught:
                    return
                self._peek(index)
            yield self._job(self._peeked[index - n])

    def _peek(self, index: int) -> None:
        lower = [*self.record.phase("search"), *self._peeked]
        learnt = self._learnt() if index == self._proposer.winners_at else {}
        params = self._proposer.propose(lower, learnt)
        number, seed = len(self.record.trials) + len(self._peeked), self.spec.search.training_seed
        pair = self.pair
        self._peeked.append(
            TrialRow(pair.intermediate, pair.target, number, "search", index, seed, params, "running")
        )

    @property
    def _taught(self) -> bool:
        return all(teacher.search_done for teacher in self._teachers.values())

    def _learnt(self) -> dict[str, Value]:
        """Take each teacher's winning values of the stage that it teaches."""
        learnt: dict[str, Value] = {}
        for prefix, teacher in self._teachers.items():
            for best in finalists(teacher.rows, 1):
                learnt |= {name: value for name, value in best.params.items() if name.startswith(prefix)}
        return learnt

    # -- legs ------------------------------------------------------------------------------------------

    def _continue(self, row: TrialRow) -> Job | None:
        """Take up a running trial, unless it waits for what others come to at its rung."""
        passed = len(self.record.scores[row.number])
        return self._job(row) if self._cleared.get(row.number, 0) >= passed else None

    def _settle(self, row: TrialRow) -> list[int]:
        """Let the best of a trial's generation go on and tell PRUNED to the rest, as far as that is known."""
        if row.phase != "search" or self.spec.search.early_stopping is None:
            return []
        size = self.spec.search.generation
        pruned: list[int] = []
        first = row.index // size * size
        if self.record.count("search") < min(first + size, self.n_search):
            return []
        while True:
            generation = self.record.phase("search")[first : first + size]
            verdicts = list(self._legs.verdicts(generation, self.record.scores))
            for verdict in verdicts:
                self._cleared |= {each.number: verdict.level + 1 for each in verdict.on}
            out = [each.number for verdict in verdicts for each in verdict.out]
            if not out:
                return pruned
            for number in out:
                fault("study.before_tell_pruned")
                self.record.end(number, "pruned", None, {})
            pruned += out

    # -- confirmation ----------------------------------------------------------------------------------

    @cached_property
    def _finalists(self) -> list[TrialRow]:
        """The trials that are confirmed; asked for once the search is done. Of a design all, diverged ones too."""
        searched = self.record.phase("search")
        if self.spec.search.design is not None:
            return [row for row in searched if row.state != "failed"]
        return finalists(searched, self.spec.search.confirm.top)

    def _unconfirmed(self) -> list[tuple[TrialRow, int]]:
        made = {(row.of, row.seed) for row in self.record.phase("confirm")}
        wanted = itertools.product(self._finalists, self.spec.search.confirm.seeds)
        return [(row, seed) for row, seed in wanted if (row.number, seed) not in made]

    def _confirmations(self) -> Iterator[Job]:
        for place, (row, seed) in enumerate(self._unconfirmed()):
            yield Job(self.pair, len(self.record.trials) + place, "confirm", row.params, seed, None)

    # -- Optuna ----------------------------------------------------------------------------------------

    def _name(self) -> str:
        """Name the study by all that its proposals and scores depend on, the budget left out."""
        spec = self.spec
        asked = spec.search.model_dump(
            mode="json", include={"sampler", "generation", "early_stopping", "start_with"}
        )
        identity: dict[str, JSON] = {
            **asked,
            **spec.search.mark,
            "space": {name: repr(each) for name, each in self.space.dimensions.items()},
            "seeds": [spec.search.seed, spec.search.training_seed],
            "stages": scored_stages(spec),
            "model": spec.model.model_dump(mode="json"),
            "data": spec.data.model_dump(mode="json", include={"source", "demo_seed", "demo_scale"}),
        }
        return f"{self.pair.intermediate} -> {self.pair.target} [{digest(identity)[:8]}]"

    def _shown(self, row: TrialRow) -> FrozenTrial:
        """Show a trial that has ended to a sampler."""
        scores = self.record.scores[row.number]
        return create_trial(
            state=FINISHED[row.state],
            value=row.value,
            params=self.space.told(row.params),
            distributions=self.space.distributions,
            intermediate_values=dict(zip(self._legs.pauses(row), scores, strict=False)),
        )

    def _job(self, row: TrialRow) -> Job:
        pauses = self._legs.pauses(row)
        passed = len(self.record.scores[row.number]) if row.number < len(self.record.scores) else 0
        until_epoch = pauses[passed] if passed < len(pauses) else None
        return Job(self.pair, row.number, row.phase, row.params, row.seed, until_epoch)
