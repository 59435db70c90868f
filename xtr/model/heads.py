"""This is where heads live: what turns an encoder's hidden states into a family's outputs."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Pooling = Literal["mean", "cls"]

PLAIN_ENCODERS = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "electra"})
"""Model types whose last hidden state is the output of the last block of `encoder.layer`, without a final norm."""


class SentenceHead(nn.Module):
    """RoBERTa's classification head on the first token: dense, tanh, linear. (N, T, H) -> (N, C)."""

    layer: int | None = None

    def __init__(self, hidden_size: int, n_outputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, n_outputs)

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Score each sequence."""
        scores: Tensor = self.out(torch.tanh(self.dense(hidden[:, 0])))
        return scores


class TokenHead(nn.Module):
    """One linear layer on every token. (N, T, H) -> (N, T, C)."""

    layer: int | None = None

    def __init__(self, hidden_size: int, n_outputs: int) -> None:
        super().__init__()
        self.out = nn.Linear(hidden_size, n_outputs)

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Score each token."""
        scores: Tensor = self.out(hidden)
        return scores


class PoolingHead(nn.Module):
    """A sentence vector without parameters: the mean over tokens, or the first. (N, T, H) -> (N, H).

    `layer` is the index of the hidden state that is pooled. XTREME's retrieval pools over all unmasked
    positions, special tokens included (third_party/utils_retrieve.py).
    """

    def __init__(self, layer: int, pooling: Pooling) -> None:
        super().__init__()
        self.layer = layer
        self.pooling = pooling

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Pool each sequence."""
        if self.pooling == "cls":
            return hidden[:, 0]
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(1) / mask.sum(1)


class VectorHead(nn.Module):
    """A dual encoder's vector, trained for ranking. (N, T, H) -> (N, H).

    The first token through dense and tanh, of length sqrt(scale): the dot product of two such vectors is their
    cosine times a scale that is learnt from 100 on (`BertForRetrieval` in third_party/bert.py of
    google-research/xtreme, where the scale is applied to the product; here each side carries its root, so
    that every vector brings its own share of the scale's gradient).
    """

    layer: int | None = None

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.scale = nn.Parameter(torch.tensor([100.0]))

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Make each sequence's vector."""
        vectors = nn.functional.normalize(torch.tanh(self.dense(hidden[:, 0])), dim=-1)
        return vectors * self.scale.sqrt()


Head = SentenceHead | TokenHead | PoolingHead | VectorHead


class TaskModel(nn.Module):
    """An encoder and one head."""

    def __init__(self, encoder: nn.Module, head: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Run the encoder on `input_ids`, `attention_mask` (and `token_type_ids`), then the head."""
        layer = self.head.layer
        states = self.encoder(**inputs, output_hidden_states=layer is not None)
        hidden = states.last_hidden_state if layer is None else states.hidden_states[layer]
        outputs: Tensor = self.head(hidden, inputs["attention_mask"])
        return outputs

    def drop_unread_blocks(self) -> bool:
        """Cut the blocks above the hidden state that the head reads; outputs stay the same to the bit.

        Returns:
            Whether that was possible: only where the blocks are a plain list with nothing behind them.
        """
        layer = self.head.layer
        encoder = getattr(self.encoder, "encoder", None)
        config = getattr(self.encoder, "config", None)
        if layer is None or getattr(config, "model_type", None) not in PLAIN_ENCODERS:
            return False
        assert encoder is not None
        encoder.layer = encoder.layer[:layer]
        self.head.layer = None
        return True
