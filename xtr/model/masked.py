"""This is where an encoder gets back the head of the language model that it was pretrained as."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from transformers import AutoModelForMaskedLM

from xtr.errors import InputError, Problem
from xtr.model.encoder import Encoder
from xtr.model.heads import MaskedHead

NAMES = {
    "dense.weight": ("lm_head.dense.weight", "cls.predictions.transform.dense.weight"),
    "dense.bias": ("lm_head.dense.bias", "cls.predictions.transform.dense.bias"),
    "norm.weight": ("lm_head.layer_norm.weight", "cls.predictions.transform.LayerNorm.weight"),
    "norm.bias": ("lm_head.layer_norm.bias", "cls.predictions.transform.LayerNorm.bias"),
    "bias": ("lm_head.bias", "cls.predictions.bias"),
}
"""Our name of a weight, then RoBERTa's (XLM-R's) and BERT's."""


def masked_head(encoder: Encoder) -> MaskedHead:
    """Make the head, with pretrained weights where the encoder's checkpoint still has them.

    A checkpoint that was saved after another training has none; its head begins anew. `put_back` gives it one.
    """
    embeddings = encoder.model.get_input_embeddings()
    assert isinstance(embeddings, nn.Embedding)
    head = MaskedHead(embeddings, eps=float(encoder.model.config.layer_norm_eps))
    weights = _pretrained_weights(encoder.model.name_or_path, encoder.revision)
    if weights is not None:
        head.load_state_dict(weights)
    return head


def put_back(head: MaskedHead, name: str, revision: str | None) -> None:
    """Give a head the weights of the pretrained model that a chain of trainings began with.

    Its output embeddings stay those of the encoder that it reads, as they are tied. So the loss tells how far the
    trainings have moved the encoder away from what that model could read.

    Raises:
        InputError: the pretrained model is no language model any more.
    """
    weights = _pretrained_weights(name, revision)
    if weights is None:
        raise InputError(
            Problem(
                "the encoder came without its language model's head, so masked pieces cannot be guessed",
                where="model.name",
                received=name,
                allowed="a checkpoint that AutoModelForMaskedLM loads whole",
                hint="stages.evaluate.forgetting: [tatoeba] leaves mlm out",
            )
        )
    head.load_state_dict(weights)


def _pretrained_weights(name: str, revision: str | None) -> Mapping[str, Tensor] | None:
    model, loading = AutoModelForMaskedLM.from_pretrained(
        name, revision=revision, trust_remote_code=False, dtype="float32", output_loading_info=True
    )
    stored = dict(model.state_dict())
    weights = {}
    for ours, theirs in NAMES.items():
        found = next((each for each in theirs if each in stored), None)
        if found is None or found in loading["missing_keys"]:
            return None
        weights[ours] = stored[found].clone()
    return weights
