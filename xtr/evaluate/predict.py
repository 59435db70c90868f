"""This is where a model predicts: rows of one task and language in, one prediction a row out.

A batch here never holds rows of two tasks or languages, so a score does not depend on what else was evaluated.
Where many languages are scored at once, `stream` has them share batches and keeps it so by other means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import Candidate, Row
from xtr.evaluate.stream import Strand, Stream
from xtr.families.family import Example, Family, Pool, split_outputs
from xtr.families.registry import family_of
from xtr.model.memory import attempt, too_long


def predict(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    rows: Sequence[Row],
    *,
    max_length: int,
    batch_size: int,
) -> list[Any]:
    """Predict every row with the model's first head, in row order; what a prediction is, the family says."""
    examples = family_of(task).encode(rows, task, tokenizer, max_length)
    return predict_encoded(model, tokenizer, task, rows, examples, batch_size=batch_size)


def predict_encoded(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    rows: Sequence[Row],
    examples: Sequence[Example],
    *,
    batch_size: int,
) -> list[Any]:
    """Predict rows that have been encoded already."""
    family = family_of(task)
    outputs = run_examples(model, family, tokenizer, examples, batch_size=batch_size)
    return family.decode(outputs, examples, rows, task)


EMBEDDED_AT_ONCE = 50_000
"""Candidates that are tokenised at the same time; a million would need gigabytes."""


def embed(stream: Stream, task: Task, candidates: Sequence[Candidate], *, max_length: int) -> Pool:
    """Make the vectors of a pool's candidates; the first of the ranks that share the work has them all."""
    family = family_of(task)
    vectors: list[Tensor] = []
    for start in range(0, len(candidates), EMBEDDED_AT_ONCE):
        part = candidates[start : start + EMBEDDED_AT_ONCE]
        strand = Strand(family, family.encode_candidates(part, stream.tokenizer, max_length), max_length)
        stream.run([strand])
        if stream.world.leads:
            vectors.append(torch.cat(strand.outputs))
    return Pool(tuple(candidates), torch.cat(vectors) if vectors else torch.empty(0))


@torch.no_grad()  # in inference mode a sharded model could not be trained on: what it gathers first is kept
def run_examples(
    model: nn.Module,
    family: Family[Any, Any],
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[Example],
    *,
    batch_size: int,
) -> list[Tensor]:
    """Run examples through the model, similar lengths together; outputs come back in the examples' order.

    Where the device's memory is too small, batches are halved from there on.

    Raises:
        InputError: one example alone does not fit.
    """
    model.eval()
    device = next(model.parameters()).device
    by_length = sorted(range(len(examples)), key=lambda i: (examples[i].length, i))
    outputs: list[Tensor] = [torch.empty(0)] * len(examples)
    start = 0
    while start < len(by_length):
        chosen = by_length[start : start + batch_size]
        batch = [examples[i] for i in chosen]

        def run(batch: Sequence[Example] = batch) -> Tensor:
            return family.reduced(model(family.inputs(batch, tokenizer, device)), batch).cpu()

        outcome = attempt(run)
        if outcome is None:
            batch_size = _halved(batch)
            continue
        for i, piece in zip(chosen, split_outputs(outcome, batch), strict=True):
            outputs[i] = piece.clone()
        start += len(chosen)
    return outputs


def _halved(batch: Sequence[Example]) -> int:
    if len(batch) == 1:
        raise too_long(batch[0].length * len(batch[0].sequences), "what is scored")
    return len(batch) // 2
