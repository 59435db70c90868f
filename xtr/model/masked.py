"""This is where an encoder gets back the head of the language model that it was pretrained as."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from transformers import AutoModelForMaskedLM

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

    A checkpoint that was saved after another training has none; its head begins anew.
    """
    embeddings = encoder.model.get_input_embeddings()
    assert isinstance(embeddings, nn.Embedding)
    head = MaskedHead(embeddings, eps=float(encoder.model.config.layer_norm_eps))
    weights = _pretrained_weights(encoder)
    if weights is not None:
        head.load_state_dict(weights)
    return head


def _pretrained_weights(encoder: Encoder) -> Mapping[str, Tensor] | None:
    name, revision = encoder.model.name_or_path, encoder.revision
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
