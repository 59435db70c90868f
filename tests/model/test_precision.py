"""Precision: bfloat16 inside, float32 weights, gradients and losses around it, and who is given which."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from tests.train.learners import make_learner, one_step, run, same_bits, select_scorer, weights
from xtr.data.demo.source import DemoSource
from xtr.model.encoder import Encoder
from xtr.model.heads import PoolingHead, TaskModel
from xtr.model.precision import Used, settled


@pytest.mark.parametrize("name", ["mnli", "csqa", "squad_v1", "udpos", "mlm", "squad_qa_retrieval"])
def test_bf16_comes_near_to_fp32_and_leaves_float32_behind(
    name: str, encoder_folder: Path, demo: DemoSource
) -> None:
    losses, gradients = [], []
    used: tuple[Used, ...] = ("fp32", "bf16")
    for precision in used:
        learner = make_learner(encoder_folder, demo, name)
        [lesson] = learner.lessons
        learner.model.precision = precision
        batch = lesson.drawn(range(len(lesson.examples)), learner.tokenizer, 1)
        losses.append(one_step(learner, batch))
        parameters = list(learner.model.parameters())
        found = [each.grad for each in parameters if each.grad is not None]
        assert {each.dtype for each in (*parameters, *found)} == {torch.float32}
        gradients.append(torch.cat([each.flatten() for each in found]))
    assert losses[0] != losses[1], "bfloat16 has to show"
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert torch.cosine_similarity(gradients[0], gradients[1], dim=0) > 0.99


def test_a_run_in_bf16_learns_what_one_in_fp32_learns_and_keeps_float32_states(
    encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    exact, mixed, again = (make_learner(encoder_folder, demo) for _ in range(3))
    mixed.model.precision = again.model.precision = "bf16"
    expected = run(exact, select_scorer(exact, demo), tmp_path / "exact")
    progress = run(mixed, select_scorer(mixed, demo), tmp_path / "mixed", every_steps=3)
    run(again, select_scorer(again, demo), tmp_path / "again")
    for one, other in zip(progress.epochs, expected.epochs, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=0.02)
    assert {tensor.dtype for tensor in weights(mixed).values() if tensor.is_floating_point()} == {
        torch.float32
    }
    assert same_bits(weights(mixed), weights(again))
    assert not same_bits(weights(mixed), weights(exact))


def test_outputs_are_float32_and_a_reader_of_one_head_computes_like_the_whole(encoder: Encoder) -> None:
    inputs = dict(encoder.tokenizer(["kura bope .", "reda"], padding=True, return_tensors="pt"))
    model = TaskModel(encoder.model, PoolingHead(2, "mean")).eval()
    with torch.inference_mode():
        exact = model(inputs)
        model.precision = "bf16"
        mixed, reader = model(inputs), model.reading(0).eval()
        assert mixed.dtype == torch.float32
        assert torch.equal(reader(inputs), mixed)
    assert not torch.equal(exact, mixed)
    torch.testing.assert_close(exact, mixed, atol=0.1, rtol=0.1)


def test_auto_is_fp32_without_a_gpu_and_the_reason_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    settled.cache_clear()
    with caplog.at_level(logging.INFO):
        assert [settled("auto", "cpu") for _ in range(3)] == ["fp32"] * 3
        assert (settled("bf16", "cpu"), settled("fp32", "cpu")) == ("bf16", "fp32")
    assert len(caplog.messages) == 3
    assert caplog.messages[0] == "fp32: auto is bf16 on GPUs alone, and this is a cpu"
