"""This is where encoded rows are kept: the examples of a whole split in one file of flat tensors, memory-mapped.

write_examples(family.encode(rows, ...), len(rows), folder)
EncodedSplit(folder).of_rows([7, 3])     -> the examples of rows 7 and 3, as encoding those two would give them
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from xtr.families.family import Example, Tokens

FILE = "examples.safetensors"


def write_examples(examples: Sequence[Example], n_rows: int, folder: Path) -> None:
    """Write the examples of a split's rows, in row order, into a folder."""
    sequences = [sequence for example in examples for sequence in example.sequences]
    tensors = {
        "row_start": _starts_of_rows([example.row for example in examples], n_rows),
        "sequence_start": _starts(len(example.sequences) for example in examples),
        "token_start": _starts(len(sequence.input_ids) for sequence in sequences),
        "tokens": _flat(sequence.input_ids for sequence in sequences),
        "target_start": _starts(len(example.target) for example in examples),
        "targets": _flat(example.target for example in examples),
        "place_start": _starts(len(example.places) for example in examples),
        "places": _flat(chain.from_iterable(example.places) for example in examples).reshape(-1, 2),
    }
    if sequences and sequences[0].token_type_ids is not None:
        tensors["segments"] = _flat(sequence.token_type_ids or () for sequence in sequences)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / FILE)


class EncodedSplit:
    """The examples of a split that were written before."""

    def __init__(self, folder: Path) -> None:
        self._tensors: dict[str, Tensor] = load_file(folder / FILE)

    def of_rows(self, rows: Sequence[int]) -> list[Example]:
        """Give the examples of these rows, numbered by their place in the list."""
        starts = self._tensors["row_start"].tolist()
        return [
            self._example(number, i)
            for i, row in enumerate(rows)
            for number in range(starts[row], starts[row + 1])
        ]

    def _example(self, number: int, row: int) -> Example:
        first, last = self._range("sequence_start", number)
        return Example(
            row,
            tuple(self._sequence(i) for i in range(first, last)),
            tuple(self._slice("target_start", "targets", number)),
            self._places(number),
        )

    def _sequence(self, number: int) -> Tokens:
        tokens = tuple(self._slice("token_start", "tokens", number))
        if "segments" not in self._tensors:
            return Tokens(tokens)
        return Tokens(tokens, tuple(self._slice("token_start", "segments", number)))

    def _places(self, number: int) -> tuple[tuple[int, int], ...]:
        first, last = self._range("place_start", number)
        return tuple((start, end) for start, end in self._tensors["places"][first:last].tolist())

    def _range(self, starts: str, number: int) -> tuple[int, int]:
        start, end = self._tensors[starts][number : number + 2].tolist()
        return start, end

    def _slice(self, starts: str, values: str, number: int) -> list[int]:
        start, end = self._range(starts, number)
        found: list[int] = self._tensors[values][start:end].tolist()
        return found


def _starts(lengths: Iterator[int]) -> Tensor:
    return torch.tensor([0, *accumulate(lengths)], dtype=torch.int64)


def _starts_of_rows(rows: Sequence[int], n_rows: int) -> Tensor:
    """Where each row's examples begin; rows must stand in order, each with its examples together."""
    if any(second < first for first, second in pairwise(rows)):
        raise ValueError("the examples do not stand in the order of their rows")
    counts = torch.bincount(torch.tensor(rows, dtype=torch.int64), minlength=n_rows)
    return torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])


def _flat(values: Iterator[Sequence[int]] | Iterator[Iterator[int]]) -> Tensor:
    return torch.tensor(list(chain.from_iterable(values)), dtype=torch.int32)
