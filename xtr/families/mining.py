"""This is where translations are mined from two corpora of different sizes: BUCC. Nothing is trained.

    pooled hidden states of both sides, L2-normalised  ->  4 neighbours both ways  ->  ratio margin  ->
    best pair of each sentence, one to one  ->  pairs from a threshold on, fitted on dev  ->  F1 of the pairs

As XTREME mines (`mine_bitext` in third_party/utils_retrieve.py, retrieval "max", margin "ratio").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import MiningRow
from xtr.families.bothways import Near, closest_both_ways
from xtr.families.family import Example, Family, HeadSettings, text_sequences
from xtr.families.retrieval import pooling_head
from xtr.metrics.bucc import bucc_f1, fit_threshold
from xtr.model.encoder import Encoder
from xtr.model.heads import PoolingHead

NEIGHBOURS = 4

Mined = tuple[str, float] | None
"""The English sentence's id and the pair's score, for a foreign sentence; None for all others."""


class Mining(Family[MiningRow, Mined]):
    """Bitext mining; a prediction is what a foreign sentence was paired with."""

    encodes_rows_apart = False

    def encode(
        self, rows: Sequence[MiningRow], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Make one example a sentence, of either side."""
        sequences = text_sequences(tokenizer, [row.text for row in rows], None, max_length)
        return [Example(i, (sequence,)) for i, sequence in enumerate(sequences)]

    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> PoolingHead:
        """Pool the asked hidden state, or the usual one for the encoder's depth."""
        return pooling_head(encoder, settings)

    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Refuse: mining is never trained here."""
        raise NotImplementedError("mining has no training stage")

    def decode(
        self,
        outputs: Sequence[Tensor],
        examples: Sequence[Example],
        rows: Sequence[MiningRow],
        task: Task,
    ) -> list[Mined]:
        """Mine pairs one to one; a sentence that occurs twice on its side takes part, but is given to nobody."""
        foreign, english = (_different(rows, side) for side in (True, False))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        x, y = (
            functional.normalize(torch.cat([outputs[i] for i in side]).to(device).float(), dim=-1)
            for side in (foreign, english)
        )
        n_times = Counter((row.foreign, row.text.strip()) for row in rows)
        mined: list[Mined] = [None] * len(rows)
        for score, i, j in mine(x, y):
            source, target = foreign[i], english[j]
            if all(n_times[row.foreign, row.text.strip()] == 1 for row in (rows[source], rows[target])):
                mined[source] = (rows[target].id, score)
        return mined

    def fit_threshold(self, rows: Sequence[MiningRow], predictions: Sequence[Mined]) -> float:
        """Find the score at which F1 is best; pairs with equal scores are taken in the order of the rows."""
        scored = [(pair[1], row.id, pair[0]) for row, pair in zip(rows, predictions, strict=True) if pair]
        return fit_threshold(scored, _gold(rows))

    def keep(self, predictions: Sequence[Mined], threshold: float) -> list[Mined]:
        """Keep pairs with at least that score."""
        return [pair if pair and pair[1] >= threshold else None for pair in predictions]

    def score(
        self, rows: Sequence[MiningRow], predictions: Sequence[Mined], task: Task, language: str
    ) -> dict[str, float]:
        """Compute F1, precision and recall of the pairs."""
        return bucc_f1(_gold(rows), _pairs(rows, predictions))

    def outcomes(
        self, rows: Sequence[MiningRow], predictions: Sequence[Mined], task: Task, language: str
    ) -> list[dict[str, float]]:
        """Count each sentence's pairs; summed over sentences they give precision, recall and F1."""
        return [
            {
                "pairs_right": float(pair is not None and pair[0] in (row.translations or ())),
                "pairs_found": float(pair is not None),
                "pairs_gold": float(len(row.translations or ())),
            }
            for row, pair in zip(rows, predictions, strict=True)
        ]

    def prediction_file(self, rows: Sequence[MiningRow], predictions: Sequence[Mined]) -> str:
        """Write one pair a line: foreign id, tab, English id."""
        return "".join(f"{source}\t{target}\n" for source, target in _pairs(rows, predictions))

    def label_file(self, rows: Sequence[MiningRow]) -> str:
        """Write the gold as predictions are written."""
        return "".join(f"{row.id}\t{each}\n" for row in rows for each in row.translations or ())

    def cap(self, rows: Sequence[MiningRow], kept: Sequence[int]) -> list[MiningRow]:
        """Keep as many sentences: at most half in gold pairs, whole ones, and around them those at the indices."""
        places = {(row.foreign, row.id): i for i, row in enumerate(rows)}
        wanted: set[int] = set()
        for i, row in enumerate(rows):
            pair = {i, *(places[False, each] for each in row.translations or ())}
            if len(pair) > 1 and len(wanted | pair) <= len(kept) // 2:
                wanted |= pair
        for i in kept:
            if len(wanted) < len(kept):
                wanted.add(i)
        ids = {rows[i].id for i in wanted if not rows[i].foreign}
        return [_within(rows[i], ids) for i in sorted(wanted)]

    def labelled(self, row: MiningRow) -> bool:
        """Say whether the translations are known."""
        return row.translations is not None


