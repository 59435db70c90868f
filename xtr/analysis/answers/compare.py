"""This is where two answers are compared: settings beside settings, and language by language on the same items.

    ours, theirs = find_side("demo/squad_v1", spec, folder, "squad_v1"), find_side("demo", spec, folder)
    compare_sides(ours, theirs, "test")

What is compared are winners: of a sweep, or of one of its intermediate tasks. Differences are over the seeds that
both have, and so is p: a paired t test over seeds. Swapping the outcomes of the same items tests another thing,
whether these very checkpoints differ on other items of the kind: two trainings of one recipe do, by the luck of
their seeds. Holm's correction goes over languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from xtr.analysis.answers.leaderboard import Row, best_rows, leaderboard
from xtr.analysis.records.outcomes import read_items, value_of
from xtr.analysis.records.scores import ScoreRow, at_settings, read_scores
from xtr.analysis.records.trials import read_trials
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split
from xtr.errors import InputError, Problem
from xtr.spec.expressions import target_task
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.store import StageStore
from xtr.statistics.intervals import Counts, Interval, items_interval, mean_interval
from xtr.statistics.significance import holm, paired_p, permutation_p

SEED = 0
"""Of the permutations: two calls say the same."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: what a sweep chose for each target, and how it scored.

    Attributes:
        name: as the user said it: `demo`, or `demo/squad_v1`.
        caveat: what has to be said wherever its scores show.
    """

    name: str
    rows: Mapping[str, Row]
    scores: Sequence[ScoreRow]
    store: StageStore
    caveat: tuple[str, ...] = ()

    def scored(self, target: str, split: Split) -> dict[str, dict[int, ScoreRow]]:
        """Find the scores of a target's winner in its own metric: by language, then by seed."""
        metric = find_task(target_task(target)).metric
        pair = (self.rows[target].intermediate, target)
        found: dict[str, dict[int, ScoreRow]] = {}
        for row in self.scores:
            if (row.intermediate, row.target) == pair and (row.split, row.metric) == (split, metric):
                found.setdefault(row.language, {})[row.seed] = row
        return found


@dataclass(frozen=True, slots=True)
class LanguageDifference:
    """One language of one target: means over the seeds that both have, in [0, 1].

    Attributes:
        difference: the first minus the second, with its interval over seeds.
        p: of "the two recipes are alike", over seeds; `p_holm` is adjusted for the number of languages. None with
            one seed, or where all seeds differ by the same.
        p_items: of "these checkpoints are alike", on the same items, adjusted for the number of languages. It
            knows nothing of the luck of training.
    """

    language: str
    one: float
    other: float
    difference: Interval
    p: float | None
    p_holm: float | None
    p_items: float
    n_items: int


@dataclass(frozen=True, slots=True)
class TargetComparison:
    """Two winners of one target.

    Attributes:
        intermediates: of the first and of the second.
        changed: settings that differ, the first's and the second's; None where one has no such setting.
        mean: the difference of the means over the languages, with its interval over seeds.
    """

    target: str
    metric: str
    intermediates: tuple[str, str]
    changed: Mapping[str, tuple[Value | None, Value | None]]
    languages: tuple[LanguageDifference, ...]
    mean: Interval


def find_side(name: str, spec: SweepSpec, folder: Path, intermediate: str = "") -> Side:
    """Read what a sweep chose: the best pair of each target, or that of one intermediate task.

    Raises:
        InputError: the sweep has no finished trial of it.
    """
    ranked = leaderboard(spec, read_trials(folder))
    chosen = (
        [row for row in ranked if row.intermediate == intermediate] if intermediate else best_rows(ranked)
    )
    if not chosen:
        known = sorted({row.intermediate for row in ranked})
        raise InputError(
            Problem(
                "no finished trial to compare", received=name, allowed=", ".join(known) or "xtr run it first"
            )
        )
    settings = {Pair(row.intermediate, row.target): row.config for row in chosen}
    scores = at_settings(read_scores(folder), settings)
    store = StageStore(spec.storage.workplace())
    return Side(name, {row.target: row for row in chosen}, scores, store, spec.search.caveat)


