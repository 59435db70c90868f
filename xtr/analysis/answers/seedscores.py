"""This is where a winner's scores over seeds get their intervals, as a table that others read.

    split,language,metric,mean,low,high,n_seeds,n_rows

Values lie in [0, 1]. The first row is the score that chose the winner; of each split and metric the row `mean` is
over the languages. The interval is Student's t over seeds: where the mean of further seeds would lie. It is empty
below three seeds: that of two is as wide as the scale.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean

from xtr.analysis.records.scores import ScoreRow
from xtr.analysis.records.trials import Winner
from xtr.catalogue.lookup import find_task
from xtr.statistics.intervals import mean_interval

ALL_LANGUAGES = "mean"
LEAST_SEEDS = 3
"""From which an interval can be drawn that tells a reader something."""


@dataclass(frozen=True, slots=True)
class SeedScore:
    """One metric over seeds; `by_seed` has the values, `n_rows` the rows that each seed was scored on."""

    split: str
    language: str
    metric: str
    mean: float
    low: float | None
    high: float | None
    n_seeds: int
    n_rows: int | None
    by_seed: Mapping[int, float]


def seed_scores(best: Winner, scores: Sequence[ScoreRow], chosen_on: str = "select") -> list[SeedScore]:
    """List the score that a winner was chosen by, then its scores by split, metric and language."""
    metric = find_task(best.pair.target_task).metric
    table = [_score(chosen_on, "", metric, best.scores, None)]
    found: dict[tuple[str, str], dict[str, list[ScoreRow]]] = {}
    for row in scores:
        if row.pair == best.pair and row.seed in best.scores:
            by_language = found.setdefault((row.split, row.metric), {})
            by_language.setdefault(row.language, []).append(row)
    for (split, name), by_language in found.items():
        table += _of_metric(split, name, by_language)
    return table


def scores_csv(table: Sequence[SeedScore]) -> str:
    """Write the table as CSV, what is not there as nothing."""
    names = [each.name for each in fields(SeedScore) if each.name != "by_seed"]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(each) for each in table)
    return text.getvalue()


def _of_metric(split: str, metric: str, by_language: Mapping[str, Sequence[ScoreRow]]) -> Iterator[SeedScore]:
    values = {code: {row.seed: row.value for row in rows} for code, rows in by_language.items()}
    for code, rows in by_language.items():
        yield _score(split, code, metric, values[code], rows[0].n)
    common = set.intersection(*map(set, values.values()))
    if common and len(values) > 1:
        means = {seed: fmean(each[seed] for each in values.values()) for seed in sorted(common)}
        yield _score(split, ALL_LANGUAGES, metric, means, None)


def _score(
    split: str, language: str, metric: str, by_seed: Mapping[int, float], n_rows: int | None
) -> SeedScore:
    interval = mean_interval(list(by_seed.values()))
    low, high = (interval.low, interval.high) if interval.n_seeds >= LEAST_SEEDS else (None, None)
    return SeedScore(split, language, metric, interval.mean, low, high, interval.n_seeds, n_rows, by_seed)
