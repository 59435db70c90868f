"""This is where a contrast becomes sums of scores: which scores, at which settings, with which weight.

    table = Table(rows, "test")
    found = Weighing(spec, table, contrast).by_size(("squad_v1",), ("none",))[None]
    total(found.weights, table, seed=1)     -> what squad_v1 brings at seed 1, in [-1, 1]

Every kind of contrast is such a sum, so that all are paired, told by language and drawn anew in one way. Arms are
compared at equal settings of what both train; over settings, languages and targets the mean is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xtr.analysis.answers.groups import members_of
from xtr.analysis.records.results import Result
from xtr.analysis.tables import pair_name
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split
from xtr.spec.budget import pair_dimensions, searches
from xtr.spec.contrasts import Contrast, LanguageGroup
from xtr.spec.expressions import target_task
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec

Settings = tuple[tuple[str, Value], ...]
"""A trial's dimensions, sorted by name."""
Group = LanguageGroup | tuple[str, ...]


class Untestable(Exception):
    """The scores at hand say nothing about a contrast; the text says why."""


class Cell(NamedTuple):
    """Where a score stands, but for the seed."""

    pair: Pair
    settings: Settings
    language: str


Weights = Mapping[Cell, float]
"""A weighted sum of scores."""


class Table:
    """The scores of one split, each target in its own metric, by cell and seed."""

    def __init__(self, rows: Iterable[Result], split: Split) -> None:
        self.split = split
        self.scores: dict[Cell, dict[int, Result]] = {}
        self.languages: dict[tuple[Pair, Settings], dict[str, None]] = {}
        self._collapsed: set[tuple[Pair, Settings, int]] = set()
        for row in rows:
            if row.split != split or row.metric != find_task(target_task(row.target)).metric:
                continue
            if not math.isfinite(row.value):
                continue  # as if it were missing
            pair, settings = Pair(row.intermediate, row.target), tuple(sorted(row.settings.items()))
            self.scores.setdefault(Cell(pair, settings, row.language), {})[row.seed] = row
            self.languages.setdefault((pair, settings), {})[row.language] = None
            if row.collapsed:
                self._collapsed.add((pair, settings, row.seed))

    def collapsed(self, pair: Pair, settings: Settings, seed: int) -> bool:
        """Say whether a run has come to predict one class alone."""
        return (pair, settings, seed) in self._collapsed

    def settings(self, pair: Pair) -> list[Settings]:
        """List the settings at which a pair was scored."""
        return [settings for each, settings in self.languages if each == pair]


def total(weights: Weights, table: Table, seed: int) -> float:
    """Add the scores of one seed up."""
    return sum(weight * table.scores[cell][seed].value for cell, weight in weights.items())


def mean_of(sums: Sequence[Weights]) -> Weights:
    """Take the mean of weighted sums."""
    return combined([(1 / len(sums), each) for each in sums])


def combined(sums: Iterable[tuple[float, Weights]]) -> Weights:
    """Add weighted sums up, each with a weight of its own."""
    added: dict[Cell, float] = {}
    for factor, weights in sums:
        for cell, weight in weights.items():
            added[cell] = added.get(cell, 0.0) + factor * weight
    return added


@dataclass(frozen=True, slots=True)
class Compared:
    """A difference of arms, at one size where there are several.

    Attributes:
        weights: of the mean over targets of the mean over their languages.
        by_language: of each language's mean over the targets that have it.
    """

    weights: Weights
    by_language: Mapping[str, Weights]


Size = Value | None