def compare_sides(one: Side, other: Side, split: Split) -> list[TargetComparison]:
    """Compare two sides on every target and language that both were scored on.

    Raises:
        InputError: they were not scored on a common target, language, seed and split, or not on the same items.
    """
    paired = {target: _pairs(target, one, other, split) for target in one.rows if target in other.rows}
    compared = [_compare_target(target, one, other, pairs) for target, pairs in paired.items() if pairs]
    if not compared:
        raise InputError(
            Problem(
                f"{one.name} and {other.name} were not scored on a common target, language and seed ({split})",
                hint=f"xtr evaluate {one.name.partition('/')[0]} --split {split}, and the other likewise",
            )
        )
    return compared


Pairs = Mapping[str, Mapping[int, tuple[ScoreRow, ScoreRow]]]
"""Two sides' scores of one target, by language and by seed; every language has the same seeds."""


def _pairs(target: str, one: Side, other: Side, split: Split) -> Pairs:
    ours, theirs = one.scored(target, split), other.scored(target, split)
    languages = [language for language in ours if language in theirs]
    seeds = [ours[language].keys() & theirs[language].keys() for language in languages]
    common = sorted(set.intersection(*map(set, seeds))) if seeds else []
    if not common:
        return {}
    return {
        language: {seed: (ours[language][seed], theirs[language][seed]) for seed in common}
        for language in languages
    }


def _compare_target(target: str, one: Side, other: Side, pairs: Pairs) -> TargetComparison:
    found = [_compare_language(language, rows, one, other) for language, rows in pairs.items()]
    adjusted = holm({each.language: each.p for each in found if each.p is not None})
    items = holm({each.language: each.p_items for each in found})
    ours, theirs = one.rows[target], other.rows[target]
    names = sorted(ours.config.keys() | theirs.config.keys())
    settings = {name: (ours.config.get(name), theirs.config.get(name)) for name in names}
    differences = [[mine.value - yours.value for mine, yours in rows.values()] for rows in pairs.values()]
    return TargetComparison(
        target,
        find_task(target_task(target)).metric,
        (ours.intermediate, theirs.intermediate),
        {name: each for name, each in settings.items() if each[0] != each[1]},
        tuple(
            replace(each, p_holm=adjusted.get(each.language), p_items=items[each.language]) for each in found
        ),
        mean_interval([fmean(of_seed) for of_seed in zip(*differences, strict=True)]),
    )


def _compare_language(
    language: str, rows: Mapping[int, tuple[ScoreRow, ScoreRow]], one: Side, other: Side
) -> LanguageDifference:
    metric = next(iter(rows.values()))[0].metric
    ours, theirs = (
        {seed: read_items(side.store, pair[place].stage, metric) for seed, pair in rows.items()}
        for place, side in enumerate((one, other))
    )
    if {ids for ids, _ in ours.values()} != {ids for ids, _ in theirs.values()}:
        raise InputError(
            Problem(
                f"{one.name} and {other.name} were not scored on the same items in {language}",
                hint="compare sweeps with the same data and stages.evaluate.max_rows",
            )
        )
    value = value_of(next(iter(ours.values()))[1])
    counts = [{seed: each for seed, (_, each) in side.items()} for side in (ours, theirs)]
    return LanguageDifference(
        language,
        fmean(pair[0].value for pair in rows.values()),
        fmean(pair[1].value for pair in rows.values()),
        items_interval(counts[0], counts[1], value, seed=SEED),
        p=paired_p([mine.value - yours.value for mine, yours in rows.values()]),
        p_holm=None,
        p_items=permutation_p(_summed(counts[0]), _summed(counts[1]), value, seed=SEED),
        n_items=next(iter(rows.values()))[0].n,
    )


def _summed(by_seed: Mapping[int, Counts]) -> Counts:
    """Add an item's counts over seeds."""
    summed: Counts = np.sum(list(by_seed.values()), axis=0)
    return summed
