"""This is where sentence pairs are classified: MNLI, XNLI, PAWS-X.

`<s> premise </s></s> hypothesis </s>`  ->  the head reads `<s>`  ->  one label a row
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import PairRow
from xtr.families.family import Example, Family, HeadSettings, best_first, text_sequences
from xtr.metrics.accuracy import accuracy
from xtr.metrics.binary import binary_f1
from xtr.metrics.collapse import collapsed
from xtr.model.encoder import Encoder
from xtr.model.heads import SentenceHead


class Pair(Family[PairRow, str]):
    """Sentence pair classification; a prediction is a label."""

    auto_class = "AutoModelForSequenceClassification"

    def encode(
        self, rows: Sequence[PairRow], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Make one example a row."""
        sequences = text_sequences(
            tokenizer, [row.first for row in rows], [row.second for row in rows], max_length
        )
        return [
            Example(i, (sequence,), () if row.label is None else (task.labels.index(row.label),))
            for i, (row, sequence) in enumerate(zip(rows, sequences, strict=True))
        ]

    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> SentenceHead:
        """Make a classification head with one output a label."""
        return SentenceHead(encoder.hidden_size, len(task.labels))

    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Sum the cross-entropy over rows; `outputs` is (N, labels)."""
        target = torch.tensor([example.target[0] for example in examples], device=outputs.device)
        return functional.cross_entropy(outputs, target, reduction="sum")

    def decode(
        self,
        outputs: Sequence[Tensor],
        examples: Sequence[Example],
        rows: Sequence[PairRow],
        task: Task,
    ) -> list[str]:
        """Take the best label of each row."""
        return [task.labels[int(scores[0].argmax())] for scores in outputs]

    def rankings(self, outputs: Sequence[Tensor], task: Task) -> list[list[str]]:
        """Order the labels of each row."""
        return [[task.labels[i] for i in best_first(scores[0])] for scores in outputs]

    def score(
        self, rows: Sequence[PairRow], predictions: Sequence[str], task: Task, language: str
    ) -> dict[str, float]:
        """Compute accuracy and, where the task asks for it, the F1 of its last label (QQP: `1`)."""
        gold = [row.label for row in rows]
        scores = {"accuracy": accuracy(gold, predictions)}
        if "f1" in task.metrics:
            scores["f1"] = binary_f1(gold, predictions, positive=task.labels[-1])["f1"]
        return scores

    def collapsed(self, rows: Sequence[PairRow], predictions: Sequence[str]) -> bool:
        """Say whether all rows get one label."""
        return collapsed((row.label for row in rows), predictions)

    def outcomes(
        self, rows: Sequence[PairRow], predictions: Sequence[str], task: Task, language: str
    ) -> list[dict[str, float]]:
        """Give 1 to each right prediction, 0 to the others."""
        return [{"accuracy": float(row.label == label)} for row, label in zip(rows, predictions, strict=True)]

    def prediction_file(self, rows: Sequence[PairRow], predictions: Sequence[str]) -> str:
        """Write one label a line."""
        return "".join(f"{label}\n" for label in predictions)

    def label_file(self, rows: Sequence[PairRow]) -> str:
        """Write the gold as predictions are written."""
        return self.prediction_file(rows, [row.label or "" for row in rows])

    def labelled(self, row: PairRow) -> bool:
        """Say whether the row has a label."""
        return row.label is not None
