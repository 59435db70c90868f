"""This is where finished trials move into a new study, when a sweep file says anew how trials are proposed.

A study is named by all that its proposals and scores depend on, so a wider space opens an empty one. Each study
also keeps what its scores alone depend on: other studies of the pair that agree in it give their finished trials
that fit, in the order of the studies and their numbers, each settings and seed once. They count as the study's
own and inform its sampler. It is done when a sweep is opened and nothing of the study is under way; one that was
cut short in the middle of it is completed, so every run sees the same trials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, create_trial

from xtr.analysis.planning.changes import scored_by, still_fitting
from xtr.analysis.records.trials import Phase, TrialRow
from xtr.fingerprint import JSON, canonical_json, digest
from xtr.search.study import PairStudy

IDENTITY, ORIGIN = "identity", "adopted_from"
"""A study's attribute: what its scores depend on. A trial's: where it was taken from."""


_Settings = tuple[Phase, int, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """A study that lies in the storage."""

    id: int
    name: str
    identity: dict[str, JSON]


def adopt_trials(storage: BaseStorage, studies: Iterable[PairStudy]) -> None:
    """Take over what fits and is not there yet into the studies in which nothing is under way."""
    listed = sorted(storage.get_all_studies(), key=lambda each: each._study_id)
    known = [_Known(each._study_id, each.study_name, each.user_attrs.get(IDENTITY, {})) for each in listed]
    begun = {each.name for each in known if each.identity}
    for study in studies:
        name = study.study.study_name
        if not any(row.state == "running" for row in study.rows):
            _adopt(storage, study, [each for each in known if each.name != name])
        if name not in begun:
            study.study.set_user_attr(IDENTITY, _identity(study))


def _adopt(storage: BaseStorage, study: PairStudy, known: Iterable[_Known]) -> None:
    """Copy the trials that fit, those of the search first, because confirming ones refer to them."""
    found = sorted(_fitting(storage, study, known), key=lambda each: each[0].phase != "search")
    numbers = {_settings(row): row.number for row in study.rows}
    counts: Counter[Phase] = Counter(row.phase for row in study.rows)
    for row, trial, origin, stops_alike in found:
        key = _settings(row)
        if key in numbers:
            continue
        searched: _Settings = ("search", study.spec.search.training_seed, canonical_json(row.params))
        of = None if row.of is None else numbers[searched]
        attributes = {"index": counts[row.phase], "of": of, ORIGIN: origin}
        numbers[key] = len(numbers)
        counts[row.phase] += 1
        _copy(study, row, trial, attributes, stops_alike=stops_alike)
    study.reload()


def _fitting(
    storage: BaseStorage, study: PairStudy, known: Iterable[_Known]
) -> Iterator[tuple[TrialRow, FrozenTrial, JSON, bool]]:
    """Yield the trials of other studies that fit, where each comes from, and whether trials stopped as now."""
    own = _identity(study)
    for earlier in known:
        if any(earlier.identity.get(name) != own[name] for name in ("pair", "scores")):
            continue
        trials = storage.get_all_trials(earlier.id, deepcopy=False)
        stops_alike = earlier.identity["stopping"] == own["stopping"]
        rows = [study.record.row_of(trial) for trial in trials]
        for row in still_fitting(rows, study.space.dimensions, stops_alike=stops_alike):
            yield row, trials[row.number], [earlier.name, row.number], stops_alike


def _copy(
    study: PairStudy, row: TrialRow, trial: FrozenTrial, attributes: dict[str, JSON], *, stops_alike: bool
) -> None:
    """Write a trial again; where trials stop otherwise now, its scores on the way stand at no rung."""
    told = study.space.told(row.params)
    study.study.add_trial(
        create_trial(
            state=trial.state,
            value=trial.value,
            params=told,
            distributions={name: study.space.distributions[name] for name in told},
            user_attrs={**trial.user_attrs, **attributes},
            intermediate_values=trial.intermediate_values if stops_alike else {},
        )
    )


def _settings(row: TrialRow) -> _Settings:
    """What makes two trials of a pair the same."""
    return row.phase, row.seed, canonical_json(row.params)


def _identity(study: PairStudy) -> dict[str, JSON]:
    stopping = study.spec.search.early_stopping
    return {
        "pair": [study.pair.intermediate, study.pair.target],
        "scores": digest(scored_by(study.spec)),
        "stopping": None if stopping is None else stopping.model_dump(mode="json"),
    }
