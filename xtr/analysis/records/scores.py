"""This is where scores in every language are kept and summed up: of winners, and of all points of a design.

sweeps/<name>/scores.jsonl    one row per pair, settings, seed, split, language and metric; in [0, 1]
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from xtr.catalogue.benchmarks import benchmark_languages, counted_languages
from xtr.catalogue.languages import LANGUAGES
from xtr.catalogue.lookup import TASKS, find_task
from xtr.catalogue.task import Split
from xtr.fingerprint import canonical_json
from xtr.metrics.xtreme import BenchmarkScore, benchmark_score
from xtr.spec.space import Value
from xtr.spec.sweep import Pair
from xtr.storage import read_lines, write_atomic

FILE = "scores.jsonl"


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One metric in one language, over `n` rows.

    Attributes:
        stage: the evaluation's key.
        settings: the trial's dimensions by dotted name; empty where there are none, or where nobody has said:
            then the row is the winner's.
    """

    intermediate: str
    target: str
    seed: int
    split: Split
    language: str
    metric: str
    value: float
    n: int
    stage: str = ""
    settings: Mapping[str, Value] = field(default_factory=dict)

    @property
    def pair(self) -> Pair:
        """The pair that was scored."""
        return Pair(self.intermediate, self.target)


def write_scores(folder: Path, rows: Iterable[ScoreRow], split: Split) -> None:
    """Replace the rows of one split."""
    kept = [row for row in read_scores(folder) if row.split != split]
    write_atomic(folder / FILE, "".join(canonical_json(asdict(row)) + "\n" for row in [*kept, *rows]))


def read_scores(folder: Path) -> list[ScoreRow]:
    """Read every row."""
    return [ScoreRow(**json.loads(line)) for line in read_lines(folder / FILE)]


def at_settings(rows: Iterable[ScoreRow], settings: Mapping[Pair, Mapping[str, Value]]) -> list[ScoreRow]:
    """Keep each pair's rows at its settings here, such as its winner's; other pairs are left out."""
    return [row for row in rows if row.pair in settings and row.settings in ({}, dict(settings[row.pair]))]


def by_language(rows: Sequence[ScoreRow], pair: Pair, metric: str) -> dict[str, float]:
    """Average a pair's metric over seeds, by language in the order of the rows; values in [0, 1]."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row.pair == pair and row.metric == metric:
            values.setdefault(row.language, []).append(row.value)
    return {language: sum(each) / len(each) for language, each in values.items()}


def xtreme_scores(
    rows: Sequence[ScoreRow], best: Mapping[str, Pair], benchmark: str = "xtreme"
) -> BenchmarkScore:
    """Score each target by the pair chosen for it, on a benchmark's scale (0 to 100).

    Groups and the overall score need every language that the benchmark counts; the demo world has its own.
    """
    scores = {target: metrics_by_language(rows, pair) for target, pair in best.items()}
    counted = {
        target: {code: each[code] for code in counted_languages(find_task(target), benchmark, each)}
        for target, each in scores.items()
        if target in TASKS and each
    }
    whole = {
        target: each
        for target, each in counted.items()
        if not set(each) <= set(LANGUAGES)
        or set(each) == set(benchmark_languages(find_task(target), benchmark))
    }
    averages = benchmark_score(whole, benchmark)
    return BenchmarkScore(benchmark_score(counted, benchmark).tasks, averages.groups, averages.overall)


def metrics_by_language(rows: Sequence[ScoreRow], pair: Pair) -> dict[str, dict[str, float]]:
    """Average every metric of a pair over seeds, by language; values in [0, 1]."""
    scores: dict[str, dict[str, float]] = {}
    for metric in dict.fromkeys(row.metric for row in rows if row.pair == pair):
        for language, value in by_language(rows, pair, metric).items():
            scores.setdefault(language, {})[metric] = value
    return scores
