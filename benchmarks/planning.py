"""How long plans take, and how many tokens sharing saves by count.

    python benchmarks/planning.py [speed] [sharing]

Speed plans 100 pairs of up to 120 trials on the demo world: a finite space tried as a whole, continuous ones, and
one whose trials have all been told. Sharing plans nine intermediate tasks on XTREME, as a grid and as a search of
24 trials a pair over 63 intermediate settings, by the catalogue's sizes. Nothing is trained.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, run_parts
from xtr.analysis.planning.ledger import Ledger
from xtr.analysis.planning.plan import plan_sweep
from xtr.analysis.records.trials import TrialRow, read_trials, write_trials
from xtr.data.open import open_source
from xtr.spec.budget import grid, pair_dimensions
from xtr.spec.sweep import SweepSpec
from xtr.stages.store import StageStore

NINE = ["anli_plus", "mnli", "qqp", "squad_v2", "squad_v1", "hellaswag", "ccg", "cosmosqa", "csqa"]
XTREME = ["xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba"]
TEN = [*("mnli", "squad_v1", "csqa", "copa", "udpos", "panx", "pawsx"), "mnli>csqa", "mnli+csqa"]
FINITE = {
    "intermediate.learning_rate": {"choice": [1e-4, 3e-4]},
    "intermediate.epochs": {"int": [1, 5]},
    "target.learning_rate": {"choice": [1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4]},
    "target.epochs": {"choice": [2, 4]},
}
CONTINUOUS = {
    "intermediate.learning_rate": {"log_float": [1e-5, 1e-3]},
    "intermediate.fraction": {"float": [0.1, 1.0]},
    "target.learning_rate": {"log_float": [1e-5, 1e-3]},
}
MIXED = {**CONTINUOUS, "intermediate.learning_rate": {"choice": [1e-4, 3e-4]}, "intermediate.fraction": 0.5}


def speed(folder: Path) -> list[Figure]:
    """Time plans of 10,000 trials, the best of three."""
    figures = []
    for name, space in {"a grid": FINITE, "a continuous space": CONTINUOUS, "shared settings": MIXED}.items():
        spec = large(folder, space)
        figures.append(timed(f"10,000 trials, {name}", spec, folder, []))
    spec = large(folder, FINITE)
    write_trials(folder, told(spec))
    return [*figures, timed("10,000 trials, all told", spec, folder, None)]


def timed(name: str, spec: SweepSpec, folder: Path, trials: list[TrialRow] | None) -> Figure:
    """Plan as `xtr plan` does; with None the trials are read from the folder."""
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        rows = read_trials(folder) if trials is None else trials
        plan = plan_sweep(spec, open_source(spec.data, folder, resolve=False), StageStore(folder), rows)
        seconds.append(time.monotonic() - began)
        assert plan.trials >= 9_900, plan.trials
    return Figure(name, min(seconds), "s", "under 5", min(seconds) < 5)


def large(folder: Path, space: Mapping[str, Any]) -> SweepSpec:
    """100 pairs of up to 120 trials, 9,900 of them in a grid."""
    targets = [
        "tydiqa",
        "udpos",
        "tatoeba",
        "panx",
        "xquad",
        "xnli",
        "pawsx",
        "xcopa",
        "tydiqa@xa",
        "udpos@xb",
    ]
    return SweepSpec.model_validate(
        {
            "version": 1,
            "name": "large",
            "model": {"name": "demo"},
            "pairs": {"intermediate": TEN, "target": targets},
            "search": {"space": space, "trials_per_pair": 120},
            "storage": {"root": str(folder)},
        }
    )


def told(spec: SweepSpec) -> list[TrialRow]:
    """Every trial of a grid as if it had been run."""
    return [
        TrialRow(pair.intermediate, pair.target, n, "search", n, 1, params, "complete", 0.5)
        for pair in spec.pairs.pairs()
        for n, params in enumerate(grid(pair_dimensions(spec, pair)))
    ]


SEARCHED = {
    "intermediate.learning_rate": {"choice": [5e-6, 1e-5, 2e-5]},
    "intermediate.epochs": {"choice": [1, 2, 3]},
    "intermediate.fraction": {"choice": [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0]},
    "target.learning_rate": {"log_float": [5e-6, 5e-5]},
}


def sharing(folder: Path) -> list[Figure]:
    """Count tokens alone and shared."""
    tokens = nine_on_xtreme(folder, {}, n_trials=1).train_tokens
    grid_ratio = tokens.naive / tokens.shared
    searched = nine_on_xtreme(folder, SEARCHED, n_trials=24)
    asked = [step for trial in searched.foreseen for step in trial.steps if step.kind == "intermediate"]
    once = {step.key: step for step in asked}.values()
    search_ratio = sum(step.tokens for step in asked) / searched.shared_tokens(once)
    return [
        Figure("nine on XTREME, tokens alone to shared", grid_ratio, "x", "at least 3.5", grid_ratio >= 3.5),
        Figure(
            "63 settings searched, intermediate tokens", search_ratio, "x", "at least 3", search_ratio >= 3
        ),
    ]


def nine_on_xtreme(folder: Path, space: Mapping[str, Any], n_trials: int) -> Ledger:
    """Count nine intermediates on nine targets, three epochs each, by the catalogue's sizes."""
    spec = SweepSpec.model_validate(
        {
            "version": 1,
            "name": "nine",
            "model": {"name": "xlm-roberta-large"},
            "pairs": {"intermediate": NINE, "target": XTREME},
            "search": {"space": space, "trials_per_pair": n_trials},
            "data": {"source": "official", "official_root": str(folder / "nowhere")},
            "storage": {"root": str(folder)},
        }
    )
    source = open_source(spec.data, folder, resolve=False)
    return Ledger(spec, source, StageStore(folder), [], "FILE")


PARTS = {"speed": speed, "sharing": sharing}

if __name__ == "__main__":
    run_parts("planning", PARTS)
