"""Heads: shapes, pooling as XTREME pools, and the hidden state that was asked for."""

from __future__ import annotations

import torch

from xtr.model.encoder import Encoder
from xtr.model.heads import PoolingHead, SentenceHead, TaskModel, TokenHead

HIDDEN = torch.arange(24.0).reshape(2, 3, 4)
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])


def test_a_sentence_head_reads_the_first_token_alone() -> None:
    head = SentenceHead(4, 5)
    changed = HIDDEN.clone()
    changed[:, 1:] = -7
    assert head(HIDDEN, MASK).shape == (2, 5)
    assert torch.equal(head(HIDDEN, MASK), head(changed, MASK))


def test_a_token_head_scores_every_token() -> None:
    assert TokenHead(4, 2)(HIDDEN, MASK).shape == (2, 3, 2)


def test_the_mean_is_over_all_tokens_but_padding() -> None:
    pooled = PoolingHead(1, "mean")(HIDDEN, MASK)
    assert torch.equal(pooled, torch.stack([HIDDEN[0].mean(0), HIDDEN[1, :2].mean(0)]))


def test_cls_pooling_takes_the_first_token() -> None:
    assert torch.equal(PoolingHead(1, "cls")(HIDDEN, MASK), HIDDEN[:, 0])


def test_the_model_pools_the_asked_hidden_state(encoder: Encoder) -> None:
    inputs = dict(encoder.tokenizer(["kura bope .", "reda"], padding=True, return_tensors="pt"))
    encoder.model.eval()
    with torch.inference_mode():
        states = encoder.model(**inputs, output_hidden_states=True).hidden_states
        for layer in range(encoder.n_layers + 1):
            model = TaskModel(encoder.model, PoolingHead(layer, "cls"))
            torch.testing.assert_close(model(inputs), states[layer][:, 0], atol=1e-5, rtol=0)
