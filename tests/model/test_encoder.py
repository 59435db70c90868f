"""Encoders: saved and loaded without a change, without a pooler, refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AlbertConfig, AlbertModel

from tests.train.learners import make_xl
from xtr.errors import InputError
from xtr.model.encoder import Encoder, blocks_of, load_encoder, load_tokenizer, save_encoder
from xtr.model.heads import TaskModel
from xtr.model.lora import put_on, take_in
from xtr.spec.settings import LoraSettings


def hidden(encoder: Encoder, text: str) -> torch.Tensor:
    inputs = encoder.tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        state: torch.Tensor = encoder.model.eval()(**inputs).last_hidden_state
    return state


def test_a_saved_encoder_says_the_same_when_loaded(encoder: Encoder, tmp_path: Path) -> None:
    with torch.no_grad():
        next(encoder.model.parameters()).add_(0.25)
    save_encoder(encoder, tmp_path)
    loaded = load_encoder(str(tmp_path))
    assert torch.equal(hidden(loaded, "kura bope ."), hidden(encoder, "kura bope ."))
    assert (loaded.hidden_size, loaded.n_layers) == (96, 2)


def test_every_weight_takes_part_in_training(encoder: Encoder) -> None:
    """A weight without a gradient would stall data-parallel training."""
    encoder.model.train()
    output = encoder.model(**encoder.tokenizer("kura bope .", return_tensors="pt"))
    torch.autograd.backward(output.last_hidden_state.square().sum())
    assert [name for name, weight in encoder.model.named_parameters() if weight.grad is None] == []


def test_a_real_bert_loads_without_its_pooler(bert_folder: Path) -> None:
    encoder = load_encoder(str(bert_folder))
    assert (encoder.hidden_size, encoder.n_layers) == (384, 6)
    assert not any("pooler" in name for name, _ in encoder.model.named_parameters())
    assert encoder.tokenizer("one", "two")["token_type_ids"] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("load", [load_encoder, load_tokenizer])
def test_a_folder_without_a_model_is_refused_in_words(load: type[Encoder], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(str(tmp_path))  # type: ignore[call-arg]
    [problem] = caught.value.problems
    assert problem.where == "model.name"
    assert str(tmp_path) in problem.received


def test_an_xl_loads_and_its_blocks_are_found(encoder_folder: Path) -> None:
    encoder = load_encoder(str(make_xl(encoder_folder)))
    assert (encoder.model.config.model_type, encoder.max_length) == ("xlm-roberta-xl", 38)
    blocks = blocks_of(encoder.model)
    assert [type(block).__name__ for block in blocks] == ["XLMRobertaXLLayer"] * 3
    assert TaskModel(encoder.model).packs
    adapted = put_on(encoder.model, LoraSettings(rank=2), seed=1)
    learning = [name for name, weights in encoder.model.named_parameters() if weights.requires_grad]
    assert len(learning) == 2 * 2 * 3, "two matrices for query and value of each block"
    assert blocks_of(encoder.model) == blocks
    take_in(adapted)


def test_an_encoder_whose_blocks_are_no_list_has_none() -> None:
    config = AlbertConfig(
        hidden_size=16, embedding_size=8, num_hidden_layers=4, num_attention_heads=2, vocab_size=20
    )
    assert blocks_of(AlbertModel(config)) == []
