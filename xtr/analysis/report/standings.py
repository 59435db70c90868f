"""This is where each pair on the leaderboard gets its intervals, and the word on whether chance explains it.

    Standing(row, score, transfer, same_settings, p=0.004, p_holm=0.02, verdict="helps", why="")

The word goes by the difference at the same target settings and seeds, seed by seed, and by Holm's correction over
all pairs: the other difference also rewards a luckier search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from xtr.analysis.answers.leaderboard import Row, same_settings_scores
from xtr.analysis.records.trials import TrialRow, Winner
from xtr.spec.sweep import Pair
from xtr.statistics.intervals import Interval, mean_interval, paired_differences
from xtr.statistics.significance import holm, paired_p

SIGNIFICANT = 0.05
Verdict = Literal["baseline", "helps", "harms", "undecided", "not tested"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One pair on the leaderboard, in [0, 1].

    Attributes:
        score: over the seeds that confirm it.
        transfer: minus the best of `none`, over common seeds; None where the two have other seeds.
        same_settings: minus `none` at its own target settings and seeds; None where that was not trained.
        p, p_holm: of "the difference at the same settings is nought", alone and among all pairs.
        why: what a missing test lacks, in words.
    """

    row: Row
    score: Interval
    transfer: Interval | None
    same_settings: Interval | None
    p: float | None = None
    p_holm: float | None = None
    verdict: Verdict = "not tested"
    why: str = ""

    @property
    def pair(self) -> Pair:
        """The pair."""
        return Pair(self.row.intermediate, self.row.target)


def standings_of(
    rows: Sequence[Row], winners: Mapping[Pair, Winner], trials: Sequence[TrialRow]
) -> list[Standing]:
    """Test every pair of a leaderboard against `none`."""
    controls = [row for row in trials if row.intermediate == "none"]
    found = [_standing(row, winners, controls) for row in rows]
    adjusted = holm({each.pair: each.p for each in found if each.p is not None})
    return [_decided(replace(each, p_holm=adjusted.get(each.pair))) for each in found]


def _standing(row: Row, winners: Mapping[Pair, Winner], controls: Sequence[TrialRow]) -> Standing:
    best = winners[Pair(row.intermediate, row.target)]
    score = mean_interval(list(best.scores.values()))
    if row.intermediate == "none":
        return Standing(row, score, None, None, verdict="baseline")
    baseline = winners.get(Pair("none", row.target))
    transfer = _same_seeds(best.scores, baseline.scores) if baseline else None
    control = same_settings_scores(best, controls)
    differences = list(paired_differences(best.scores, control).values())
    if not differences:
        why = "`none` was not trained at its settings and seeds"
        return Standing(row, score, transfer, None, why=why)
    why = ""
    if len(differences) == 1:
        why = "one seed says nothing about chance"
    elif max(differences) - min(differences) < 1e-12:
        why = "the difference is the same at every seed, so its chance cannot be told"
    p = None if why else paired_p(differences)
    same = mean_interval(differences)
    return Standing(row, score, transfer, same, p, why=why)


def _same_seeds(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Interval | None:
    if ours.keys() != theirs.keys():
        return None
    return mean_interval(list(paired_differences(ours, theirs).values()))


def _decided(each: Standing) -> Standing:
    if each.p_holm is None or each.same_settings is None:
        return each
    if each.p_holm >= SIGNIFICANT:
        return replace(each, verdict="undecided")
    return replace(each, verdict="helps" if each.same_settings.mean > 0 else "harms")


def bounds(interval: Interval | None) -> tuple[float | None, float | None]:
    """Give an interval's ends; none where seeds do not differ, for such an interval has no width to speak of."""
    if interval is None or interval.low is None or interval.high is None:
        return None, None
    if interval.high - interval.low < 1e-12:
        return None, None
    return interval.low, interval.high
