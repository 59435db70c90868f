"""This is where the family contract stands: what a kind of task must know to be trained, scored and submitted.

A family reads top to bottom: encode rows, give the head, compute the loss, decode outputs, score predictions
as a whole and one by one, write the official files. Training and evaluation know families only through this
contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import Candidate, Row
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

    @property
    def n_tokens(self) -> int:
        """Tokens of all its sequences, padding left out."""
        return sum(len(sequence.input_ids) for sequence in self.sequences)


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """What only retrieval asks for: which hidden state is pooled (None: the family's default) and how."""

    layer: int | None = None
    pooling: Pooling = "mean"


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates of all languages and their vectors (n, H): what the queries of every language rank."""

    candidates: tuple[Candidate, ...]
    vectors: Tensor


class Family(ABC, Generic[R, P]):
    """A kind of task. `R` is its row, `P` the prediction for a row.

    Attributes:
        suffix: of the official prediction file.
        whole_step: the loss compares the examples of a step with one another, so it must see all of them at
            once, those of other ranks too; otherwise a step may be cut anywhere.
        encode_version: raised when `encode` gives other examples for the same rows, so that kept ones are stale.
        encodes_rows_apart: whether a row's examples stand together and depend on nothing but the row, so that
            they can be kept.
        auto_class: transformers' class for the encoder with a head of this form; empty where there is none.
    """

    suffix: str = "tsv"
    auto_class: str = ""
    whole_step: bool = False
    encode_version: int = 1
    encodes_rows_apart: bool = True

    @abstractmethod
    def encode(
        self, rows: Sequence[R], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Turn rows into examples of at most `max_length` tokens a sequence; nothing is lost silently."""

    def encode_training(
        self, rows: Sequence[R], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Turn rows into what is learnt from; the same as what is predicted from, but for ranking."""
        return self.encode(rows, task, tokenizer, max_length)

    @abstractmethod
    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> Head:
        """Make a fresh head."""

    def drawn(
        self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, seed: int
    ) -> Sequence[Example]:
        """Return what one training step sees of the examples; a family that hides pieces draws them anew."""
        return examples

    def inputs(
        self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, device: torch.device
    ) -> dict[str, Tensor]:
        """Make the tensors of one forward pass."""
        return collate(examples, tokenizer, device)

    @abstractmethod
    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Sum the loss over the examples' items (`n_items` of them in all)."""

    def n_items(self, example: Example) -> int:
        """Count what the loss is averaged over: examples, or labelled tokens."""
        return 1

    def reduced(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Keep of a batch's outputs what decoding needs; they are held until all batches are through."""
        return outputs

    @abstractmethod
    def decode(
        self, outputs: Sequence[Tensor], examples: Sequence[Example], rows: Sequence[R], task: Task
    ) -> list[P]:
        """Turn each example's outputs (padding removed) into one prediction per row."""

    def rankings(self, outputs: Sequence[Tensor], task: Task) -> list[list[str]] | None:
        """Order every row's candidates, best first; None where the family has no list of them, or no fixed one."""
        return None

    def prediction(self, document: Any) -> P:
        """Make a prediction of what its JSON, in which tuples are lists, was read as."""
        read: P = _tuples(document)
        return read

    def fit_threshold(self, rows: Sequence[R], predictions: Sequence[P]) -> float | None:
        """Find the score from which on predictions are kept; None where the family has no threshold."""
        return None

    def keep(self, predictions: Sequence[P], threshold: float) -> list[P]:
        """Drop the predictions below a threshold."""
        return list(predictions)

    def pool_candidates(self, pool: Sequence[Row]) -> list[Candidate]:
        """List the candidates of a pool's rows, each once."""
        raise NotImplementedError("this family has no pool")

    def encode_candidates(
        self, candidates: Sequence[Candidate], tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Make one example a candidate."""
        raise NotImplementedError("this family has no pool")

    def without_candidates(self, rows: Sequence[R]) -> list[R]:
        """Leave the queries alone, to be ranked against a pool."""
        return list(rows)

    def against(self, rows: Sequence[R], candidates: Sequence[Candidate]) -> list[R]:
        """Give each query those of a pool's candidates that are right, so that it can be scored."""
        return list(rows)

    def decode_against(self, outputs: Sequence[Tensor], rows: Sequence[R], pool: Pool) -> list[P]:
        """Rank a pool for each query."""
        raise NotImplementedError("this family has no pool")

    @abstractmethod
    def score(
        self, rows: Sequence[R], predictions: Sequence[P], task: Task, language: str
    ) -> dict[str, float]:
        """Compute the official metrics, between 0 and 1, of labelled rows in a language."""

    def collapsed(self, rows: Sequence[R], predictions: Sequence[P]) -> bool:
        """Say whether one class is predicted throughout; a family without a closed set of classes never does."""
        return False

    @abstractmethod
    def outcomes(
        self, rows: Sequence[R], predictions: Sequence[P], task: Task, language: str
    ) -> list[dict[str, float]]:
        """Say of each labelled row how it went, so that two systems can be compared row by row."""

    @abstractmethod
    def prediction_file(self, rows: Sequence[R], predictions: Sequence[P]) -> str:
        """Write predictions as the official scorer of XTREME reads them."""

    @abstractmethod
    def label_file(self, rows: Sequence[R]) -> str:
        """Write the gold of labelled rows as the official scorer of XTREME reads it."""

    def cap(self, rows: Sequence[R], kept: Sequence[int]) -> list[R]:
        """Keep the rows at these indices."""
        return [rows[i] for i in kept]

    @abstractmethod
    def labelled(self, row: R) -> bool:
        """Say whether a row carries its gold label."""


def best_first(scores: Tensor) -> list[int]:
    """Order places by their score (n,), of equal ones the first first."""
    order: list[int] = scores.argsort(descending=True, stable=True).tolist()
    return order


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


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
    return {name: sent(tensor, device) for name, tensor in inputs.items()}


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Send a tensor to a device; to a GPU from pinned memory, so that nobody waits until it is there."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


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
