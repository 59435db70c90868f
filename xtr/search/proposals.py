"""This is where the next search trial of a pair is proposed.

Trial n belongs to generation n // G. A fresh sampler, seeded by (sweep seed, pair, n), sees exactly the earlier
generations and, as running, its own generation's lower numbers; so proposals depend neither on timing nor on how
often the driver was killed. First trials (`search.start_with`) replace what the sampler drew, as far as they say.
A design asks no sampler: its settings come in the order of the grid.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from xtr.analysis.records.trials import TrialRow
from xtr.fingerprint import derive_seed
from xtr.search.optuna_space import PairSpace, Params
from xtr.spec.budget import grid, search_trials, written_dimensions
from xtr.spec.space import Value
from xtr.spec.starts import first_settings
from xtr.spec.sweep import Pair, SweepSpec

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

Shown = Callable[[TrialRow], FrozenTrial]


def teachers_of(spec: SweepSpec, pair: Pair) -> dict[str, Pair]:
    """Name the pairs whose winners a pair tries, by the stage whose settings it takes from them.

    Target settings come from `none` on the same target, intermediate settings from the same intermediate task on
    the first target of the file. Who teaches whom is fixed, so no timing enters.
    """
    if pair.intermediate == "none" or "winners" not in spec.search.start_with:
        return {}
    first = next(each for each in spec.pairs.pairs() if each.intermediate == pair.intermediate)
    teachers = {"target.": Pair("none", pair.target)}
    return teachers if first == pair else teachers | {"intermediate.": first}


class Proposer:
    """Proposes the search trials of one pair.

    Attributes:
        winners_at: the index of the trial that takes the teachers' winning settings, None where there is none.
    """

    def __init__(self, spec: SweepSpec, pair: Pair, space: PairSpace, shown: Shown, *, taught: bool) -> None:
        self.spec, self.pair, self.space = spec, pair, space
        self._shown = shown
        self._seen: dict[int, FrozenTrial] = {}
        self._first = first_settings(spec, pair, written_dimensions(spec, pair))
        self._grid: list[Params] | None = None
        at = max(spec.search.generation, len(self._first))
        self.winners_at = at if taught and at < search_trials(spec, pair) else None

    def propose(self, lower: Sequence[TrialRow], learnt: Mapping[str, Value]) -> Params:
        """Propose the trial that follows these.

        Args:
            lower: the pair's search trials so far, by index.
            learnt: the teachers' winning values, where this trial is to take them.
        """
        tried = {self._point(row.params) for row in lower}
        if self.spec.search.design is not None:
            return self.space.fixed | self._next(tried)
        drawn = self._ask(lower)
        given = learnt or self._untried_first(lower)
        wanted = self.space.meant(drawn | self._told(given))
        if not given or self._point(wanted) in tried:
            wanted = self._unused(self.space.meant(drawn), tried)
        return self.space.fixed | wanted

    def _untried_first(self, lower: Sequence[TrialRow]) -> Mapping[str, Value]:
        """Take the first of the first settings that no trial has had, those of an earlier study included."""
        for each in self._first:
            sayable = each.items() <= self.space.meant(self._told(each)).items()
            if sayable and not any(each.items() <= row.params.items() for row in lower):
                return each
        return {}

    def _told(self, given: Mapping[str, Value]) -> Params:
        return self.space.told({name: value for name, value in given.items() if name in self.space.names})

    def _point(self, params: Mapping[str, Value]) -> frozenset[tuple[str, Value]]:
        return frozenset((name, value) for name, value in params.items() if name in self.space.names)

    def _ask(self, lower: Sequence[TrialRow]) -> Params:
        """Draw from a sampler that sees the earlier generations and this one's lower numbers."""
        if not self.space.free:
            return {}
        n = len(lower)
        seed = derive_seed(self.spec.search.seed, self.pair.intermediate, self.pair.target, n) % 2**32
        scratch = optuna.create_study(direction="maximize", sampler=self._sampler(seed))
        if self.spec.search.sampler.name != "random":
            first_of_generation = n // self.spec.search.generation * self.spec.search.generation
            scratch.add_trials(
                [self._ended(row) for row in lower[:first_of_generation] if row.state != "failed"]
            )
            scratch.add_trials([self._running(row) for row in lower[first_of_generation:]])
        return dict(scratch.ask(fixed_distributions=self.space.distributions).params)

    def _ended(self, row: TrialRow) -> FrozenTrial:
        if row.index not in self._seen:
            self._seen[row.index] = self._shown(row)
        return self._seen[row.index]

    def _running(self, row: TrialRow) -> FrozenTrial:
        return create_trial(
            state=TrialState.RUNNING,
            params=self.space.told(row.params),
            distributions=self.space.distributions,
        )

    def _sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        settings = self.spec.search.sampler
        if settings.name == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=settings.startup_trials, multivariate=True, constant_liar=True
        )

    def _unused(self, params: Params, tried: set[frozenset[tuple[str, Value]]]) -> Params:
        """Replace a proposal that was tried already by an untried point of a finite space."""
        if self._point(params) not in tried or not self.space.is_finite:
            return params
        return self._next(tried)

    def _next(self, tried: set[frozenset[tuple[str, Value]]]) -> Params:
        """Take the first untried point of a finite space: of a design in order, else in an order of its own."""
        if self._grid is None:
            self._grid = grid(self.space.free)
            if self.spec.search.design is None:
                seed = derive_seed(self.spec.search.seed, "grid", self.pair.intermediate)
                random.Random(seed).shuffle(self._grid)
        return next(point for point in self._grid if self._point(point) not in tried)
