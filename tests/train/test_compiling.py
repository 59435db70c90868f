"""Compiled blocks train what plain ones train, and only long runs on GPUs have them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.train.learners import make_learner, run, select_scorer, weights
from xtr.data.demo.source import DemoSource
from xtr.spec.sweep import Compiling
from xtr.train.compiling import PAYS_FROM_STEPS, choose, compile_blocks


@pytest.mark.slow
def test_compiled_blocks_train_what_plain_ones_train(
    encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    ends = []
    for compiled in (False, True):
        learner = make_learner(encoder_folder, demo, "udpos")
        if compiled:
            compile_blocks(learner.model.encoder, backend)
        progress = run(learner, select_scorer(learner, demo, "udpos"), tmp_path / str(compiled))
        ends.append((progress, weights(learner)))
    (plain, expected), (progress, found) = ends
    assert graphs, "something was compiled"
    assert [each.loss for each in progress.epochs] == pytest.approx(
        [each.loss for each in plain.epochs], abs=1e-5
    )
    assert [each.scores for each in progress.epochs] == [each.scores for each in plain.epochs]
    assert found.keys() == expected.keys(), "names stay"


@pytest.mark.parametrize(
    ("asked", "n_steps", "kind", "used"),
    [
        ("auto", PAYS_FROM_STEPS, "cuda", True),
        ("auto", PAYS_FROM_STEPS - 1, "cuda", False),
        ("auto", PAYS_FROM_STEPS, "cpu", False),
        ("never", PAYS_FROM_STEPS, "cuda", False),
    ],
)
def test_long_runs_on_gpus_are_compiled(asked: Compiling, n_steps: int, kind: str, used: bool) -> None:
    assert choose(asked, n_steps, kind)[0] == used
