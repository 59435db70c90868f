"""This is where an encoder and its head become a model that transformers loads without xtr.

    plain = plain_model(encoder, head, "AutoModelForTokenClassification", labels=("O", "B-PER"))
    plain.save_pretrained(folder)        -> AutoModelForTokenClassification.from_pretrained(folder)

Transformers' own classes have heads of the same form for the usual encoders, under other names. Whether the form
is the same is tried out on a few tokens, so that a head is never handed on that would score otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
import transformers
from torch import Tensor

from xtr.model.encoder import Encoder
from xtr.model.heads import Head, MaskedHead
from xtr.model.masked import NAMES as MASKED_NAMES

TOLERANCE = 1e-3
"""Outputs of the same form differ by the order of summation alone; those of another form by far more."""

_NAMES = {
    "dense": ("classifier.dense", "{encoder}.pooler.dense"),
    "out": ("classifier.out_proj", "classifier", "qa_outputs"),
}
"""Our name of a layer, then transformers': RoBERTa's (XLM-R's) and BERT's heads, the first that there is."""


@torch.no_grad()
def plain_model(
    encoder: Encoder, head: Head, auto_class: str, labels: Sequence[str] = ()
) -> transformers.PreTrainedModel | None:
    """Make the model of transformers' own that scores as an encoder and its head do; weights are shared.

    Args:
        auto_class: such as `AutoModelForSequenceClassification`.
        labels: in the order of the head's outputs; empty where a head has no label set.

    Returns:
        None where transformers has no such class for this encoder, or one whose head is of another form.
    """
    config = deepcopy(encoder.model.config)
    if labels:
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: i for i, label in enumerate(labels)}
    try:
        plain = getattr(transformers, auto_class).from_config(config, dtype=torch.float32)
    except ValueError:  # it has no such class
        return None
    weights = {f"{plain.base_model_prefix}.{name}": each for name, each in encoder.model.state_dict().items()}
    found = _head_weights(head, plain)
    if found is None:
        return None
    loaded = plain.load_state_dict({**weights, **found}, strict=False, assign=True)
    plain.tie_weights()
    whole = not loaded.unexpected_keys and _all_tied(plain, loaded.missing_keys)
    plain.eval()
    return plain if whole and _agree(encoder, head, plain) else None


def _head_weights(head: Head, plain: transformers.PreTrainedModel) -> Mapping[str, Tensor] | None:
    """Call a head's weights as transformers does; None where it knows no such layer."""
    known = set(plain.state_dict())
    weights = {}
    for name, tensor in head.state_dict().items():
        layer, _, kind = name.rpartition(".")
        masked = isinstance(head, MaskedHead)
        names = MASKED_NAMES[name] if masked else [f"{each}.{kind}" for each in _NAMES.get(layer, ())]
        named = (each.format(encoder=plain.base_model_prefix) for each in names)
        theirs = next((each for each in named if each in known), None)
        if theirs is None:
            return None
        weights[theirs] = tensor
    return weights


def _all_tied(plain: transformers.PreTrainedModel, missing: Sequence[str]) -> bool:
    """Say whether each of these weights is another name of one that was loaded."""
    every = dict(plain.named_parameters(remove_duplicate=False))
    loaded = {id(each) for name, each in every.items() if name not in missing}
    return all(id(every[name]) in loaded for name in missing)


def _agree(encoder: Encoder, head: Head, plain: transformers.PreTrainedModel) -> bool:
    """Try both on two sequences of ordinary pieces."""
    encoder.model.eval()
    head.eval()
    pieces = torch.arange(16) * 7 % (len(encoder.tokenizer) - 8) + 8
    inputs = {"input_ids": pieces.view(2, 8), "attention_mask": torch.ones(2, 8, dtype=torch.long)}
    inputs = {name: tensor.to(plain.device) for name, tensor in inputs.items()}
    hidden = encoder.model(**inputs).last_hidden_state
    if isinstance(head, MaskedHead):
        ours = head(hidden, inputs["attention_mask"], torch.arange(8, device=plain.device).expand(2, 8))
    else:
        ours = head(hidden, inputs["attention_mask"])
    theirs = _scores(plain, inputs)
    return ours.shape == theirs.shape and torch.allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)


def _scores(plain: transformers.PreTrainedModel, inputs: Mapping[str, Tensor]) -> Tensor:
    """Run a model of transformers', and put its outputs as our heads do."""
    if type(plain).__name__.endswith("ForMultipleChoice"):
        scores: Tensor = plain(**{name: each.unsqueeze(0) for name, each in inputs.items()}).logits
        return scores.view(-1, 1)
    outputs = plain(**inputs)
    if "start_logits" in outputs:
        return torch.stack([outputs.start_logits, outputs.end_logits], dim=-1)
    logits: Tensor = outputs.logits
    return logits
