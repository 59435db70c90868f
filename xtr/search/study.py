"""This is where a pair's Optuna study is served: proposals by generation, legs, confirmation.

Trial n of a pair belongs to generation n // G. A fresh sampler, seeded by (sweep seed, pair, n), sees exactly the
earlier generations and, as running, its own generation's lower numbers; so proposals depend neither on timing nor
on how often the driver was killed. With early stopping a trial runs in two legs: to the rung, and, if it is among
the best of its generation at equal planned epochs, to its end. A trial that diverged is told PRUNED without a
value, which Optuna's TPE ranks below every other; a failed one is told FAIL and teaches nothing.
"""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from xtr.analysis.trials import Phase, State, TrialRow, finalists
from xtr.catalogue.lookup import find_task, training_task
from xtr.faults import fault
from xtr.fingerprint import JSON, derive_seed, digest
from xtr.search.optuna_space import distribution
from xtr.spec.budget import grid, pair_dimensions, search_trials
from xtr.spec.space import Dimension, Fixed, Value
from xtr.spec.sweep import Pair, SweepSpec

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

FINISHED: Mapping[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True, slots=True)
class Job:
    """What a Tune trial is asked to do: one trial, or its first leg when `until_epoch` is set."""

    pair: Pair
    number: int
    phase: Phase
    params: dict[str, Value]
    seed: int
    until_epoch: int | None


