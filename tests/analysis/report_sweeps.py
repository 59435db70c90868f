"""Sweeps whose folders are written from rows, for reports: whole ones, and ones that lack something."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xtr.analysis.records.openings import note_opening
from xtr.analysis.records.scores import ScoreRow, write_scores
from xtr.analysis.records.spending import Spent, note_spent
from xtr.analysis.records.trials import Phase, TrialRow, write_trials
from xtr.analysis.report.gathered import Gathered, Importances, gather
from xtr.spec.load import load_stored
from xtr.spec.space import Value
from xtr.spec.sweep import Pair

SPEC = """
version: 1
name: shown
description: Does NLI help paraphrases and names?
model: {name: demo}
pairs: {intermediate: [mnli, csqa], target: [pawsx, panx]}
search:
  space:
    intermediate.fraction: {choice: [0.125, 0.25, 0.5, 1.0]}
    target.learning_rate: {choice: [1e-5, 2e-5, 4e-5]}
  trials_per_pair: 12
  confirm: {top: 1, seeds: [2, 3, 4]}
data: {source: demo}
"""
SIZES, RATES, SEEDS = (0.125, 0.25, 0.5, 1.0), (1e-5, 2e-5, 4e-5), (2, 3, 4)
LANGUAGES = ("en", "de", "es", "ru", "sw", "ta", "tr", "zh")
LIMIT, SCALE, EXPONENT = 0.1, 0.05, 0.8
"""Of the law by which `mnli` loses less the more of it there is."""


@dataclass
class Sweep:
    """A sweep's folder; `mnli` helps by a law of scale, `csqa` does nothing, and German is near."""

    root: Path
    trials: list[TrialRow] = field(default_factory=list)
    scores: list[ScoreRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.root / "sweeps" / "shown"
        self.folder.mkdir(parents=True)
        (self.folder / "spec.yaml").write_text(SPEC)
        self.draw = random.Random(0)

    def write(self) -> None:
        """Write what there is by now."""
        write_trials(self.folder, self.trials)
        write_scores(self.folder, self.scores, "test")

    def gathered(self, importances: Importances | None = None) -> Gathered:
        """Write and read it as a report does."""
        self.write()
        spec = load_stored(self.folder, str(self.root))
        return gather(spec, self.folder, importances=importances or {}, date="2026-11-20")

    def trial(
        self, pair: Pair, params: dict[str, Value], value: float, seed: int = 1, phase: Phase = "search"
    ) -> None:
        """Add a trial that has ended."""
        own = [row for row in self.trials if row.pair == pair]
        of = None
        if phase == "confirm":
            of = max((row for row in own if row.phase == "search"), key=lambda row: row.value or 0.0).number
        index = sum(row.phase == phase for row in own)
        self.trials.append(
            TrialRow(
                pair.intermediate,
                pair.target,
                len(own),
                phase,
                index,
                seed,
                params,
                "complete",
                value,
                None,
                of,
            )
        )

    def search(self, pair: Pair, noise: float = 0.004) -> None:
        """Add a search over all points, the seeds that confirm its best, and `none` beside it."""
        for size in SIZES if pair.intermediate != "none" else (None,):
            for rate in RATES:
                params: dict[str, Value] = {"target.learning_rate": rate}
                if size is not None:
                    params["intermediate.fraction"] = size
                self.trial(pair, params, true_score(pair, params))
        best = max((row for row in self.trials if row.pair == pair), key=lambda row: row.value or 0.0)
        for seed in SEEDS:
            value = true_score(pair, best.params) + self.draw.gauss(0, noise)
            self.trial(pair, best.params, value, seed, "confirm")
            if pair.intermediate != "none":
                baseline = true_score(Pair("none", pair.target), best.target_params)
                self.trial(
                    Pair("none", pair.target),
                    best.target_params,
                    baseline + self.draw.gauss(0, noise),
                    seed,
                    "control",
                )

    def score(self, pair: Pair, languages: Sequence[str] = LANGUAGES, seeds: Sequence[int] = SEEDS) -> None:
        """Add a winner's scores: English is best, and what an intermediate task brings it brings everywhere."""
        metric = {"pawsx": "accuracy", "panx": "f1"}[pair.target]
        gain = 0.1 if pair.intermediate == "mnli" else 0.0
        for code in languages:
            for seed in seeds:
                value = 0.8 - 0.3 * (code != "en") - 0.01 * len(code) + gain + self.draw.gauss(0, 0.005)
                self.scores.append(
                    ScoreRow(pair.intermediate, pair.target, seed, "test", code, metric, value, 100)
                )


def true_score(pair: Pair, params: dict[str, Value]) -> float:
    """What a trial would score without chance."""
    size = float(params.get("intermediate.fraction", 0.0))
    loss = LIMIT + SCALE * size**-EXPONENT if pair.intermediate == "mnli" else 0.4
    return 1 - loss - 0.02 * (params["target.learning_rate"] != 2e-5)


def pairs() -> Iterator[Pair]:
    """The pairs of the sweep."""
    for target in ("pawsx", "panx"):
        for intermediate in ("none", "mnli", "csqa"):
            yield Pair(intermediate, target)


def whole(root: Path) -> Sweep:
    """A sweep that lacks nothing."""
    sweep = Sweep(root)
    for pair in pairs():
        sweep.search(pair)
        sweep.score(pair)
    note_spent(sweep.folder, "run", Spent(gpu_hours=2.0, cpu_hours=8.0))
    for computed in (36, 0):
        note_opening(sweep.folder, "test", evaluations=36, computed=computed)
    return sweep
