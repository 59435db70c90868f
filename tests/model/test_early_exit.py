"""A pooled hidden state is the same to the bit when the blocks above it are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModel, BertConfig, DistilBertConfig, ElectraConfig, XLMRobertaConfig

from xtr.model.encoder import load_encoder
from xtr.model.heads import PoolingHead, SentenceHead, TaskModel

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
INPUTS = {
    "input_ids": torch.tensor([[5, 6, 7, 8], [9, 10, 2, 1]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]),
}


@pytest.mark.parametrize("make", [BertConfig, XLMRobertaConfig, ElectraConfig])
@pytest.mark.parametrize("layer", [0, 1, 3, 4])
@torch.inference_mode()
def test_cutting_changes_no_bit(make: type, layer: int) -> None:
    torch.manual_seed(0)
    model = TaskModel(
        AutoModel.from_config(make(num_hidden_layers=4, **SMALL)), PoolingHead(layer, "mean")
    ).eval()
    whole = model(INPUTS)
    assert model.drop_unread_blocks()
    assert len(model.encoder.encoder.layer) == layer  # type: ignore[union-attr, arg-type]
    assert torch.equal(model(INPUTS), whole)


@torch.inference_mode()
def test_an_architecture_that_is_built_otherwise_runs_whole() -> None:
    config = DistilBertConfig(vocab_size=50, dim=16, n_heads=2, n_layers=3, hidden_dim=32)
    model = TaskModel(AutoModel.from_config(config), PoolingHead(2, "mean")).eval()
    whole = model(INPUTS)
    assert not model.drop_unread_blocks()
    assert torch.equal(model(INPUTS), whole)


def test_a_head_on_the_last_state_keeps_every_block() -> None:
    model = TaskModel(AutoModel.from_config(BertConfig(num_hidden_layers=2, **SMALL)), SentenceHead(16, 2))
    assert not model.drop_unread_blocks()
    assert len(model.encoder.encoder.layer) == 2  # type: ignore[union-attr, arg-type]


@torch.inference_mode()
def test_a_real_encoder_says_the_same_with_fewer_blocks(bert_folder: Path) -> None:
    encoder = load_encoder(str(bert_folder))
    inputs = dict(encoder.tokenizer(["Where is it?", "Here."], padding=True, return_tensors="pt"))
    model = TaskModel(encoder.model, PoolingHead(4, "mean")).eval()
    whole = model(inputs)
    model.drop_unread_blocks()
    assert torch.equal(model(inputs), whole)
