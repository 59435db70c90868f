"""This is where the family contract stands: what a kind of task must know to be trained, scored and submitted.

A family reads top to bottom: encode rows, give the head, compute the loss, decode outputs, score predictions,
write the official file. Training and evaluation know families only through this contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import Row
from xtr.model.encoder import Encoder
from xtr.model.heads import Head, Pooling

R = TypeVar("R", bound=Row)
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Tokens:
    """One input sequence: token ids and, where the encoder has them, segment ids."""

    input_ids: tuple[int, ...]
    token_type_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """What one forward pass sees of a row.

    Attributes:
        row: index of the row it was made from; a long row may give several examples.
        sequences: one sequence, or one per choice.
        target: the family's own target, empty where the row has no label.
        places: what decoding needs, e.g. character offsets or word positions.
    """

    row: int
    sequences: tuple[Tokens, ...]
    target: tuple[int, ...] = ()
    places: tuple[tuple[int, int], ...] = ()

    @property
    def length(self) -> int:
        """Tokens of the longest sequence."""
        return max(len(sequence.input_ids) for sequence in self.sequences)


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """What only retrieval asks for: which hidden state is pooled (None: the family's default) and how."""

    layer: int | None = None
    pooling: Pooling = "mean"


class Family(ABC, Generic[R, P]):
    """A kind of task. `R` is its row, `P` the prediction for a row."""

    suffix: str = "tsv"
    encode_version: int = 1
    """Raised when `encode` gives other examples for the same rows, so that kept ones are not taken."""
    encodes_rows_apart: bool = True
    """Whether a row's examples stand together and depend on nothing but the row, so that they can be kept."""

    @abstractmethod
    def encode(
        self, rows: Sequence[R], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Turn rows into examples of at most `max_length` tokens a sequence; nothing is lost silently."""

    @abstractmethod
    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> Head:
        """Make a fresh head."""

    @abstractmethod
    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Sum the loss over the examples' items (`n_items` of them in all)."""

    def n_items(self, example: Example) -> int:
        """Count what the loss is averaged over: examples, or labelled tokens."""
        return 1

    @abstractmethod
    def decode(
        self, outputs: Sequence[Tensor], examples: Sequence[Example], rows: Sequence[R], task: Task
    ) -> list[P]:
        """Turn each example's outputs (padding removed) into one prediction per row."""

    @abstractmethod
    def score(self, rows: Sequence[R], predictions: Sequence[P], task: Task) -> dict[str, float]:
        """Compute the official metrics, between 0 and 1."""

    @abstractmethod
    def prediction_file(self, rows: Sequence[R], predictions: Sequence[P]) -> str:
        """Write predictions as the official scorer of XTREME reads them."""

    def cap(self, rows: Sequence[R], kept: Sequence[int]) -> list[R]:
        """Keep the rows at these indices."""
        return [rows[i] for i in kept]

    @abstractmethod
    def labelled(self, row: R) -> bool:
        """Say whether a row carries its gold label."""


def collate(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, device: torch.device
) -> dict[str, Tensor]:
    """Pad the examples' sequences to the longest: `input_ids`, `attention_mask` (N, T), maybe segments."""
    sequences = [sequence for example in examples for sequence in example.sequences]
    longest = max(len(sequence.input_ids) for sequence in sequences)
    shape = (len(sequences), longest)
    input_ids = torch.full(shape, int(tokenizer.pad_token_id), dtype=torch.long)
    attention_mask = torch.zeros(shape, dtype=torch.long)
    segments = torch.zeros(shape, dtype=torch.long)
    for i, sequence in enumerate(sequences):
        n = len(sequence.input_ids)
        input_ids[i, :n] = torch.tensor(sequence.input_ids)
        attention_mask[i, :n] = 1
        if sequence.token_type_ids is not None:
            segments[i, :n] = torch.tensor(sequence.token_type_ids)
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    if sequences[0].token_type_ids is not None:
        inputs["token_type_ids"] = segments
    return {name: tensor.to(device) for name, tensor in inputs.items()}


def split_outputs(outputs: Tensor, examples: Sequence[Example]) -> list[Tensor]:
    """Cut a batch's outputs into one tensor per example, padding removed.

    Token outputs (N, T, C) become (length, C); sentence outputs (N, C) become (n_sequences, C).
    """
    pieces: list[Tensor] = []
    start = 0
    for example in examples:
        n = len(example.sequences)
        piece = outputs[start : start + n]
        pieces.append(piece[0, : example.length] if outputs.dim() == 3 else piece)
        start += n
    return pieces


def text_sequences(
    tokenizer: PreTrainedTokenizerFast, first: list[str], second: list[str] | None, max_length: int
) -> list[Tokens]:
    """Tokenise texts or pairs of texts, the longer side cut first where both do not fit."""
    encoded = tokenizer(first, second, truncation="longest_first", max_length=max_length)
    segments = encoded.get("token_type_ids")
    return [
        Tokens(tuple(ids), None if segments is None else tuple(segments[i]))
        for i, ids in enumerate(encoded["input_ids"])
    ]
