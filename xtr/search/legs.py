"""This is where it is decided how far a trial runs before it is compared, and who goes on.

Legs compare like with like: the trials of one generation that are planned for equally many target epochs. At a
rung the best `keep` of those that came so far go on. One rung and a count are "all for one epoch, keep the top K"
(Egele et al. 2023), several rungs and a share are successive halving (Jamieson and Talwalkar 2016).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xtr.analysis.records.trials import TrialRow
from xtr.catalogue.lookup import find_task, training_task
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rung has decided: who goes on past it, and who stops there."""

    level: int
    on: tuple[TrialRow, ...]
    out: tuple[TrialRow, ...]


class Legs:
    """The legs of one pair's search trials."""

    def __init__(self, spec: SweepSpec, pair: Pair) -> None:
        self.stopping = spec.search.early_stopping
        self._task = training_task(find_task(pair.target_task))
        self._settings = spec.stages.target
        self._planned: dict[frozenset[tuple[str, Value]], int] = {}

    def planned_epochs(self, row: TrialRow) -> int:
        """Return how many epochs a trial's target stage has in all."""
        assert self._task is not None
        own = {name.removeprefix("target."): value for name, value in row.target_params.items()}
        known = frozenset(own.items())
        if known not in self._planned:
            self._planned[known] = self._settings.resolved_for(self._task.name, own).epochs
        return self._planned[known]

    def pauses(self, row: TrialRow) -> tuple[int, ...]:
        """Return the epochs after which a trial is compared; those that it ends at or before are none."""
        if row.phase != "search" or self.stopping is None or self._task is None:
            return ()
        planned = self.planned_epochs(row)
        return tuple(rung for rung in self.stopping.rungs if rung < planned)

    def verdicts(
        self, generation: Sequence[TrialRow], scores: Sequence[Sequence[float]]
    ) -> Iterator[Verdict]:
        """Decide every rung that all of its trials have come to, or have ended before.

        Args:
            generation: all its trials; one that is still missing would have to be compared, too.
            scores: by trial number, the score at each rung that it has passed, in order.
        """
        groups: dict[int, list[TrialRow]] = {}
        for row in generation:
            if self.pauses(row):
                groups.setdefault(self.planned_epochs(row), []).append(row)
        for group in groups.values():
            yield from self._decide(group, scores)

    def _decide(self, group: Sequence[TrialRow], scores: Sequence[Sequence[float]]) -> Iterator[Verdict]:
        for level in range(len(self.pauses(group[0]))):
            if any(row.state == "running" and len(scores[row.number]) <= level for row in group):
                return
            there = [row for row in group if len(scores[row.number]) > level]
            ranked = sorted(there, key=lambda row: (-scores[row.number][level], row.index))
            kept = self._kept(len(ranked))
            out = tuple(row for row in ranked[kept:] if row.state == "running")
            yield Verdict(level, tuple(ranked[:kept]), out)
            if out:
                return  # they have to be told before the next rung is looked at

    def _kept(self, n: int) -> int:
        assert self.stopping is not None
        keep = self.stopping.keep
        return keep if isinstance(keep, int) else math.ceil(keep * n)
