"""This is where each pair on the leaderboard gets its intervals, and the word on whether chance explains it.

    Standing(row, score, difference, p=0.004, p_holm=0.02, verdict="helps", why="")

The word goes by the difference to `none` at the same target settings, seed by seed, and by Holm's correction over
all pairs. What is tested has not been chosen by the seeds that test it:

- Of a search it is the winner, which its own seed has chosen and others confirm. Where several finalists are
  confirmed the same seeds choose among them too; p and the interval then allow for their number (Bonferroni).
- Of a design, whose every seed has a part in choosing the winner, it is the mean over all of a pair's settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from xtr.analysis.answers.leaderboard import Row, same_settings_scores
from xtr.analysis.records.trials import TrialRow, Winner, finalists, target_part
from xtr.fingerprint import canonical_json
from xtr.spec.search import SearchSpec
from xtr.spec.space import Value
from xtr.spec.sweep import Pair
from xtr.statistics.intervals import CONFIDENCE, Interval, mean_interval, paired_differences
from xtr.statistics.significance import holm, paired_p

SIGNIFICANT = 0.05
Verdict = Literal["baseline", "helps", "harms", "undecided", "not tested"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One pair on the leaderboard, in [0, 1].

    Attributes:
        score: over the seeds that confirm it.
        difference: to `none` at the same target settings and seeds, of the winner or in a design over all
            settings; None where that was not trained.
        p, p_holm: of "the difference is nought", alone and among all pairs.
        why: what a missing test lacks, in words.
    """

    row: Row
    score: Interval
    difference: Interval | None
    p: float | None = None
    p_holm: float | None = None
    verdict: Verdict = "not tested"
    why: str = ""

    @property
    def pair(self) -> Pair:
        """The pair."""
        return Pair(self.row.intermediate, self.row.target)


def standings_of(
    search: SearchSpec, rows: Sequence[Row], winners: Mapping[Pair, Winner], trials: Sequence[TrialRow]
) -> list[Standing]:
    """Test every pair of a leaderboard against `none`."""
    by_pair: dict[Pair, list[TrialRow]] = {pair: [] for pair in winners}
    for trial in trials:
        by_pair.setdefault(trial.pair, []).append(trial)
    found = [_standing(search, row, winners, by_pair) for row in rows]
    adjusted = holm({each.pair: each.p for each in found if each.p is not None})
    return [_decided(replace(each, p_holm=adjusted.get(each.pair))) for each in found]


def _standing(
    search: SearchSpec,
    row: Row,
    winners: Mapping[Pair, Winner],
    by_pair: Mapping[Pair, Sequence[TrialRow]],
) -> Standing:
    pair = Pair(row.intermediate, row.target)
    best, own, controls = winners[pair], by_pair[pair], by_pair.get(Pair("none", row.target), ())
    score = mean_interval(list(best.scores.values()))
    if row.intermediate == "none":
        return Standing(row, score, None, verdict="baseline")
    if search.design is None:
        n_finalists = max(1, len(finalists(own, search.confirm.top)))
        by_seed = paired_differences(best.scores, same_settings_scores(best, controls))
    else:
        n_finalists, by_seed = 1, over_all_settings(_scored(own), _scored(controls))
    differences = list(by_seed.values())
    if not differences:
        return Standing(row, score, None, why="`none` was not trained at its settings and seeds")
    why = ""
    if len(differences) == 1:
        why = "one seed says nothing about chance"
    elif max(differences) - min(differences) < 1e-12:
        why = "the difference is the same at every seed, so its chance cannot be told"
    p = None if why else paired_p(differences)
    difference = mean_interval(differences, confidence=1 - (1 - CONFIDENCE) / n_finalists)
    return Standing(row, score, difference, None if p is None else min(1.0, n_finalists * p), why=why)


Scored = tuple[int, Mapping[str, Value], float]
"""A training seed, the settings, and what they came to."""


def over_all_settings(own: Iterable[Scored], controls: Iterable[Scored]) -> dict[int, float]:
    """Average, seed by seed, what a pair's settings bring over `none` at their target settings.

    Settings that lack a seed, or `none` there, are left out of all seeds: each seed's mean is over the same ones.
    """
    of_none = {(seed, canonical_json(target_part(settings))): value for seed, settings, value in controls}
    apart: dict[int, dict[str, float]] = {}
    for seed, settings, value in own:
        control = of_none.get((seed, canonical_json(target_part(settings))))
        if control is not None:
            apart.setdefault(seed, {})[canonical_json(dict(settings))] = value - control
    common = set.intersection(*map(set, apart.values())) if apart else set()
    return {seed: fmean(each[name] for name in common) for seed, each in sorted(apart.items()) if common}


def _scored(rows: Iterable[TrialRow]) -> list[Scored]:
    return [(row.seed, row.params, row.value) for row in rows if row.value is not None]


def _decided(each: Standing) -> Standing:
    if each.p_holm is None or each.difference is None:
        return each
    if each.p_holm >= SIGNIFICANT:
        return replace(each, verdict="undecided")
    return replace(each, verdict="helps" if each.difference.mean > 0 else "harms")


def bounds(interval: Interval | None) -> tuple[float | None, float | None]:
    """Give an interval's ends; none where seeds do not differ, for such an interval has no width to speak of."""
    if interval is None or interval.low is None or interval.high is None:
        return None, None
    if interval.high - interval.low < 1e-12:
        return None, None
    return interval.low, interval.high
