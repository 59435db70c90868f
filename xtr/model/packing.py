"""This is where padding is left out: an encoder reads the tokens of a whole batch as one stream.

    packing = Packing(attention_mask)                           # (N, T), 0 where a sequence has ended
    states = encoder(**packing.stream(inputs, first_position))  # all S real tokens as one row
    hidden = packing.padded(states.last_hidden_state)           # (1, S, H) -> (N, T, H), for the heads

Linear layers, norms and embeddings look at one token at a time, positions restart with each sequence, and only
attention has to know where one ends. So outputs are the padded batch's, but for the order of summation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

COUNTS_FROM_PADDING = {
    "bert": False,
    "electra": False,
    "roberta": True,
    "xlm-roberta": True,
    "xlm-roberta-xl": True,
    "camembert": True,
}
"""The model types that take a stream, and whether their positions begin behind the padding id, or else at 0."""

ATTENTION = "xtr-packed"
"""Under this name transformers finds `_attention`; it is never written to a config."""

QueryKeyValue = tuple[Tensor, Tensor, Tensor]

BLOCK_TOKENS = 64
"""On a CPU attention runs block by block: as many whole sequences as fit, or one that is longer."""


def take_streams(encoder: nn.Module) -> bool:
    """Have an encoder read streams where it can; without one it attends as before.

    Returns:
        Whether it can: where its type is known and its attention is PyTorch's own.
    """
    config = getattr(encoder, "config", None)
    if getattr(config, "model_type", None) not in COUNTS_FROM_PADDING:
        return False
    assert config is not None
    if config._attn_implementation == "sdpa":
        encoder.set_attn_implementation(ATTENTION)  # type: ignore[operator]
    return bool(config._attn_implementation == ATTENTION)


def first_position(encoder: nn.Module) -> int:
    """Return the position of a sequence's first token."""
    config: Any = encoder.config
    return int(config.pad_token_id) + 1 if COUNTS_FROM_PADDING[config.model_type] else 0


class Packing:
    """Where the tokens of a padded batch stand in the stream: one sequence after the other, in their order.

    Attributes:
        mask: (N, T), True at tokens.
        slots: (S,), the tokens' places in the batch, row by row.
    """

    def __init__(self, attention_mask: Tensor) -> None:
        self.mask = attention_mask.bool()
        self.slots = self.mask.flatten().nonzero().squeeze(1)
        self._blocks: list[tuple[int, Tensor | None]] | None = None

    def stream(self, inputs: dict[str, Tensor], first: int) -> dict[str, Any]:
        """Make an encoder's arguments of a batch's inputs, each (N, T); `first` is the first position."""
        kept = {name: tensor for name, tensor in inputs.items() if name != "attention_mask"}
        kept["position_ids"] = self.mask.cumsum(1) - 1 + first
        taken = {name: tensor.flatten()[self.slots].unsqueeze(0) for name, tensor in kept.items()}
        return {**taken, "packing": self}

    def padded(self, hidden: Tensor) -> Tensor:
        """Put hidden states (1, S, H) back where their tokens stand: (N, T, H), 0 elsewhere."""
        return self._spread(hidden[0]).view(*self.mask.shape, -1)

    def attend(self, parts: QueryKeyValue, dropout: float, scale: float) -> Tensor:
        """Let the tokens of each sequence attend to one another: (1, heads, S, D) -> (1, S, heads, D)."""
        run = self.attend_in_blocks if parts[0].device.type == "cpu" else self.attend_padded
        return run(parts, dropout, scale)

    def attend_in_blocks(self, parts: QueryKeyValue, dropout: float, scale: float) -> Tensor:
        """Attend block by block: nothing is computed for padding, little between sequences."""
        if self._blocks is None:  # the layers of a pass share them
            self._blocks = blocks(self.mask.sum(1).tolist(), BLOCK_TOKENS)
        widths = [width for width, _ in self._blocks]
        attended = [
            functional.scaled_dot_product_attention(query, key, value, apart, dropout, scale=scale)
            for query, key, value, (_, apart) in zip(
                *(torch.split(part, widths, dim=2) for part in parts), self._blocks, strict=True
            )
        ]
        return torch.cat([block.transpose(1, 2) for block in attended], dim=1)

    def attend_padded(self, parts: QueryKeyValue, dropout: float, scale: float) -> Tensor:
        """Attend in the padded layout, in one launch: a GPU does that sooner than many small blocks."""
        query, key, value = (
            self._spread(part[0].transpose(0, 1)).view(*self.mask.shape, *part.shape[1::2]).transpose(1, 2)
            for part in parts
        )
        seen = self.mask[:, None, None, :]
        attended = functional.scaled_dot_product_attention(query, key, value, seen, dropout, scale=scale)
        return attended.transpose(1, 2).flatten(0, 1).index_select(0, self.slots).unsqueeze(0)

    def _spread(self, tokens: Tensor) -> Tensor:
        """Spread a stream (S, ...) over the N * T places of the batch."""
        places = tokens.new_zeros(self.mask.numel(), *tokens.shape[1:])
        return places.index_copy(0, self.slots, tokens)


def blocks(lengths: Sequence[int], most: int) -> list[tuple[int, Tensor | None]]:
    """Cut a stream into blocks of whole sequences: their tokens, and who attends to whom (None: all to all)."""
    borders, end = [0], 0
    for length in lengths:
        if end > borders[-1] and end + length - borders[-1] > most:
            borders.append(end)
        end += length
    owners = torch.repeat_interleave(torch.tensor(lengths))
    found: list[tuple[int, Tensor | None]] = []
    for first, behind in pairwise([*borders, end]):
        owner = owners[first:behind]
        alone = bool(owner[0] == owner[-1])
        found.append((behind - first, None if alone else owner.unsqueeze(1) == owner.unsqueeze(0)))
    return found


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **others: Any
) -> tuple[Tensor, None]:
    """Attend within the sequences of a stream, or as PyTorch does where there is none."""
    packing: Packing | None = others.pop("packing", None)
    if packing is None:
        attended, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **others)
        return attended, None
    return packing.attend((query, key, value), others["dropout"], others["scaling"]), None


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
