"""This is where a pair's trials are written to Optuna and read back as rows.

What happens to a trial is told to Optuna as what it is (`FINISHED`), and the word that xtr uses is kept beside it.
Rows, rung scores and counts are kept in memory as the study's only writer changes them, so a step costs the same
in a sweep's first hour and in its last.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from xtr.analysis.records.trials import Phase, State, TrialRow
from xtr.faults import fault
from xtr.fingerprint import JSON
from xtr.search.optuna_space import PairSpace
from xtr.spec.space import Value
from xtr.spec.sweep import Pair

FINISHED: Mapping[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class Record:
    """All trials of one pair's study.

    Attributes:
        trials: every trial by number; one that failed and was started again is there twice.
        scores: by number, the score at each rung that a trial has passed, in order.
        running: numbers of the trials that have not ended.
    """

    def __init__(self, study: Study, pair: Pair, space: PairSpace) -> None:
        self.study, self.pair, self.space = study, pair, space
        self.trials: list[TrialRow] = []
        self.scores: list[Sequence[float]] = []
        self.running: set[int] = set()
        self._latest: dict[Phase, list[int]] = {"search": [], "confirm": [], "control": []}
        for trial in study.get_trials(deepcopy=False):
            self._add(trial)

    @property
    def rows(self) -> list[TrialRow]:
        """The trials by number; one that was started again counts once."""
        return [self.trials[number] for number in sorted(itertools.chain(*self._latest.values()))]

    def phase(self, phase: Phase) -> list[TrialRow]:
        """A phase's trials in order of index."""
        return [self.trials[number] for number in self._latest[phase]]

    def count(self, *phases: Phase) -> int:
        """Count the trials of some phases, of all where none is named."""
        return sum(len(self._latest[phase]) for phase in phases or self._latest)

    def unended(self, phase: Phase) -> list[TrialRow]:
        """List a phase's trials that have not ended."""
        return [row for row in map(self.trials.__getitem__, self.running) if row.phase == phase]

    def create(
        self,
        params: dict[str, Value],
        phase: Phase,
        seed: int,
        *,
        of: int | None = None,
        index: int | None = None,
    ) -> TrialRow:
        """Write a trial as RUNNING with all its parameters, in one line of the journal."""
        told = self.space.told(params)
        index = self.count(phase) if index is None else index
        attributes = {"phase": phase, "index": index, "seed": seed, "of": of, "params": params}
        fault("study.before_add_trial")
        self.study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=told,
                distributions={name: self.space.distributions[name] for name in told},
                user_attrs=attributes,
            )
        )
        fault("study.after_add_trial")
        return self._add(self._frozen(len(self.trials)))

    def pause(self, number: int, epoch: int, value: float, detail: dict[str, JSON]) -> None:
        """Write a trial's score after the epoch at which a leg ended."""
        self.spend(number, detail)
        fault("study.before_report")
        self._live(number).report(value, step=epoch)
        fault("study.after_report")
        self._read(self._frozen(number))

    def end(self, number: int, state: State, value: float | None, detail: dict[str, JSON]) -> None:
        """Tell Optuna how a trial ended."""
        if detail:
            self.spend(number, detail)
        self._live(number).set_user_attr("outcome", state)
        told = value if state == "complete" else None
        fault("study.before_tell")
        self.study.tell(number, told, state=FINISHED[state], skip_if_finished=True)
        fault("study.after_tell")
        self._read(self._frozen(number))

    def spend(self, number: int, detail: dict[str, JSON]) -> None:
        """Write what a trial has spent since it was last heard of."""
        self._live(number).set_user_attr("detail", _all_legs(self.trials[number].detail, detail))
        self._read(self._frozen(number))

    def _add(self, trial: FrozenTrial) -> TrialRow:
        self.trials.append(self.row_of(trial))
        self.scores.append([])
        row = self._read(trial)
        self._latest[row.phase][row.index : row.index + 1] = [row.number]
        return row

    def _read(self, trial: FrozenTrial) -> TrialRow:
        """Bring the rows up to what the storage says of a trial."""
        row = self.trials[trial.number] = self.row_of(trial)
        reported = trial.intermediate_values
        self.scores[row.number] = [reported[epoch] for epoch in sorted(reported)]
        (self.running.add if row.state == "running" else self.running.discard)(row.number)
        return row

    def row_of(self, trial: FrozenTrial) -> TrialRow:
        """Read a trial of this pair, of this or another study, as a row."""
        attributes, reported = trial.user_attrs, trial.intermediate_values
        state: State = "running" if trial.state == TrialState.RUNNING else attributes.get("outcome", "failed")
        return TrialRow(
            intermediate=self.pair.intermediate,
            target=self.pair.target,
            number=trial.number,
            phase=attributes["phase"],
            index=attributes["index"],
            seed=attributes["seed"],
            params=attributes["params"],
            state=state,
            value=trial.value if state == "complete" else None,
            rung=reported[max(reported)] if reported else None,
            of=attributes["of"],
            detail=attributes.get("detail", {}),
        )

    def _frozen(self, number: int) -> FrozenTrial:
        """Read one trial from the storage (with `_live`, all that xtr takes of Optuna beyond its public names)."""
        storage, study_id = self.study._storage, self.study._study_id
        return storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study_id, number))

    def _live(self, number: int) -> Trial:
        """Rebuild the reporting trial of a number."""
        return Trial(self.study, self._frozen(number)._trial_id)


def _all_legs(earlier: dict[str, JSON], last: dict[str, JSON]) -> dict[str, JSON]:
    """Add up what a trial's legs have spent."""
    spent: dict[str, JSON] = {}
    for name in ("steps", "tokens", "seconds"):
        parts = [part for part in (earlier.get(name), last.get(name)) if isinstance(part, (int, float))]
        if parts:
            spent[name] = sum(parts)
    return last | spent
