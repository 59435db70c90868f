"""This is where an evaluation comes down to two numbers: the best intermediate per target, and one for all.

    summary = summarise(score_rows, leaderboard_rows)
    summary.best_per_target     -> 61.3: every target after the intermediate task that leads it
    summary.one_for_all         -> "squad_v1", whose own mean is summary.means["squad_v1"]

Which intermediate leads is what the search found on its select split; the scores shown here never choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from xtr.analysis.answers.leaderboard import Row, best_rows
from xtr.analysis.records.scores import ScoreRow, metrics_by_language
from xtr.analysis.tables import columns
from xtr.catalogue.benchmarks import counted_languages
from xtr.catalogue.lookup import find_task
from xtr.fingerprint import JSON
from xtr.metrics.transfer import Spread, spread
from xtr.metrics.xtreme import ranked_by, task_score
from xtr.spec.sweep import Pair

BASELINE = "none"


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores of a sweep's winners on one split, in points of 100, summed up.

    Attributes:
        spreads: how each pair's task score spreads over languages.
        chosen: the intermediate task that leads each target.
        best_per_target: the mean over targets, each after the one chosen for it.
        means: the mean over targets after one and the same intermediate task, `none` included, where it was
            evaluated with every target.
        one_for_all: of the others than `none`, the one with the best mean select score; None where there is none.
    """

    spreads: Mapping[Pair, Spread]
    chosen: Mapping[str, str]
    best_per_target: float
    means: Mapping[str, float]
    one_for_all: str | None


def summarise(
    rows: Sequence[ScoreRow], ranked: Sequence[Row], benchmark: str = "xtreme", source: str = "en"
) -> Summary | None:
    """Sum up an evaluation; None where nothing was scored.

    Args:
        rows: the scores of winners.
        ranked: the leaderboard, which chooses.
        benchmark: whose languages count.
        source: the language that the gap is measured from.
    """
    pairs = dict.fromkeys(row.pair for row in rows)
    spreads = {pair: spread(task_scores(rows, pair, benchmark), source) for pair in pairs}
    targets = list(dict.fromkeys(pair.target for pair in pairs))
    leaders = {row.target: row.intermediate for row in best_rows(ranked)}
    chosen = {target: leaders[target] for target in targets if Pair(leaders[target], target) in spreads}
    if not chosen:
        return None
    complete = [
        intermediate
        for intermediate in dict.fromkeys(pair.intermediate for pair in pairs)
        if all(Pair(intermediate, target) in spreads for target in targets)
    ]
    select = {(row.intermediate, row.target): row.score for row in ranked}
    rivals = [each for each in complete if each != BASELINE]
    return Summary(
        spreads=spreads,
        chosen=chosen,
        best_per_target=fmean(spreads[Pair(chosen[target], target)].mean for target in chosen),
        means={each: fmean(spreads[Pair(each, target)].mean for target in targets) for each in complete},
        one_for_all=max(
            rivals, key=lambda each: fmean(select[each, target] for target in targets), default=None
        ),
    )


def task_scores(rows: Sequence[ScoreRow], pair: Pair, benchmark: str) -> dict[str, float]:
    """Return a pair's task score by the languages that a benchmark counts, 0 to 100, averaged over seeds."""
    scores = metrics_by_language(rows, pair)
    counted = counted_languages(find_task(pair.target_task), benchmark, scores)
    return {code: task_score(pair.target_task, {code: scores[code]}) for code in counted}


def summary_document(summary: Summary) -> dict[str, JSON]:
    """Return a summary as JSON; every score in points of 100."""
    best = None if summary.one_for_all is None else summary.means[summary.one_for_all]
    return {
        "best_per_target": {"score": summary.best_per_target, "intermediates": dict(summary.chosen)},
        "one_for_all": {"score": best, "intermediate": summary.one_for_all},
        "means": dict(summary.means),
        "pairs": [
            {"target": pair.target, "intermediate": pair.intermediate, **asdict(each)}
            for pair, each in summary.spreads.items()
        ],
    }


def summary_text(summary: Summary) -> str:
    """Write each target after its best intermediate task, then the two numbers and the baseline."""
    header = ("target", "after", "score", "source", "others", "gap", "worst", "score is")
    best = [
        (Pair(after, target), summary.spreads[Pair(after, target)])
        for target, after in summary.chosen.items()
    ]
    table = columns(header, [_line(pair, each) for pair, each in best])
    lines = [("the winner per target (chosen on the select split)", f"{summary.best_per_target:.1f}")]
    if summary.one_for_all is not None:
        lines.append((f"one for all: {summary.one_for_all}", f"{summary.means[summary.one_for_all]:.1f}"))
    if BASELINE in summary.means:
        lines.append(("none", f"{summary.means[BASELINE]:.1f}"))
    n = len(summary.chosen)
    over = f"mean over {n} target{'s' if n > 1 else ''} after"
    return (
        f"task scores as the benchmark computes them, 0 to 100\n{table}\n\n{columns((over, 'score'), lines)}"
    )


def _line(pair: Pair, each: Spread) -> tuple[str, ...]:
    numbers = _points((each.mean, each.english, each.others, each.gap))
    worst = f"{each.worst} {each.lowest:.1f}"
    return (pair.target, pair.intermediate, *numbers, worst, _score_is(pair.target_task))


def _score_is(name: str) -> str:
    """Say of which metrics a task's score is made."""
    metrics = ranked_by(name, find_task(name).metrics)
    return f"mean of {', '.join(metrics)}" if len(metrics) > 1 else "".join(metrics)


def _points(values: Iterable[float | None]) -> list[str]:
    return ["-" if value is None else f"{value:.1f}" for value in values]
