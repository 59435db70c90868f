"""How long the report of a large sweep takes, and how large its page is.

    python benchmarks/report.py

The sweep has 10,000 search trials of nine intermediate tasks and none on ten targets of XTREME and XTREME-R, the
trials that confirm their best and the controls, the winners' scores in every language, and its stages. All of it
is made up and written; nothing is trained.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, run_parts
from xtr.analysis.records.scores import ScoreRow, write_scores
from xtr.analysis.records.spending import Spent, note_spent
from xtr.analysis.records.trials import TrialRow, winner, write_trials
from xtr.catalogue.lookup import find_task
from xtr.fingerprint import JSON
from xtr.spec.dump import to_yaml
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.stage import stage_key
from xtr.stages.store import StageStore
from xtr.storage import write_atomic

NINE = ["mnli", "snli", "qqp", "squad_v1", "squad_v2", "hellaswag", "cosmosqa", "csqa", "siqa"]
TARGETS = [
    *("xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba", "xcopa"),
]
TRIALS, SEEDS, TURNS = 100, (2, 3, 4), 3
RATES = [5e-6, 1e-5, 2e-5]
FRACTIONS = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0]


@dataclass(frozen=True)
class Made:
    """A stage that nobody trained: a recipe and no files."""

    recipe: dict[str, JSON]

    @property
    def key(self) -> str:
        return stage_key(self.recipe)


def report(folder: Path) -> Iterator[Figure]:
    """Time `xtr report` as a user runs it, from start to end, and weigh its page."""
    n_trials = write_sweep(folder)
    seconds = [timed(folder, folder / f"report-{turn}") for turn in range(TURNS)]
    name = f"report of {n_trials:,} trials"
    yield Figure(name, median(seconds), "s", "under 20", median(seconds) < 20)
    size = (folder / "report-0" / "report.html").stat().st_size / 1e6
    yield Figure(f"{name}, the page", size, "MB", "under 5", size < 5)


def timed(folder: Path, to: Path) -> float:
    began = time.monotonic()
    command = [sys.executable, "-m", "xtr", "report", "large", "--root", str(folder), "--to", str(to)]
    here = str(Path(__file__).resolve().parent.parent)
    subprocess.run(command, check=True, cwd=folder, env={**os.environ, "PYTHONPATH": here})
    return time.monotonic() - began


def write_sweep(folder: Path) -> int:
    """Write a sweep's folder and its stages; return how many trials it has."""
    spec = large(folder)
    here = folder / "sweeps" / spec.name
    write_atomic(here / "spec.yaml", to_yaml(spec))
    draw = random.Random(0)
    made = Trials(StageStore(folder), draw)
    by_pair = {pair: list(made.of_pair(pair)) for pair in spec.pairs.pairs()}
    trials = [row for rows in by_pair.values() for row in rows]
    for pair, rows in by_pair.items():
        if pair.intermediate != "none":
            trials += made.controls(pair, rows)
    write_trials(here, trials)
    write_scores(here, [row for pair in spec.pairs.pairs() for row in scores(draw, pair)], "test")
    note_spent(here, "run", Spent(gpu_hours=170.0, cpu_hours=680.0))
    return len(trials)


def large(folder: Path) -> SweepSpec:
    space = {
        "intermediate.learning_rate": {"choice": RATES},
        "intermediate.fraction": {"choice": FRACTIONS},
        "target.learning_rate": {"log_float": [5e-6, 5e-5]},
        "target.epochs": {"int": [2, 10]},
    }
    return SweepSpec.model_validate(
        {
            "version": 1,
            "name": "large",
            "description": "Which of nine intermediate tasks helps which of ten targets?",
            "model": {"name": "xlm-roberta-large"},
            "pairs": {"intermediate": NINE, "target": TARGETS},
            "search": {"space": space, "trials_per_pair": TRIALS, "confirm": {"seeds": list(SEEDS)}},
            "data": {"source": "official", "official_root": str(folder)},
            "storage": {"root": str(folder)},
        }
    )


@dataclass(frozen=True)
class Trials:
    """Makes trials up, and publishes the stages that they would have had."""

    store: StageStore
    draw: random.Random

    def of_pair(self, pair: Pair) -> Iterator[TrialRow]:
        """Yield a pair's search and the trials that confirm its best."""
        searched = [
            self.ended(
                TrialRow(pair.intermediate, pair.target, n, "search", n, 1, self.params(pair), "running")
            )
            for n in range(TRIALS)
        ]
        yield from searched
        best = winner(searched, 1)
        assert best is not None
        for i, seed in enumerate(SEEDS):
            row = TrialRow(
                pair.intermediate,
                pair.target,
                TRIALS + i,
                "confirm",
                i,
                seed,
                best.params,
                "running",
                of=best.number,
            )
            yield self.ended(row)

    def controls(self, pair: Pair, rows: list[TrialRow]) -> Iterator[TrialRow]:
        """Yield `none` at a pair's winning settings and seeds."""
        best = winner(rows, 1)
        assert best is not None
        for i, seed in enumerate(best.seeds):
            number = 2 * TRIALS + len(SEEDS) * NINE.index(pair.intermediate) + i
            params = best.target_params
            yield self.ended(
                TrialRow("none", pair.target, number, "control", number, seed, params, "running")
            )

    def params(self, pair: Pair) -> dict[str, Value]:
        """Draw settings from the space."""
        params: dict[str, Value] = {}
        if pair.intermediate != "none":
            params["intermediate.learning_rate"] = self.draw.choice(RATES)
            params["intermediate.fraction"] = self.draw.choice(FRACTIONS)
        if find_task(pair.target).training_task is not None:
            params["target.learning_rate"] = 10 ** self.draw.uniform(-5.3, -4.302)
            params["target.epochs"] = self.draw.randint(2, 10)
        return params

    def ended(self, row: TrialRow) -> TrialRow:
        """Give a trial its score and its stages."""
        gain = 0.01 * len(row.intermediate) * float(row.params.get("intermediate.fraction", 0.3)) ** 0.3
        keys = []
        for role in ("intermediate", "target"):
            own: dict[str, JSON] = {name: v for name, v in row.params.items() if name.startswith(role)}
            if own or role == "target":
                task = row.intermediate if role == "intermediate" else f"{row.intermediate}>{row.target}"
                keys.append(self.made({"kind": "train", "task": task, "seed": row.seed, **own}))
        stages: list[JSON] = [{"key": key, "reused": False, "seconds": 60.0} for key in keys]
        value = 0.6 + gain + self.draw.gauss(0, 0.01)
        return replace(row, state="complete", value=value, detail={"seconds": 60.0, "stages": stages})

    def made(self, recipe: dict[str, JSON]) -> str:
        """Publish a stage without files."""
        stage = Made(recipe)
        if not self.store.has(stage.key):
            with self.store.workspace(stage.key) as partial:
                result: dict[str, JSON] = {"tokens": 1_000_000, "steps": 500}
                self.store.publish(stage, partial, result, {"seconds": 60.0})  # type: ignore[arg-type]
        return stage.key


def scores(draw: random.Random, pair: Pair) -> Iterator[ScoreRow]:
    """Yield a winner's scores in every language, metric and seed."""
    task = find_task(pair.target)
    for language in task.languages:
        for metric in task.metrics:
            for seed in SEEDS:
                value = 0.5 + 0.02 * len(pair.intermediate) + draw.gauss(0, 0.02)
                yield ScoreRow(pair.intermediate, pair.target, seed, "test", language, metric, value, 1000)


PARTS = {"report": report}

if __name__ == "__main__":
    run_parts("report", PARTS)
