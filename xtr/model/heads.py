"""This is where heads live: what turns an encoder's hidden states into a family's outputs."""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from xtr.model.packing import Packing, first_position, take_streams
from xtr.model.precision import Used, in_its_precision

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
        self.layer: int | None = layer
        self.pooling = pooling

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Pool each sequence."""
        hidden = hidden.float()  # a mean in bfloat16 would lose what tells near sentences apart
        if self.pooling == "cls":
            return hidden[:, 0]
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(1) / mask.sum(1)


class MaskedHead(nn.Module):
    """A language model's head on some positions: dense, GELU, norm, embeddings. (N, T, H) -> (N, P, vocabulary).

    The embeddings are the encoder's own, trained and saved there.
    """

    layer: int | None = None

    def __init__(self, embeddings: nn.Embedding, eps: float) -> None:
        super().__init__()
        n_pieces, hidden_size = embeddings.weight.shape
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=eps)
        self.bias = nn.Parameter(torch.zeros(n_pieces))
        self._tied = [embeddings]  # in a list, so that they do not become a part of this module too

    def forward(self, hidden: Tensor, attention_mask: Tensor, places: Tensor) -> Tensor:
        """Score the pieces at `places` (N, P) of each sequence."""
        chosen = hidden.gather(1, places.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))
        return functional.linear(
            self.norm(functional.gelu(self.dense(chosen))), self._tied[0].weight, self.bias
        )


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
        vectors = functional.normalize(torch.tanh(self.dense(hidden[:, 0])).float(), dim=-1)
        return vectors * self.scale.sqrt()


Head = SentenceHead | TokenHead | PoolingHead | MaskedHead | VectorHead
PLACES = "places"
"""Name of the input that only the head reads."""


class TaskModel(nn.Module):
    """An encoder and its heads: one, or one for each kind of task in a mixture.

    Attributes:
        packs: the encoder computes nothing for padding.
        precision: what a forward pass computes in; weights and outputs are float32 either way.
    """

    precision: Used = "fp32"

    def __init__(self, encoder: nn.Module, *heads: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.packs = take_streams(encoder)
        self.heads = nn.ModuleList(heads)

    def reading(self, head: int) -> Reader:
        """Return the same model, read by one of its heads; nothing is copied."""
        return Reader(self, head)

    @in_its_precision
    def forward(self, inputs: dict[str, Tensor], head: int = 0) -> Tensor:
        """Run the encoder on `input_ids`, `attention_mask` (and `token_type_ids`), then a head."""
        reader = self.heads[head]
        places = {name: tensor for name, tensor in inputs.items() if name == PLACES}
        read = {name: tensor for name, tensor in inputs.items() if name != PLACES}
        hidden = self._hidden(read, cast("int | None", reader.layer))
        outputs: Tensor = reader(hidden, inputs["attention_mask"], **places)
        return outputs

    def _hidden(self, inputs: dict[str, Tensor], layer: int | None) -> Tensor:
        """Run the encoder and return one of its hidden states, the last where `layer` is None: (N, T, H)."""
        packing = None
        arguments: dict[str, Any] = inputs
        if self.packs and not bool(inputs["attention_mask"].all()):
            packing = Packing(inputs["attention_mask"])
            arguments = packing.stream(inputs, first_position(self.encoder))
        states = self.encoder(**arguments, output_hidden_states=layer is not None)
        hidden: Tensor = states.last_hidden_state if layer is None else states.hidden_states[layer]
        return packing.padded(hidden) if packing else hidden

    def drop_unread_blocks(self) -> bool:
        """Cut the blocks above the hidden state that the head reads; outputs stay the same to the bit.

        Returns:
            Whether that was possible: only where the blocks are a plain list with nothing behind them.
        """
        [reader] = self.heads
        encoder = getattr(self.encoder, "encoder", None)
        config = getattr(self.encoder, "config", None)
        plain = getattr(config, "model_type", None) in PLAIN_ENCODERS
        if not plain or not isinstance(reader, PoolingHead) or reader.layer is None:
            return False
        assert encoder is not None
        encoder.layer = encoder.layer[: reader.layer]
        reader.layer = None
        return True


class Reader(nn.Module):
    """A model as one of its heads reads it."""

    def __init__(self, model: TaskModel, head: int) -> None:
        super().__init__()
        self.model = model
        self.head = head

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Run the whole model: where it is sharded, only that gathers it."""
        outputs: Tensor = self.model(inputs, self.head)
        return outputs
