"""This is where examples of many languages and tasks go through one encoder as one stream, sorted by length.

    strands = [Strand(span, of_xquad_ar, 384), Strand(span, of_mlqa_de, 384)]
    Stream(model, tokenizer, batch_size=64).run(strands)      -> each strand has its examples' outputs, in order

All batches of a width have one shape, and the last of a width is filled up with examples that are computed and
forgotten. So an output does not depend, to the bit, on what else is in the stream or on who else shares the work.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from xtr.families.family import Example, Family, split_outputs
from xtr.model.heads import PLACES, TaskModel
from xtr.model.memory import attempt, too_long
from xtr.model.world import World

TOKENS_AT_ONCE = {"cpu": 1024, "cuda": 16384}
"""Tokens of a batch, padding included. Of each width one batch is filled up, so more would waste more."""


@dataclass(frozen=True, slots=True)
class Strand:
    """Examples of one task and language on their way through the encoder.

    Attributes:
        longest: tokens of an input at most; rows that are cut have just so many.
        outputs: one an example, in order, once the stream has run.
    """

    family: Family[Any, Any]
    examples: Sequence[Example]
    longest: int
    outputs: list[Tensor] = field(default_factory=list)

    @property
    def n_tokens(self) -> int:
        """Tokens of all examples, padding left out."""
        return sum(example.n_tokens for example in self.examples)


ALONE = World()


@dataclass(frozen=True, slots=True)
class _Batch:
    """Examples that are computed together: (strand, example) each, so many of one width."""

    width: int
    n_rows: int
    places: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Stream:
    """A model that strands run through, by its first head, and who shares the work.

    Attributes:
        batch_size: rows of a batch at most; fewer where rows are long.
    """

    model: TaskModel
    tokenizer: PreTrainedTokenizerFast
    batch_size: int
    world: World = ALONE

    @torch.inference_mode()
    def run(self, strands: Sequence[Strand]) -> None:
        """Fill in the strands' outputs on the first rank.

        Every rank has the same strands and takes every so many-th batch; batches have about equally many tokens.
        """
        self.model.eval()
        self.model.packs = False  # a batch's shape is that of its width, whatever it holds
        world, device = self.world, next(self.model.parameters()).device
        batches = list(_batches(strands, self.batch_size, TOKENS_AT_ONCE[device.type]))
        own = batches[world.rank :: world.size]
        pieces = [self._run(strands, batch, device) for batch in own]
        for strand in strands:
            strand.outputs[:] = [torch.empty(0)] * len(strand.examples)
        for number in range(1, world.size):
            share = batches[number :: world.size]
            if share and world.rank == number:
                _send(pieces, world)
            elif share and world.leads:
                _fill(strands, share, _receive(share, number, world))
        _fill(strands, own, pieces)

    def _run(self, strands: Sequence[Strand], batch: _Batch, device: torch.device) -> list[Tensor]:
        """Run one batch, or its halves where the device's memory is too small for it.

        Raises:
            InputError: one row alone does not fit.
        """
        pieces = attempt(lambda: self._pieces(strands, batch, device))
        if pieces is not None:
            return pieces
        if batch.n_rows == 1:
            raise too_long(batch.width, "what is scored")
        n_rows = batch.n_rows // 2
        halves = [
            _Batch(batch.width, n_rows, batch.places[start : start + n_rows])
            for start in range(0, len(batch.places), n_rows)
        ]
        return [piece for half in halves for piece in self._run(strands, half, device)]

    def _pieces(self, strands: Sequence[Strand], batch: _Batch, device: torch.device) -> list[Tensor]:
        """Compute a batch; strands that share a head share its inputs and what is kept of its outputs."""
        family = strands[batch.places[0][0]].family
        examples = [strands[i].examples[j] for i, j in batch.places]
        filled = [*examples, *examples[-1:] * (batch.n_rows - len(examples))]
        padding = int(self.tokenizer.pad_token_id)
        inputs = {
            name: tensor if name == PLACES else _widened(tensor, batch.width, padding * (name == "input_ids"))
            for name, tensor in family.inputs(filled, self.tokenizer, device).items()
        }
        outputs = family.reduced(self.model(inputs), filled).cpu()
        return [piece.clone() for piece in split_outputs(outputs, examples)]


def width_of(length: int, longest: int) -> int:
    """Say how wide an input of a length is made: the next of few widths that leaves room.

    One without any padding would go another way through attention, to other bits. Those that are as long as
    inputs may be get a width of their own.
    """
    step = max(4, (1 << length.bit_length()) // 16)
    return length if length == longest else min((length // step + 1) * step, longest)


def _batches(strands: Sequence[Strand], batch_size: int, tokens: int) -> Iterator[_Batch]:
    """Put examples of one width and one number of sequences together, longest first."""
    alike: defaultdict[tuple[int, bool, int], list[tuple[int, int]]] = defaultdict(list)
    for i, strand in enumerate(strands):
        for j, example in enumerate(strand.examples):
            width = width_of(example.length, strand.longest)
            n_sequences = len(example.sequences)
            padded = example.n_tokens < width * n_sequences
            alike[width, padded, n_sequences].append((i, j))
    for (width, _, n_sequences), places in sorted(alike.items(), reverse=True):
        n_rows = max(1, min(batch_size, tokens // (width * n_sequences)))
        for start in range(0, len(places), n_rows):
            yield _Batch(width, n_rows, places[start : start + n_rows])


def _widened(tensor: Tensor, width: int, padding: int) -> Tensor:
    return functional.pad(tensor, (0, width - tensor.shape[1]), value=padding)


def _fill(strands: Sequence[Strand], batches: Sequence[_Batch], pieces: Sequence[Sequence[Tensor]]) -> None:
    for batch, outputs in zip(batches, pieces, strict=True):
        for (i, j), piece in zip(batch.places, outputs, strict=True):
            strands[i].outputs[j] = piece


def _send(pieces: Sequence[Sequence[Tensor]], world: World) -> None:
    """Send a share's outputs to the first rank: how many numbers each row has, the rows' counts, all numbers."""
    flat = [piece for batch in pieces for piece in batch]
    for tensor in (
        torch.tensor([flat[0].shape[1]]),
        torch.tensor([len(piece) for piece in flat]),
        torch.cat(flat).float(),
    ):
        torch.distributed.send(tensor.to(world.device), dst=0)


def _receive(share: Sequence[_Batch], number: int, world: World) -> list[list[Tensor]]:
    def received(*shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
        tensor = torch.empty(shape, dtype=dtype, device=world.device)
        torch.distributed.recv(tensor, src=number)
        return tensor.cpu()

    width = int(received(1))
    counts = received(sum(len(batch.places) for batch in share)).tolist()
    pieces = iter(torch.split(received(sum(counts), width, dtype=torch.float32), counts))
    return [[next(pieces) for _ in batch.places] for batch in share]
