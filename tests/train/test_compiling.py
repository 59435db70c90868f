"""Compiled blocks train what plain ones train, and only long runs on GPUs have them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.train.learners import make_learner, one_step
from xtr.data.demo.source import DemoSource
from xtr.spec.sweep import Compiling
from xtr.train.compiling import PAYS_FROM_STEPS, choose, compile_blocks


@pytest.mark.slow
def test_compiled_blocks_come_to_the_loss_and_the_gradients_of_plain_ones(
    encoder_folder: Path, demo: DemoSource
) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    found = []
    for compiled in (False, True):
        learner = make_learner(encoder_folder, demo, "udpos", n_rows=4)
        if compiled:
            compile_blocks(learner.model.encoder, backend)
        loss = one_step(learner, learner.lessons[0].examples)
        found.append((loss, {name: each.grad for name, each in learner.model.named_parameters()}))
    (expected, plain), (loss, gradients) = found
    assert graphs, "something was compiled"
    assert loss == pytest.approx(expected, abs=1e-6)
    assert gradients.keys() == plain.keys(), "names stay"
    for name, gradient in plain.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-5, atol=1e-6)


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