@dataclass
class Weighing:
    """One contrast on one table.

    Attributes:
        notes: what a reader of its finding should know, in words.
        targets: those that were compared.
    """

    spec: SweepSpec
    table: Table
    contrast: Contrast
    notes: dict[str, None] = field(default_factory=dict)
    targets: dict[str, None] = field(default_factory=dict)

    def by_size(
        self,
        of: Sequence[str],
        minus: Sequence[str] | None,
        *,
        over: str | None = None,
        targets: Sequence[str] = (),
        groups: Sequence[Group] = (),
    ) -> dict[Size, Compared]:
        """Compare two arms, or tell one, at each size that all have; without a size there is one, None.

        Args:
            groups: languages that are looked at, the first; targets that lack one of them are left out.

        Raises:
            Untestable: scores are missing.
        """
        wanted = groups or (self.contrast.languages,)
        found: list[dict[Size, dict[str, Weights]]] = []
        for target in self._complete(targets, (*of, *(minus or ()))):
            matched = self._matched(target, of, minus, over)
            cells = [cell for each in matched.values() for pairs in each for pair in pairs for cell in pair]
            members = [self._members(group, target, cells, (of, minus or ())) for group in wanted]
            if not all(members):
                self.notes[f"{target} has no such language and is left out"] = None
                continue
            self.targets[target] = None
            found.append(
                {
                    size: {code: _mean_difference(combinations, code) for code in members[0]}
                    for size, combinations in matched.items()
                }
            )
        if not found:
            raise Untestable(self._no_language(wanted))
        sizes = [size for size in found[0] if all(size in each for each in found)]
        if over is not None and len(sizes) < 2:
            raise Untestable(f"{', '.join(self.targets)} have fewer than two sizes of {over} in common")
        return {size: _compared([each[size] for each in found]) for size in sizes}

    @property
    def _source(self) -> str:
        return self.spec.stages.source_language

    def _no_language(self, groups: Sequence[Group]) -> str:
        told = " and ".join(", ".join(each) if isinstance(each, tuple) else each for each in groups)
        scored = dict.fromkeys(cell.language for cell in self.table.scores)
        return f"no target is scored in languages that are {told}: there are {', '.join(scored)}"

    def _complete(self, targets: Sequence[str], arms: Sequence[str]) -> list[str]:
        """List the targets that the sweep has for all arms; each of them must have been scored."""
        known, chosen = set(self.spec.pairs.pairs()), []
        for target in targets or self.contrast.targets or dict.fromkeys(self.spec.pairs.target):
            pairs = [Pair(arm, target) for arm in arms]
            if not known.issuperset(pairs):
                self.notes[f"{target} is left out, since pairs.exclude leaves not all arms of it"] = None
                continue
            missing = [pair_name(pair) for pair in pairs if not self.table.settings(pair)]
            if missing:
                told = f"no score of {', '.join(missing)} on {self.table.split}"
                raise Untestable(f"{told}: xtr status {self.spec.name} says why, or xtr evaluate it")
            chosen.append(target)
        if not chosen:
            raise Untestable("no target has all arms")
        return chosen

    def _held(self, pair: Pair) -> list[Settings]:
        """List the settings of a pair that agree with `at`, in what it has of it."""
        at = self.contrast.compared.at
        held = [each for each in self.table.settings(pair) if _agree(each, at)]
        if not held:
            wanted = ", ".join(f"{name} {value:g}" for name, value in at.items())
            hint = (
                ""
                if self.spec.search.design
                else "; a search scores winners alone, search.design all settings"
            )
            raise Untestable(f"no score of {pair_name(pair)} at {wanted}{hint}")
        if not any(held) and any(name in at for name in pair_dimensions(self.spec, pair)):
            self.notes["at could not be held: the scores do not say their settings"] = None
        return held

    def _matched(
        self, target: str, of: Sequence[str], minus: Sequence[str] | None, over: str | None
    ) -> dict[Size, list[list[tuple[_Place, ...]]]]:
        """Pair the settings of each combination of arms, by size.

        Returns:
            By size, for each combination of arms, the places that are compared: (of, minus) or (of,).
        """
        combinations = []
        for one in of:
            for other in minus or (None,):
                pairs = self._pairs(Pair(one, target), None if other is None else Pair(other, target))
                by_size: dict[Size, list[tuple[_Place, ...]]] = {}
                for places in pairs:
                    size = None if over is None else dict(places[0].settings).get(over)
                    if over is None or size is not None:
                        by_size.setdefault(size, []).append(places)
                combinations.append(by_size)
        sizes = sorted(set.intersection(*(set(each) for each in combinations)), key=lambda size: size or 0)
        if over is not None:
            self._check_sizes(target, over, sizes)
        matched = {size: [each[size] for each in combinations] for size in sizes}
        most = max(len(pairs) for each in matched.values() for pairs in each)
        if most > 1:
            self.notes[f"{target}: the mean over {most} settings that its arms share"] = None
        return matched

    def _check_sizes(self, target: str, over: str, sizes: Sequence[Size]) -> None:
        if len(sizes) < 2:
            scored = "one size" if sizes else "no size"
            hint = (
                "" if self.spec.search.design else "; a search scores winners alone, search.design all sizes"
            )
            raise Untestable(f"{target} is scored at {scored} of {over} that its arms share{hint}")
        dimension = self.spec.search.space.get(over)
        lacking = [each for each in getattr(dimension, "values", ()) if each not in sizes]
        if lacking:
            self.notes[f"{target} is not scored at {over} {', '.join(f'{each:g}' for each in lacking)}"] = (
                None
            )

    def _pairs(self, one: Pair, other: Pair | None) -> list[tuple[_Place, ...]]:
        ours = self._held(one)
        if other is None:
            return [(_Place(one, each),) for each in ours]
        theirs = self._held(other)
        pairs: list[tuple[_Place, ...]] = [
            (_Place(one, mine), _Place(other, yours))
            for mine in ours
            for yours in theirs
            if _agree(mine, dict(yours))
        ]
        if self.spec.search.design is None and len(ours) == len(theirs) == 1:
            if searches(self.spec) and (not pairs or not ours[0] or not theirs[0]):
                self.notes["each arm at its own best settings, as a search found them"] = None
            return [(_Place(one, ours[0]), _Place(other, theirs[0]))]
        if not pairs:
            raise Untestable(f"{pair_name(one)} and {pair_name(other)} have no settings in common")
        unmatched = len({*ours} - {each[0].settings for each in pairs})
        if unmatched:
            told = f"{unmatched} of {len(ours)} settings of {pair_name(one)} have no counterpart"
            self.notes[f"{told} in {pair_name(other)}"] = None
        return pairs

    def _members(
        self, group: Group, target: str, places: Iterable[_Place], arms: Sequence[Sequence[str]]
    ) -> tuple[str, ...]:
        """List the languages of a group that all places have, in their order; one that only some have is told."""
        all_of = [self.table.languages[place.pair, place.settings] for place in places]
        scored = dict.fromkeys(code for each in all_of for code in each)
        wanted = members_of(group, scored, self._source, arms)
        members = tuple(code for code in wanted if all(code in each for each in all_of))
        if lacking := [code for code in wanted if code not in members]:
            told = f"{target}: {', '.join(lacking)} left out"
            self.notes[f"{told}, since some setting that is compared was not scored there"] = None
        return members


class _Place(NamedTuple):
    """A cell in all its languages."""

    pair: Pair
    settings: Settings


def _agree(settings: Settings, others: Mapping[str, Value]) -> bool:
    return all(others.get(name, value) == value for name, value in settings)


def _mean_difference(combinations: Sequence[Sequence[tuple[_Place, ...]]], language: str) -> Weights:
    """Take the mean over combinations of arms of the mean over their settings; a score less itself is nought."""
    return mean_of(
        [
            mean_of(
                [
                    combined(
                        zip((1.0, -1.0), [{Cell(*place, language): 1.0} for place in places], strict=False)
                    )
                    for places in pairs
                ]
            )
            for pairs in combinations
        ]
    )


def _compared(by_target: Sequence[Mapping[str, Weights]]) -> Compared:
    codes = dict.fromkeys(code for each in by_target for code in each)
    return Compared(
        mean_of([mean_of(list(each.values())) for each in by_target]),
        {code: mean_of([each[code] for each in by_target if code in each]) for code in codes},
    )
