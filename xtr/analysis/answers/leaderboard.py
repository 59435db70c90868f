"""This is where the sweep's answer is computed: per target the best pair, and what transfer it brings.

transfer                 the pair's best minus the best of `none`, over the seeds that both have
transfer_same_settings   the pair's best minus `none` at the same target settings and seeds
expected_best            expected score of the best of n of the pair's search trials; a target's pairs have one n

Beside it stands what `xtr evaluate` scores: the winners, of a design every point.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean

from xtr.analysis.records.scores import ScoreRow, at_settings
from xtr.analysis.records.trials import TrialRow, Winner, winner
from xtr.fingerprint import JSON
from xtr.metrics.expected_best import expected_best
from xtr.spec.budget import searches
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One pair on the leaderboard; scores in [0, 1], `config` the winning trial's dimensions.

    `transfer` is None where the two have no seed in common. `expected_best` is of the search's own seed: it
    compares pairs at equal budget, and is not confirmed.

    Attributes:
        trials, collapsed: how many trials the pair has had, and how many of them collapsed to one class.
        collapsed_seeds: those of `seeds` at which the winner itself collapsed.
    """

    target: str
    intermediate: str
    score: float
    baseline: float | None
    transfer: float | None
    transfer_same_settings: float | None
    seeds: tuple[int, ...]
    config: dict[str, Value]
    expected_best: float | None = None
    expected_best_n: int = 0
    trials: int = 0
    collapsed: int = 0
    collapsed_seeds: tuple[int, ...] = ()


def winners(spec: SweepSpec, trials: Sequence[TrialRow]) -> dict[Pair, Winner]:
    """Choose every pair's winner; pairs without a completed trial are left out."""
    by_pair = _by_pair(trials)
    top, searched = spec.search.confirm.top, searches(spec)
    found = {pair: winner(by_pair.get(pair, []), top, searched=searched) for pair in spec.pairs.pairs()}
    return {pair: each for pair, each in found.items() if each is not None}


@dataclass(frozen=True, slots=True)
class Point:
    """What is scored in every language: settings of a pair at a seed; `wins` where they are its winner's."""

    pair: Pair
    params: dict[str, Value]
    seed: int
    wins: bool


def points(spec: SweepSpec, trials: Sequence[TrialRow]) -> list[Point]:
    """List what is to be scored in every language: winners at their seeds, of a design all that has completed."""
    chosen = winners(spec, trials)
    if spec.search.design is None:
        return [Point(pair, best.params, seed, True) for pair, best in chosen.items() for seed in best.seeds]
    done = [row for row in trials if row.state == "complete" and row.pair in chosen]
    order = {pair: place for place, pair in enumerate(chosen)}
    return [
        Point(row.pair, row.params, row.seed, row.params == chosen[row.pair].params)
        for row in sorted(done, key=lambda row: order[row.pair])
    ]


def scores_of_winners(
    spec: SweepSpec, trials: Sequence[TrialRow], scores: Iterable[ScoreRow]
) -> list[ScoreRow]:
    """Keep the scores of the pairs' winners."""
    return at_settings(scores, {pair: best.params for pair, best in winners(spec, trials).items()})


def leaderboard(spec: SweepSpec, trials: Sequence[TrialRow]) -> list[Row]:
    """Rank the pairs of each target, best first; targets in the order of the sweep file."""
    chosen, by_pair = winners(spec, trials), _by_pair(trials)
    drawn = {pair: draws(by_pair[pair], pair) for pair in chosen}
    rows = []
    for pair, best in chosen.items():
        n = min(len(values) for other, values in drawn.items() if other.target == pair.target)
        baseline = Pair("none", pair.target)
        row = _row(best, chosen.get(baseline), by_pair.get(baseline, []))
        expected = replace(row, expected_best=expected_best(drawn[pair], n), expected_best_n=n)
        rows.append(_with_collapsed(expected, by_pair[pair]))
    targets = list(dict.fromkeys(spec.pairs.target))
    return sorted(rows, key=lambda row: (targets.index(row.target), -row.score, row.intermediate))


