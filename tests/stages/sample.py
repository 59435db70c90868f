"""Small stages and sweeps to test with. Nothing here imports torch, so spawned processes start fast."""

from __future__ import annotations

from pathlib import Path

from xtr.spec.sweep import (
    ComputeSpec,
    DataSpec,
    EvaluateSettings,
    ModelSpec,
    PairsSpec,
    SearchSpec,
    StagesSpec,
    StorageSpec,
    SweepSpec,
    TrainSettings,
)
from xtr.stages.stage import Part, Pretrained, TrainStage

SMALL = TrainSettings(epochs=2, batch_size=8, learning_rate=1e-3, max_rows=16, max_length=32)


def a_part(task: str = "mnli", settings: TrainSettings = SMALL) -> Part:
    return Part(task, task, ("en",), ("en",), settings, ("train rows",), ("select rows",))


def a_stage(seed: int = 1) -> TrainStage:
    return TrainStage(
        parent=Pretrained("xlm-roberta-base", "e73636d", "xlm-roberta-base@e73636d"),
        parts=(a_part(),),
        settings=SMALL,
        seed=seed,
        select_rows=100,
        batch_size=64,
    )


def a_sweep(
    root: Path, model: str = "demo", data: DataSpec | None = None, evaluate: EvaluateSettings | None = None
) -> SweepSpec:
    return SweepSpec(
        version=1,
        name="sample",
        model=ModelSpec(name=model),
        pairs=PairsSpec(intermediate=("mnli", "mnli>squad_v1"), target=("xnli", "tatoeba")),
        stages=StagesSpec(
            intermediate=SMALL, target=SMALL, evaluate=evaluate or EvaluateSettings(batch_size=8, max_rows=8)
        ),
        search=SearchSpec(),
        compute=ComputeSpec(checkpoint_every_steps=3),
        data=data or DataSpec(demo_scale=0.01),
        storage=StorageSpec(root=str(root)),
    )
