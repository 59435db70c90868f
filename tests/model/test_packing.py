"""An encoder that reads a batch as one stream says what it says of the padded batch, and computes no padding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from tests.train.learners import make_learner, one_step
from xtr.data.demo.source import DemoSource
from xtr.families.family import Example, split_outputs
from xtr.model.encoder import load_encoder, save_encoder
from xtr.model.heads import PoolingHead, TaskModel, TokenHead
from xtr.model.packing import ATTENTION, BLOCK_TOKENS, COUNTS_FROM_PADDING, Packing, blocks
from xtr.train.loop import Learner

LENGTHS = (5, 1, 70, 20, 33, BLOCK_TOKENS, 64, 9)
WIDTH = 72
N_PIECES = 60


def a_model(model_type: str, layer: int | None = None, attention: str = "sdpa") -> TaskModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        model_type,
        vocab_size=N_PIECES,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=32,
        num_hidden_layers=3,
        max_position_embeddings=80,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation=attention,
    )
    encoder = AutoModel.from_config(config)
    return TaskModel(encoder, TokenHead(16, 3) if layer is None else PoolingHead(layer, "mean"))


def a_batch(model: TaskModel) -> dict[str, Tensor]:
    torch.manual_seed(1)
    mask = torch.arange(WIDTH) < torch.tensor(LENGTHS).unsqueeze(1)
    pad = int(model.encoder.config.pad_token_id)  # type: ignore[union-attr, arg-type]
    ids = torch.randint(5, N_PIECES, mask.shape).where(mask, pad)
    return {"input_ids": ids, "attention_mask": mask.long()}


def outputs_and_gradients(model: TaskModel, inputs: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    outputs = model(inputs)
    if outputs.dim() == 3:
        outputs = outputs[inputs["attention_mask"].bool()]
    torch.autograd.backward(outputs.square().mean())
    return outputs.detach(), gradients(model)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_equal_gradients(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, gradient in one.items():
        torch.testing.assert_close(gradient, other[name], atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("layer", [None, 0, 1, 3])
@pytest.mark.parametrize("model_type", COUNTS_FROM_PADDING)
def test_a_stream_gives_the_outputs_and_gradients_of_the_padded_batch(
    model_type: str, layer: int | None
) -> None:
    model = a_model(model_type, layer)
    inputs = a_batch(model)
    if model_type == "bert":
        inputs["token_type_ids"] = torch.randint(0, 2, inputs["input_ids"].shape)
    assert model.packs
    packed, packed_gradients = outputs_and_gradients(model, inputs)
    model.packs = False
    padded, padded_gradients = outputs_and_gradients(model, inputs)
    torch.testing.assert_close(packed, padded, atol=1e-5, rtol=0)
    assert_equal_gradients(packed_gradients, padded_gradients)


def losses_apart(learner: Learner, examples: Sequence[Example]) -> list[float]:
    """Run examples as one batch; compute the loss of each alone."""
    family = learner.lessons[0].family
    with torch.no_grad():
        outputs = learner.model(family.inputs(examples, learner.tokenizer, torch.device("cpu")))
    pieces = split_outputs(outputs, examples)
    batches = [piece.unsqueeze(0) if outputs.dim() == 3 else piece for piece in pieces]
    return [float(family.loss(each, [example])) for each, example in zip(batches, examples, strict=True)]


@pytest.mark.parametrize("name", ["mnli", "csqa", "squad_v1", "udpos", "mlm", "squad_qa_retrieval"])
def test_every_family_trains_as_on_padded_batches(name: str, encoder_folder: Path, demo: DemoSource) -> None:
    learner = make_learner(encoder_folder, demo, name)
    [lesson] = learner.lessons
    examples = lesson.drawn(range(len(lesson.examples)), learner.tokenizer, seed=3)
    assert len({len(each.input_ids) for example in examples for each in example.sequences}) > 1
    losses, apart, found = [], [], []
    for packs in (True, False):
        learner.model.packs = packs
        learner.model.zero_grad()
        losses.append(one_step(learner, examples))
        apart.append([] if lesson.family.whole_step else losses_apart(learner, examples))
        found.append(gradients(learner.model))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert apart[0] == pytest.approx(apart[1], abs=1e-5)
    assert_equal_gradients(*found)


def shapes_seen(model: TaskModel, inputs: dict[str, Tensor]) -> list[tuple[int, ...]]:
    """What of `input_ids` reaches the encoder."""
    seen: list[tuple[int, ...]] = []
    handle = model.encoder.register_forward_pre_hook(
        lambda _module, _args, named: seen.append(tuple(named["input_ids"].shape)), with_kwargs=True
    )
    model(inputs)
    handle.remove()
    return seen


def test_an_encoder_reads_no_padding() -> None:
    model = a_model("xlm-roberta")
    inputs = a_batch(model)
    assert shapes_seen(model, inputs) == [(1, sum(LENGTHS))]
    full = {name: tensor[2:3, : LENGTHS[2]] for name, tensor in inputs.items()}
    assert shapes_seen(model, full) == [(1, LENGTHS[2])], "a sequence alone has none"


@pytest.mark.parametrize(("model_type", "attention"), [("xlm-roberta", "eager"), ("deberta-v2", "eager")])
def test_an_encoder_that_takes_no_stream_is_padded_as_ever(model_type: str, attention: str) -> None:
    model = a_model(model_type, attention=attention)
    assert not model.packs
    inputs = a_batch(model)
    assert shapes_seen(model, inputs) == [(len(LENGTHS), WIDTH)]


def test_a_gpu_s_attention_is_that_of_a_cpu() -> None:
    packing = Packing(torch.arange(WIDTH) < torch.tensor(LENGTHS).unsqueeze(1))
    found: list[list[Tensor | None]] = []
    for attend in (packing.attend_in_blocks, packing.attend_padded):
        torch.manual_seed(0)
        query, key, value = (torch.randn(1, 2, sum(LENGTHS), 8, requires_grad=True) for _ in range(3))
        attended = attend((query, key, value), 0.0, 0.3)
        assert attended.shape == (1, sum(LENGTHS), 2, 8)
        torch.autograd.backward((attended * torch.linspace(0, 1, 8)).sum())
        found.append([attended.detach(), query.grad, key.grad, value.grad])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@given(st.lists(st.integers(1, 150), min_size=1, max_size=30), st.integers(1, 100))
def test_blocks_hold_whole_sequences_that_see_themselves_alone(lengths: list[int], most: int) -> None:
    owners = [i for i, length in enumerate(lengths) for _ in range(length)]
    start = 0
    for width, apart in blocks(lengths, most):
        block = torch.tensor(owners[start : start + width])
        together = block.unsqueeze(0) == block.unsqueeze(1)
        assert together.all() if apart is None else torch.equal(apart, together)
        assert width <= most or apart is None
        start += width
    assert start == len(owners)


def test_nothing_of_it_is_saved(encoder_folder: Path, tmp_path: Path) -> None:
    encoder = load_encoder(str(encoder_folder))
    assert TaskModel(encoder.model, TokenHead(encoder.hidden_size, 2)).packs
    save_encoder(encoder, tmp_path)
    assert ATTENTION not in (tmp_path / "config.json").read_text()
    assert AutoModel.from_pretrained(tmp_path).config._attn_implementation == "sdpa"
