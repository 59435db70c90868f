"""What the sweep real-small came to, beside the baselines that it has to pass.

    XTR_DATA=... XTR_MINILM=... python benchmarks/real_small.py [ROOT]

Run `xtr run sweeps/real-small.yaml` and `xtr evaluate sweeps/real-small.yaml` before. UD-POS accuracy in English
stands beside the most frequent tag of each word (unknown words: the most frequent tag of all) learnt from the same
training rows and scored on the same rows; the transfer of squad_v1 on tydiqa is given by seed and language.
"""

from __future__ import annotations

import statistics
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.analysis.answers.leaderboard import winners
from xtr.analysis.records.scores import ScoreRow, read_scores
from xtr.analysis.records.trials import Winner, read_trials
from xtr.catalogue.lookup import find_task
from xtr.data.rows import TaggingRow
from xtr.metrics.chunks import token_accuracy
from xtr.spec.load import load_sweep
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.path import Paths
from xtr.stages.training import training_rows
from xtr.stages.work import capped, source_of

SWEEP = Path(__file__).parent.parent / "sweeps" / "real-small.yaml"
ALONE, AFTER = Pair("none", "tydiqa"), Pair("squad_v1", "tydiqa")


def most_frequent_tag(train: list[TaggingRow], rows: list[TaggingRow]) -> float:
    """Accuracy over words of giving each word its most frequent tag."""
    by_word: dict[str, Counter[str]] = defaultdict(Counter)
    for row in train:
        for word, tag in zip(row.words, row.tags or (), strict=True):
            by_word[word][tag] += 1
    overall = sum(by_word.values(), Counter()).most_common(1)[0][0]
    guess = {word: counts.most_common(1)[0][0] for word, counts in by_word.items()}
    predicted = [[guess.get(word, overall) for word in row.words] for row in rows]
    return token_accuracy([row.tags or () for row in rows], predicted)


def tagging(spec: SweepSpec, best: Winner, scores: list[ScoreRow]) -> list[Figure]:
    """Compare `none` on UD-POS with the baseline, mean over seeds."""
    task, source = find_task("udpos"), source_of(spec)
    rows = capped(source.rows(task, "dev", "en"), spec.stages.evaluate.max_rows, task)
    baselines = []
    for seed in best.seeds:
        stage = Paths(spec, source).path(best.pair, best.params, seed).target
        assert stage is not None
        train = [row for row in training_rows(source, stage.parts[0], seed) if isinstance(row, TaggingRow)]
        baselines.append(100 * most_frequent_tag(train, [row for row in rows if isinstance(row, TaggingRow)]))
    accuracy, baseline = mean_score(scores, best.pair, "en", "accuracy"), statistics.mean(baselines)
    return [
        Figure("udpos en, accuracy of the most frequent tag, same rows", baseline, "%", "-", True),
        Figure(
            "udpos en, accuracy, no intermediate task",
            accuracy,
            "%",
            "baseline + 8",
            accuracy >= baseline + 8,
        ),
    ]


def transfer(scores: list[ScoreRow]) -> list[Figure]:
    """Give the transfer of squad_v1 on tydiqa by language: mean, least and most over seeds."""
    figures = []
    values = {
        (r.pair, r.seed, r.language): 100 * r.value
        for r in scores
        if r.target == "tydiqa" and r.metric == "f1"
    }
    seeds = sorted({seed for pair, seed, _ in values if pair == AFTER})
    for language in dict.fromkeys(language for pair, _, language in values if pair == AFTER):
        gains = [values[AFTER, seed, language] - values[ALONE, seed, language] for seed in seeds]
        spread = f"{min(gains):+.1f} to {max(gains):+.1f}"
        name = f"tydiqa {language}, squad_v1 - none, {len(seeds)} seeds ({spread})"
        figures.append(Figure(name, statistics.mean(gains), "F1", "-", True))
    return figures


def mean_score(scores: list[ScoreRow], pair: Pair, language: str, metric: str) -> float:
    """Average a pair's score over seeds, in points of 100."""
    return 100 * statistics.mean(
        row.value for row in scores if (row.pair, row.language, row.metric) == (pair, language, metric)
    )


if __name__ == "__main__":
    root = sys.argv[1] if len(sys.argv) > 1 else "runs"
    spec = load_sweep(SWEEP, [f"storage.root={root}"])
    folder = Path(root) / "sweeps" / spec.name
    scores, chosen = read_scores(folder), winners(spec, read_trials(folder))
    english = max(mean_score(scores, pair, "en", "f1") for pair in chosen if pair.target == "tydiqa")
    keep(
        "real-small",
        "xtr run sweeps/real-small.yaml; xtr evaluate sweeps/real-small.yaml; python benchmarks/real_small.py",
        [
            *tagging(spec, chosen[Pair("none", "udpos")], scores),
            Figure("tydiqa en, F1 of the best pair", english, "F1", "at least 45", english >= 45),
            *transfer(scores),
        ],
    )
