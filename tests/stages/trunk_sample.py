"""A sweep over sizes and epochs under `wsd`, run in this process or in one of its own that may be killed.

    python -m tests.stages.trunk_sample ENCODER ROOT ORDER [KILLED_AFTER]

ORDER is a JSON list of (fraction, epochs); the process kills itself after so many optimiser steps.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtr.spec.space import Choice
from xtr.spec.sweep import (
    ComputeSpec,
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

if TYPE_CHECKING:
    from xtr.stages.run import Runner
    from xtr.stages.stage import TrainStage

FRACTIONS, EPOCHS = (0.1, 0.25, 0.5, 1.0), (1, 2, 3)
LENGTHS = tuple(itertools.product(FRACTIONS, EPOCHS))
WSD = TrainSettings(
    schedule="wsd",
    warmup_steps=3,
    decay_fraction=0.25,
    batch_size=8,
    learning_rate=1e-3,
    max_length=32,
)
Length = tuple[float, int]


def sizes_sweep(
    root: Path,
    encoder: str,
    lengths: tuple[Length, ...] = LENGTHS,
    task: str = "mnli",
    settings: TrainSettings = WSD,
    every_steps: int = 2,
    **compute: object,
) -> SweepSpec:
    """A sweep whose trials are all these lengths, fractions times epochs."""
    fractions = tuple(dict.fromkeys(fraction for fraction, _ in lengths))
    epochs = tuple(dict.fromkeys(epochs for _, epochs in lengths))
    return SweepSpec(
        version=1,
        name="sizes",
        model=ModelSpec(name=encoder),
        pairs=PairsSpec(intermediate=(task,), target=("xnli",)),
        stages=StagesSpec(intermediate=settings, evaluate=EvaluateSettings(batch_size=8, max_rows=8)),
        search=SearchSpec(
            space={"intermediate.fraction": Choice(fractions), "intermediate.epochs": Choice(epochs)}
        ),
        compute=ComputeSpec.model_validate({"checkpoint_every_steps": every_steps, **compute}),
        data=DataSpec(demo_scale=0.01),
        storage=StorageSpec(root=str(root)),
    )


def run_of(runner: Runner, length: Length, task: str = "mnli") -> TrainStage:
    """The intermediate stage of a length."""
    params = {"intermediate.fraction": length[0], "intermediate.epochs": length[1]}
    [stage] = Paths(runner.spec, runner.source).path(Pair(task, "xnli"), params, 1).intermediate
    return stage


def main(encoder: str, root: str, order: str, killed_after: str = "0") -> None:
    """Train runs in an order, and perhaps die on the way."""
    from xtr.stages.run import Runner
    from xtr.train import loop, optimise

    if int(killed_after):
        steps, update = itertools.count(1), optimise.update

        def update_and_die(*args: Any, **kwargs: Any) -> None:
            update(*args, **kwargs)
            if next(steps) == int(killed_after):
                os.kill(os.getpid(), signal.SIGKILL)

        vars(loop)["update"] = update_and_die
    lengths = [(fraction, epochs) for fraction, epochs in json.loads(order)]
    runner = Runner(sizes_sweep(Path(root), encoder, tuple(lengths)))
    for length in lengths:
        runner.train(run_of(runner, length))


if __name__ == "__main__":
    main(*sys.argv[1:])
