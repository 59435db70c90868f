"""What trunk and branch save, and what the schedule that they need costs in quality.

    python benchmarks/trunk.py sizes
    XTR_DATA=... XTR_MINILM=... python benchmarks/trunk.py quality

`sizes` trains seven fractions of the demo world's MNLI by trunk and branch, and each again in an empty store.
`quality` trains UD-POS in English from a small real encoder with both schedules at equal settings, seeds 1 to 5;
the warm-up has as many steps in both. The interval is Student's over the five differences.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, run_parts
from xtr.catalogue.lookup import find_task
from xtr.spec.space import Choice
from xtr.spec.sweep import (
    DataSpec,
    EvaluateSettings,
    ModelSpec,
    Pair,
    PairsSpec,
    SearchSpec,
    StagesSpec,
    StorageSpec,
    SweepSpec,
    TrainSettings,
)
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.stage import TrainStage

FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
DECAY = 0.1
SEEDS = (1, 2, 3, 4, 5)
T_975 = 2.776
"""The 97.5 % point of Student's t with four degrees of freedom."""


@dataclass
class Cost:
    """What runs came to, and what was spent on them."""

    weights: list[str]
    steps: int
    tokens: int


def size_study(root: Path, encoder: str, fractions: tuple[float, ...]) -> SweepSpec:
    settings = TrainSettings(
        schedule="wsd",
        warmup_steps=20,
        decay_fraction=DECAY,
        learning_rate=3e-4,
        epochs=1,
        batch_size=16,
        max_length=48,
    )
    return SweepSpec(
        version=1,
        name="sizes",
        model=ModelSpec(name=encoder),
        pairs=PairsSpec(intermediate=("mnli",), target=("xnli",)),
        stages=StagesSpec(intermediate=settings, evaluate=EvaluateSettings(max_rows=100)),
        search=SearchSpec(space={"intermediate.fraction": Choice(fractions)}),
        data=DataSpec(demo_scale=1.0),
        storage=StorageSpec(root=str(root)),
    )


def train(spec: SweepSpec) -> Cost:
    """Train every fraction that a spec names, smallest first."""
    runner = Runner(spec)
    [fractions] = [each.values for each in spec.search.space.values() if isinstance(each, Choice)]
    weights, steps, tokens = [], 0, 0
    for fraction in fractions:
        [stage] = (
            Paths(spec, runner.source).path(Pair("mnli", "xnli"), {"intermediate.fraction": fraction}, 1)
        ).intermediate
        outcome = runner.train(stage)
        manifest = runner.store.open(stage.key)
        assert manifest is not None
        weights.append(manifest.files["encoder/model.safetensors"])
        steps, tokens = steps + outcome.steps, tokens + outcome.tokens
    return Cost(weights, steps, tokens)


def sizes(folder: Path) -> list[Figure]:
    """Count the tokens of seven fractions, shared and apart, and compare the weights."""
    start = Runner(size_study(folder / "start", "demo", FRACTIONS))
    encoder = start.ensure_start(Paths(start.spec, start.source).start)
    shared = train(size_study(folder / "shared", encoder, FRACTIONS))
    apart = [train(size_study(folder / f"apart-{f}", encoder, (f,))) for f in FRACTIONS]
    tokens, steps = sum(each.tokens for each in apart), sum(each.steps for each in apart)
    same = sum(each.weights[0] == own for each, own in zip(apart, shared.weights, strict=True))
    ratio = tokens / shared.tokens
    return [
        Figure("1, 2, 5, 10, 25, 50, 100 %: tokens of independent runs", tokens, "tokens", "-", True),
        Figure("the same by trunk and branch", shared.tokens, "tokens", "-", True),
        Figure("independent / shared, tokens", ratio, "x", "at least 1.7", ratio >= 1.7),
        Figure("independent / shared, steps", steps / shared.steps, "x", "-", True),
        Figure("runs whose final weights are bit-identical", same, "of 7", "7", same == len(FRACTIONS)),
    ]


ROWS, EPOCHS, BATCH = 240, 2, 8
WARMUP_FRACTION = 0.1


def tagging(root: Path, schedule: dict[str, object]) -> SweepSpec:
    settings = TrainSettings.model_validate(
        {"learning_rate": 2e-4, "epochs": EPOCHS, "batch_size": BATCH, "max_length": 128, "max_rows": ROWS}
        | schedule
    )
    return SweepSpec(
        version=1,
        name="quality",
        model=ModelSpec(name=os.environ["XTR_MINILM"]),
        pairs=PairsSpec(intermediate=(), target=("udpos",)),
        stages=StagesSpec(target=settings, evaluate=EvaluateSettings(max_rows=200)),
        search=SearchSpec(),
        data=DataSpec(
            source="official", official_root=os.environ["XTR_DATA"], folders={"udpos": "xtreme/udpos"}
        ),
        storage=StorageSpec(root=str(root)),
    )


def dev_scores(spec: SweepSpec) -> list[float]:
    """Train with every seed; return the last epoch's select score, in points of 100."""
    runner = Runner(spec)
    scores = []
    for seed in SEEDS:
        stage = Paths(spec, runner.source).path(Pair("none", "udpos"), {}, seed).target
        assert isinstance(stage, TrainStage)
        metric = find_task("udpos").metric
        scores.append(100 * runner.train(stage).scores_after(EPOCHS)[metric])
        print(f"{stage.settings.schedule} seed {seed}: {scores[-1]:.2f}", flush=True)
    return scores


def quality(folder: Path) -> list[Figure]:
    """Compare the schedules on dev F1 over five seeds."""
    warmup = math.ceil(WARMUP_FRACTION * math.ceil(ROWS / BATCH) * EPOCHS)
    linear = dev_scores(tagging(folder, {"warmup_fraction": WARMUP_FRACTION}))
    wsd = dev_scores(tagging(folder, {"schedule": "wsd", "warmup_steps": warmup, "decay_fraction": DECAY}))
    seed_sd = statistics.stdev(linear)
    return [
        Figure("UD-POS en dev F1, linear, mean of 5 seeds", statistics.mean(linear), "F1", "-", True),
        Figure("seed standard deviation, linear", seed_sd, "F1", "-", True),
        *compared(f"UD-POS en, d = {DECAY:.0%}", linear, wsd),
    ]


def compared(name: str, linear: list[float], wsd: list[float]) -> list[Figure]:
    gains = [ours - theirs for ours, theirs in zip(wsd, linear, strict=True)]
    mean, half = statistics.mean(gains), T_975 * statistics.stdev(gains) / math.sqrt(len(gains))
    ratio = abs(mean) / statistics.stdev(linear)
    interval = f"95 %: {mean - half:+.2f} to {mean + half:+.2f}"
    return [
        Figure(f"{name}: wsd, mean of 5 seeds", statistics.mean(wsd), "F1", "-", True),
        Figure(f"{name}: wsd seed sd", statistics.stdev(wsd), "F1", "-", True),
        Figure(f"{name}: wsd - linear ({interval})", mean, "F1", "-", True),
        Figure(f"{name}: |wsd - linear| / seed sd", ratio, "sd", "below 0.3", ratio < 0.3),
    ]


PARTS = {"sizes": sizes, "quality": quality}

if __name__ == "__main__":
    run_parts("trunk", PARTS)
