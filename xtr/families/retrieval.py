"""This is where translations are found by nearest neighbour: Tatoeba. Nothing is trained.

    pooled hidden states of both sides, L2-normalised  ->  FAISS, one neighbour  ->  accuracy

As XTREME scores it (third_party/evaluate_retrieval.py): the English sentences are the queries, the foreign ones
the index, squared L2 distance on normalised vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import RetrievalRow
from xtr.errors import InputError, Problem
from xtr.families.family import Example, Family, HeadSettings, text_sequences
from xtr.families.neighbours import nearest
from xtr.metrics.accuracy import accuracy
from xtr.model.encoder import Encoder
from xtr.model.heads import PoolingHead

DEFAULT_LAYERS = {12: 8, 24: 14}
"""Hidden state that is pooled by number of blocks: base 8, large 14 (jiant, XTREME July 2020)."""


def pooling_head(encoder: Encoder, settings: HeadSettings) -> PoolingHead:
    """Pool the asked hidden state, or the usual one for the encoder's depth.

    Raises:
        InputError: the encoder is not as deep as that.
    """
    layer = settings.layer
    if layer is not None and layer > encoder.n_layers:
        allowed = f"0 to {encoder.n_layers}, or null"
        raise InputError(
            Problem("the encoder has no such layer", "stages.evaluate.layer", str(layer), allowed)
        )
    if layer is None:
        layer = DEFAULT_LAYERS.get(encoder.n_layers, round(encoder.n_layers * 2 / 3))
    return PoolingHead(layer, settings.pooling)


class Retrieval(Family[RetrievalRow, int]):
    """Sentence retrieval; a prediction is the index of a foreign sentence."""

    encodes_rows_apart = False

    def encode(
        self,
        rows: Sequence[RetrievalRow],
        task: Task,
        tokenizer: PreTrainedTokenizerFast,
        max_length: int,
    ) -> list[Example]:
        """Make two examples a row: all queries first, then all candidates."""
        texts = [row.query for row in rows] + [row.candidate for row in rows]
        sequences = text_sequences(tokenizer, texts, None, max_length)
        return [Example(i % len(rows), (sequence,)) for i, sequence in enumerate(sequences)]

    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> PoolingHead:
        """Pool the asked hidden state, or the usual one for the encoder's depth."""
        return pooling_head(encoder, settings)

    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Refuse: retrieval is never trained here."""
        raise NotImplementedError("retrieval has no training stage")

    def decode(
        self,
        outputs: Sequence[Tensor],
        examples: Sequence[Example],
        rows: Sequence[RetrievalRow],
        task: Task,
    ) -> list[int]:
        """Find each query's nearest candidate."""
        vectors = functional.normalize(torch.cat(list(outputs)).float(), dim=-1)
        return nearest(vectors[: len(rows)], vectors[len(rows) :])

    def score(
        self, rows: Sequence[RetrievalRow], predictions: Sequence[int], task: Task, language: str
    ) -> dict[str, float]:
        """Compute accuracy."""
        return {"accuracy": accuracy([row.gold for row in rows], predictions)}

    def outcomes(
        self, rows: Sequence[RetrievalRow], predictions: Sequence[int], task: Task, language: str
    ) -> list[dict[str, float]]:
        """Give 1 to each right prediction, 0 to the others."""
        return [{"accuracy": float(row.gold == index)} for row, index in zip(rows, predictions, strict=True)]

    def prediction_file(self, rows: Sequence[RetrievalRow], predictions: Sequence[int]) -> str:
        """Write one plain integer a line (`[367]` would score 0: protocol of evaluate.py)."""
        return "".join(f"{index}\n" for index in predictions)

    def label_file(self, rows: Sequence[RetrievalRow]) -> str:
        """Write the gold as predictions are written."""
        return self.prediction_file(rows, [row.gold or 0 for row in rows])

    def cap(self, rows: Sequence[RetrievalRow], kept: Sequence[int]) -> list[RetrievalRow]:
        """Keep these queries and their translations, or the first rows where the gold is hidden."""
        if not all(self.labelled(row) for row in rows):
            return list(rows[: len(kept)])
        gold = sorted(int(rows[i].gold or 0) for i in kept)
        return [
            RetrievalRow(rows[i].id, rows[i].query, rows[candidate].candidate, gold.index(rows[i].gold or 0))
            for i, candidate in zip(kept, gold, strict=True)
        ]

    def labelled(self, row: RetrievalRow) -> bool:
        """Say whether the translation is known."""
        return row.gold is not None