def _with_collapsed(row: Row, trials: Sequence[TrialRow]) -> Row:
    """Say of a pair how many of its trials collapsed, and where its winner did."""
    collapsed = [each for each in trials if each.collapsed]
    own = {each.seed for each in collapsed if each.params == row.config}
    seeds = tuple(seed for seed in row.seeds if seed in own)
    return replace(row, trials=len(trials), collapsed=len(collapsed), collapsed_seeds=seeds)


def _by_pair(trials: Sequence[TrialRow]) -> dict[Pair, list[TrialRow]]:
    found: dict[Pair, list[TrialRow]] = {}
    for row in trials:
        found.setdefault(row.pair, []).append(row)
    return found


def draws(trials: Sequence[TrialRow], pair: Pair) -> list[float]:
    """List what a pair's search trials came to, in [0, 1] (`told`)."""
    return told([row for row in trials if row.pair == pair and row.phase == "search"])


def told(ended: Sequence[TrialRow]) -> list[float]:
    """List what a pair's trials came to, in [0, 1]: every trial that told something is a draw.

    One that was stopped early counts with its score at its last rung, but never above the pair's best: nobody
    knows what it would have reached. One that diverged counts with the lowest of the pair's scores, and one that
    collapsed with its own: both are what a search of this size may meet again.
    """
    whole = [row.value for row in ended if row.state == "complete" and row.value is not None]
    if not whole:
        return []
    stopped = [min(row.rung, max(whole)) for row in ended if row.state == "pruned" and row.rung is not None]
    diverged = sum(row.state == "diverged" for row in ended)
    return [*whole, *stopped, *[min(*whole, *stopped, 1.0)] * diverged]


def best_rows(rows: Sequence[Row]) -> list[Row]:
    """Keep each target's first row."""
    return [row for i, row in enumerate(rows) if row.target not in {earlier.target for earlier in rows[:i]}]


def document(spec: SweepSpec, rows: Sequence[Row]) -> dict[str, JSON]:
    """Return the leaderboard as a JSON document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "sweep": spec.name,
        "select_on": spec.search.select_on,
        "rows": [_plain(row) for row in rows],
    }


def _plain(row: Row) -> JSON:
    values: dict[str, JSON] = asdict(row)
    values |= {"seeds": list(row.seeds), "collapsed_seeds": list(row.collapsed_seeds)}
    return values


def _row(best: Winner, baseline: Winner | None, trials: Sequence[TrialRow]) -> Row:
    same = same_settings(best, trials)
    return Row(
        target=best.pair.target,
        intermediate=best.pair.intermediate,
        score=best.score,
        baseline=None if baseline is None else baseline.score,
        transfer=None if baseline is None else _over_common_seeds(best.scores, baseline.scores),
        transfer_same_settings=None if same is None else best.score - same,
        seeds=best.seeds,
        config=best.params,
    )


def _over_common_seeds(ours: Mapping[int, float], theirs: Mapping[int, float]) -> float | None:
    """Subtract seed by seed: a seed that only one of the two has would lend it its luck."""
    differences = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    return fmean(differences) if differences else None


def same_settings(best: Winner, trials: Sequence[TrialRow]) -> float | None:
    """Mean score of `none` at the winner's target settings and seeds; None where a seed is missing."""
    values = same_settings_scores(best, trials)
    if not all(seed in values for seed in best.seeds):
        return None
    return sum(values[seed] for seed in best.seeds) / len(best.seeds)


def same_settings_scores(best: Winner, trials: Sequence[TrialRow]) -> dict[int, float]:
    """Find the scores of `none` at the winner's target settings, by training seed."""
    baseline = Pair("none", best.pair.target)
    return {
        row.seed: row.value
        for row in trials
        if row.pair == baseline and row.target_params == best.target_params and row.value is not None
    }