def mine(x: Tensor, y: Tensor, k: int = NEIGHBOURS) -> list[tuple[float, int, int]]:
    """Pair vectors (N, H) with vectors (M, H), all of length 1, one to one: (score, index in x, index in y).

    The score of a pair is its cosine over the mean of both sides' mean cosine to their k nearest.
    """
    return pairs_by_margin(*closest_both_ways(x, y, k))


def pairs_by_margin(x_nearest: Near, y_nearest: Near) -> list[tuple[float, int, int]]:
    """Pair two sides whose nearest neighbours in each other are known, with their cosines, best first.

    Each side's best pairs are merged, best first, and taken where both are still free. Of equal scores the first
    counts, x's before y's; XTREME leaves that open (numpy's argsort is not stable).
    """
    (x_cosines, x_near), (y_cosines, y_near) = (
        [each.cpu() for each in side] for side in (x_nearest, y_nearest)
    )
    x_mean, y_mean = x_cosines.mean(1), y_cosines.mean(1)
    x_scores, x_best = (x_cosines / ((x_mean.unsqueeze(1) + y_mean[x_near]) / 2)).max(1)
    y_scores, y_best = (y_cosines / ((y_mean.unsqueeze(1) + x_mean[y_near]) / 2)).max(1)
    sources = torch.cat(
        [torch.arange(len(x_near)), y_near.gather(1, y_best.unsqueeze(1)).squeeze(1)]
    ).tolist()
    targets = torch.cat(
        [x_near.gather(1, x_best.unsqueeze(1)).squeeze(1), torch.arange(len(y_near))]
    ).tolist()
    scores = torch.cat([x_scores, y_scores])
    best_first = torch.argsort(scores, descending=True, stable=True).tolist()
    taken_x, taken_y = set(), set()
    pairs = []
    for place, score in zip(best_first, scores[best_first].tolist(), strict=True):
        i, j = sources[place], targets[place]
        if score > 0 and i not in taken_x and j not in taken_y:
            taken_x.add(i)
            taken_y.add(j)
            pairs.append((score, i, j))
    return pairs


def _different(rows: Sequence[MiningRow], foreign: bool) -> list[int]:
    """List one row of each different sentence of a side: the last, in the order of the first."""
    return list({row.text: i for i, row in enumerate(rows) if row.foreign == foreign}.values())


def _within(row: MiningRow, ids: set[str]) -> MiningRow:
    """Forget translations that are not there any more."""
    if not row.translations:
        return row
    return replace(row, translations=tuple(each for each in row.translations if each in ids))


def _gold(rows: Sequence[MiningRow]) -> set[tuple[str, str]]:
    return {(row.id, each) for row in rows for each in row.translations or ()}


def _pairs(rows: Sequence[MiningRow], predictions: Sequence[Mined]) -> list[tuple[str, str]]:
    return [(row.id, pair[0]) for row, pair in zip(rows, predictions, strict=True) if pair]
