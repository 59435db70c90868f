"""This is where a model predicts: rows of one task and language in, one prediction a row out.

A batch never holds rows of two tasks or languages, so a score does not depend on what else was evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import Row
from xtr.families.family import Example, collate, split_outputs
from xtr.families.registry import family_of
from xtr.model.heads import TaskModel


def predict(
    model: TaskModel,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    rows: Sequence[Row],
    *,
    max_length: int,
    batch_size: int,
) -> list[Any]:
    """Predict every row, in row order; what a prediction is, the task's family says."""
    examples = family_of(task).encode(rows, task, tokenizer, max_length)
    return predict_encoded(model, tokenizer, task, rows, examples, batch_size=batch_size)


def predict_encoded(
    model: TaskModel,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    rows: Sequence[Row],
    examples: Sequence[Example],
    *,
    batch_size: int,
) -> list[Any]:
    """Predict rows that have been encoded already."""
    outputs = run_examples(model, tokenizer, examples, batch_size=batch_size)
    return family_of(task).decode(outputs, examples, rows, task)


@torch.inference_mode()
def run_examples(
    model: TaskModel, tokenizer: PreTrainedTokenizerFast, examples: Sequence[Example], *, batch_size: int
) -> list[Tensor]:
    """Run examples through the model, similar lengths together; outputs come back in the examples' order."""
    model.eval()
    device = next(model.parameters()).device
    by_length = sorted(range(len(examples)), key=lambda i: (examples[i].length, i))
    outputs: list[Tensor] = [torch.empty(0)] * len(examples)
    for start in range(0, len(by_length), batch_size):
        chosen = by_length[start : start + batch_size]
        batch = [examples[i] for i in chosen]
        pieces = split_outputs(model(collate(batch, tokenizer, device)).cpu(), batch)
        for i, piece in zip(chosen, pieces, strict=True):
            outputs[i] = piece.clone()
    return outputs
