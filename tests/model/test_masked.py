"""The language model's head: the very one that the encoder was pretrained with, on the places that are asked."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForMaskedLM

from xtr.model.encoder import load_encoder, save_encoder
from xtr.model.heads import PLACES, TaskModel
from xtr.model.masked import masked_head


def test_the_head_scores_pieces_as_the_pretrained_language_model_does(encoder_folder: Path) -> None:
    encoder = load_encoder(str(encoder_folder))
    whole = AutoModelForMaskedLM.from_pretrained(encoder_folder).eval()
    ids = torch.tensor([[0, 10, 20, 30, 40, 2], [0, 11, 21, 31, 41, 2]])
    places = torch.tensor([[1, 3], [4, 2]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), PLACES: places}
    with torch.inference_mode():
        scores = TaskModel(encoder.model.eval(), masked_head(encoder))(inputs)
        expected = whole(input_ids=ids).logits
    assert scores.shape == (2, 2, len(encoder.tokenizer))
    for i, row in enumerate(places.tolist()):
        assert torch.allclose(scores[i], expected[i, row], atol=1e-5)


def test_the_embeddings_are_trained_once_and_saved_with_the_encoder(encoder_folder: Path) -> None:
    encoder = load_encoder(str(encoder_folder))
    head = masked_head(encoder)
    model = TaskModel(encoder.model, head)
    embeddings = encoder.model.get_input_embeddings().weight
    assert sum(parameter is embeddings for parameter in model.parameters()) == 1
    assert "_tied" not in " ".join(head.state_dict())
    ids = torch.tensor([[0, 10, 20, 2]])
    model(
        {"input_ids": ids, "attention_mask": torch.ones_like(ids), PLACES: torch.tensor([[1]])}
    ).sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad[400].abs().sum() > 0, "a piece that is not read is still scored"


def test_a_checkpoint_without_such_a_head_gets_a_fresh_one(encoder_folder: Path, tmp_path: Path) -> None:
    save_encoder(load_encoder(str(encoder_folder)), tmp_path)
    stripped, kept = masked_head(load_encoder(str(tmp_path))), masked_head(load_encoder(str(encoder_folder)))
    assert not torch.equal(stripped.dense.weight, kept.dense.weight)