class PairStudy:
    """The Optuna study of one pair and what is next in it."""

    def __init__(self, spec: SweepSpec, pair: Pair, storage: BaseStorage) -> None:
        self.spec = spec
        self.pair = pair
        self.trains_target = training_task(find_task(pair.target_task)) is not None
        dimensions = pair_dimensions(spec, pair)
        self.fixed = {name: each.value for name, each in dimensions.items() if isinstance(each, Fixed)}
        self.free = {name: each for name, each in dimensions.items() if not isinstance(each, Fixed)}
        self.distributions = {name: distribution(each) for name, each in self.free.items()}
        self.study = optuna.create_study(
            study_name=self._name(dimensions), storage=storage, direction="maximize", load_if_exists=True
        )
        self._all = [self._row(trial) for trial in self.study.get_trials(deepcopy=False)]
        for row in self.rows:
            if row.state == "failed":
                self._create(row.params, row.phase, row.seed, of=row.of, index=row.index)
        for row in self._phase("search"):  # a driver can die between a last score and the verdict
            self._settle_generation(row.number)

    # -- what is next ----------------------------------------------------------------------------------

    @property
    def rows(self) -> list[TrialRow]:
        """The study's trials; one that failed and was started again by a later run counts once."""
        latest = {(row.phase, row.index): row for row in self._all}
        return sorted(latest.values(), key=lambda row: row.number)

    @property
    def n_search(self) -> int:
        """Trials the search owes in all."""
        return search_trials(self.spec, self.pair)

    def next_job(self, in_flight: set[int]) -> Job | None:
        """Hand out the next job, or None where this pair waits for results or is done."""
        for row in self.rows:
            if row.state == "running" and row.number not in in_flight:
                job = self._continue(row)
                if job is not None:
                    return job
        if self._may_search():
            return self._job(self._create(self._propose(), "search", self.spec.search.training_seed))
        if self.search_done:
            return self._confirmation()
        return None

    @property
    def search_done(self) -> bool:
        """Whether every search trial has come to an end."""
        search = self._phase("search")
        return len(search) >= self.n_search and all(row.state != "running" for row in search)

    @property
    def done(self) -> bool:
        """Whether search and confirmation have come to an end."""
        own = [*self._phase("search"), *self._phase("confirm")]
        return self.search_done and not self._unconfirmed() and all(row.state != "running" for row in own)

    def control(self, params: dict[str, Value], seed: int) -> Job | None:
        """Ask for these settings at this seed, unless a trial of the study has or had them."""
        if any(row.params == params and row.seed == seed for row in self.rows):
            return None
        return self._job(self._create(params, "control", seed))

    # -- what has happened -----------------------------------------------------------------------------

    def report_rung(self, number: int, value: float, detail: dict[str, JSON]) -> TrialRow:
        """Note the score at the end of the first leg; the last of a generation decides who goes on."""
        trial = self._live(number)
        if trial.storage.get_trial(trial._trial_id).intermediate_values.get(self._rung) is None:
            fault("study.before_report")
            trial.report(value, step=self._rung)
        trial.set_user_attr("detail", detail)
        fault("study.after_report")
        self._refresh(number)
        self._settle_generation(number)
        return self._all[number]

    def finish(self, number: int, state: State, value: float | None, detail: dict[str, JSON]) -> TrialRow:
        """Tell Optuna how a trial ended, as what it was."""
        trial = self._live(number)
        trial.set_user_attr("detail", _both_legs(self._all[number].detail, detail))
        trial.set_user_attr("outcome", state)
        fault("study.before_tell")
        self.study.tell(
            number, value if state == "complete" else None, state=FINISHED[state], skip_if_finished=True
        )
        fault("study.after_tell")
        self._refresh(number)
        self._settle_generation(number)
        return self._all[number]

    # -- proposals -------------------------------------------------------------------------------------

    def _may_search(self) -> bool:
        search = self._phase("search")
        n = len(search)
        size = self.spec.search.generation
        earlier = search[: n // size * size]
        return n < self.n_search and all(row.state != "running" for row in earlier)

    def _propose(self) -> dict[str, Value]:
        search = self._phase("search")
        n = len(search)
        start_with = self.spec.search.start_with
        params = self._ask(search, n)
        if n < len(start_with):
            params |= {name: value for name, value in start_with[n].items() if name in self.free}
        return self.fixed | self._unused(params, search)

    def _ask(self, search: Sequence[TrialRow], n: int) -> dict[str, Value]:
        """Draw from a sampler that sees the earlier generations and this one's lower numbers."""
        if not self.free:
            return {}
        seed = derive_seed(self.spec.search.seed, self.pair.intermediate, self.pair.target, n) % 2**32
        scratch = optuna.create_study(direction="maximize", sampler=self._sampler(seed))
        first_of_generation = n // self.spec.search.generation * self.spec.search.generation
        for row in search[:first_of_generation]:
            if row.state != "failed":
                scratch.add_trial(self._frozen(row))
        for row in search[first_of_generation:]:
            scratch.add_trial(self._frozen(replace(row, state="running", rung=None)))
        return dict(scratch.ask(fixed_distributions=self.distributions).params)

    def _sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        settings = self.spec.search.sampler
        if settings.name == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=settings.startup_trials, multivariate=True, constant_liar=True
        )

    def _unused(self, params: dict[str, Value], search: Sequence[TrialRow]) -> dict[str, Value]:
        """Replace a proposal that was tried already by an untried point of a finite space."""
        tried = [{name: row.params[name] for name in self.free} for row in search]
        if params not in tried or any(each.size is None for each in self.free.values()):
            return params
        points = grid(self.free)
        random.Random(derive_seed(self.spec.search.seed, "grid", self.pair.intermediate)).shuffle(points)
        return next(point for point in points if point not in tried)

    # -- legs ------------------------------------------------------------------------------------------

    @property
    def _rung(self) -> int:
        stopping = self.spec.search.early_stopping
        return stopping.rung_epochs if stopping else 0

    def _planned_epochs(self, row: TrialRow) -> int:
        task = training_task(find_task(self.pair.target_task))
        assert task is not None
        own = {name.removeprefix("target."): value for name, value in row.target_params.items()}
        return self.spec.stages.target.resolved_for(task.name, own).epochs

    def _has_legs(self, row: TrialRow) -> bool:
        return (
            row.phase == "search"
            and self.spec.search.early_stopping is not None
            and self.trains_target
            and self._planned_epochs(row) > self._rung
        )

    def _continue(self, row: TrialRow) -> Job | None:
        """Take up a running trial: its only leg, its first, or its second once it is known to go on."""
        if not self._has_legs(row):
            return self._job(row)
        if row.rung is None:
            return self._job(row, until_epoch=self._rung)
        return self._job(row) if row.number in self._survivors(row) else None

    def _generation(self, row: TrialRow) -> list[TrialRow]:
        size = self.spec.search.generation
        return [each for each in self._phase("search") if each.index // size == row.index // size]

    def _is_whole(self, generation: Sequence[TrialRow]) -> bool:
        """Whether every trial of a generation was made and has its rung value, or ended without one."""
        first = generation[0].index // self.spec.search.generation * self.spec.search.generation
        expected = min(self.spec.search.generation, self.n_search - first)
        waiting = [each for each in generation if each.state == "running" and each.rung is None]
        return len(generation) >= expected and not [each for each in waiting if self._has_legs(each)]

    def _survivors(self, row: TrialRow) -> set[int]:
        """Numbers of the trials that get their second leg; empty while the generation is not whole."""
        generation = self._generation(row)
        stopping = self.spec.search.early_stopping
        if stopping is None or not self._is_whole(generation):
            return set()
        numbers: set[int] = set()
        legged = [each for each in generation if each.rung is not None]
        for epochs in {self._planned_epochs(each) for each in legged}:
            group = [each for each in legged if self._planned_epochs(each) == epochs]
            ranked = sorted(group, key=lambda each: (-(each.rung or 0.0), each.index))
            numbers.update(each.number for each in ranked[: math.ceil(stopping.keep * len(group))])
        return numbers

    def _settle_generation(self, number: int) -> None:
        """Tell PRUNED to those that do not go on, once that is known."""
        row = self._all[number]
        if row.phase != "search" or self.spec.search.early_stopping is None:
            return
        generation = self._generation(row)
        if not self._is_whole(generation):
            return
        survivors = self._survivors(row)
        for each in generation:
            if each.state == "running" and each.rung is not None and each.number not in survivors:
                self._live(each.number).set_user_attr("outcome", "pruned")
                fault("study.before_tell_pruned")
                self.study.tell(each.number, state=TrialState.PRUNED, skip_if_finished=True)
                self._refresh(each.number)

    # -- confirmation ----------------------------------------------------------------------------------

    def _unconfirmed(self) -> list[tuple[TrialRow, int]]:
        confirm = self.spec.search.confirm
        made = {(row.of, row.seed) for row in self._phase("confirm")}
        wanted = itertools.product(finalists(self.rows, confirm.top), confirm.seeds)
        return [(row, seed) for row, seed in wanted if (row.number, seed) not in made]

    def _confirmation(self) -> Job | None:
        for row, seed in self._unconfirmed():
            return self._job(self._create(row.params, "confirm", seed, of=row.number))
        return None

    # -- Optuna ----------------------------------------------------------------------------------------

    def _name(self, dimensions: Mapping[str, Dimension]) -> str:
        """Name the study by all that its proposals and scores depend on, the budget left out."""
        spec = self.spec
        asked = spec.search.model_dump(mode="json", include={"sampler", "generation", "early_stopping"})
        identity: dict[str, JSON] = {
            **asked,
            "space": {name: repr(each) for name, each in dimensions.items()},
            "start_with": [dict(each) for each in spec.search.start_with],
            "seeds": [spec.search.seed, spec.search.training_seed],
            "stages": spec.stages.model_dump(mode="json", exclude={"evaluate": {"languages", "split"}}),
            "model": spec.model.model_dump(mode="json"),
            "data": spec.data.model_dump(mode="json", include={"source", "demo_seed", "demo_scale"}),
        }
        return f"{self.pair.intermediate} -> {self.pair.target} [{digest(identity)[:8]}]"

    def _create(
        self,
        params: dict[str, Value],
        phase: Phase,
        seed: int,
        *,
        of: int | None = None,
        index: int | None = None,
    ) -> TrialRow:
        """Write a trial as RUNNING with all its parameters, in one line of the journal."""
        free = {name: value for name, value in params.items() if name in self.distributions}
        fixed = {name: value for name, value in params.items() if name not in free}
        index = len(self._phase(phase)) if index is None else index
        attributes = {"phase": phase, "index": index, "seed": seed, "of": of, "fixed": fixed}
        fault("study.before_add_trial")
        self.study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=free,
                distributions={name: self.distributions[name] for name in free},
                user_attrs=attributes,
            )
        )
        fault("study.after_add_trial")
        self._all.append(self._row(self.study.get_trials(deepcopy=False)[-1]))
        return self._all[-1]

    def _row(self, trial: FrozenTrial) -> TrialRow:
        attributes = trial.user_attrs
        state: State = "running" if trial.state == TrialState.RUNNING else attributes.get("outcome", "failed")
        return TrialRow(
            intermediate=self.pair.intermediate,
            target=self.pair.target,
            number=trial.number,
            phase=attributes["phase"],
            index=attributes["index"],
            seed=attributes["seed"],
            params=attributes["fixed"] | trial.params,
            state=state,
            value=trial.value if state == "complete" else None,
            rung=trial.intermediate_values.get(self._rung),
            of=attributes["of"],
            detail=attributes.get("detail", {}),
        )

    def _frozen(self, row: TrialRow) -> FrozenTrial:
        """Show a row to a sampler."""
        state = TrialState.RUNNING if row.state == "running" else FINISHED[row.state]
        return create_trial(
            state=state,
            value=row.value,
            params={name: row.params[name] for name in self.free},
            distributions=self.distributions,
            intermediate_values={} if row.rung is None else {self._rung: row.rung},
        )

    def _live(self, number: int) -> optuna.trial.Trial:
        """Rebuild the reporting trial of a number (semi-public in Optuna; nowhere else in xtr)."""
        return optuna.trial.Trial(self.study, self.study.get_trials(deepcopy=False)[number]._trial_id)

    def _refresh(self, number: int) -> None:
        self._all[number] = self._row(self.study.get_trials(deepcopy=False)[number])

    def _phase(self, phase: Phase) -> list[TrialRow]:
        """A phase's trials in order of index."""
        return sorted((row for row in self.rows if row.phase == phase), key=lambda row: row.index)

    def _job(self, row: TrialRow, until_epoch: int | None = None) -> Job:
        if until_epoch is None and self._has_legs(row) and row.rung is None:
            until_epoch = self._rung
        return Job(self.pair, row.number, row.phase, row.params, row.seed, until_epoch)


def _both_legs(first: dict[str, JSON], last: dict[str, JSON]) -> dict[str, JSON]:
    """Add up what a trial's legs have spent."""
    spent: dict[str, JSON] = {}
    for name in ("steps", "tokens", "seconds"):
        earlier, now = first.get(name), last.get(name)
        if isinstance(earlier, (int, float)) and isinstance(now, (int, float)):
            spent[name] = earlier + now
    return last | spent
