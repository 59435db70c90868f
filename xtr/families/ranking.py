"""This is where queries rank candidates with a dual encoder: LAReQA, Mewsli-X, SQuAD as retrieval.

    `<s> question </s>`  `<s> sentence </s></s> context </s>`  ->  a vector each  ->  dot products
    training: each query against the candidates of its whole optimiser step, its own is right
    scoring:  each query against every candidate, the best 20 with FAISS

The negatives of a query are the other rows' candidates of the step over all ranks, so the number of workers
does not change what is learnt. A row whose candidate happens to be right too counts as wrong, as in XTREME-R.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import Candidate, RankingRow, Row
from xtr.families.family import Example, Family, HeadSettings, Pool, Tokens, text_sequences
from xtr.families.neighbours import closest
from xtr.metrics.ranking import average_precision, map_at_k
from xtr.model.encoder import Encoder
from xtr.model.heads import VectorHead

TOP = 20

Ranked = tuple[str, ...]
"""Ids of candidates, best first."""


class Ranking(Family[RankingRow, Ranked]):
    """Retrieval with a trained dual encoder; a prediction is the ids of the best candidates."""

    suffix = "json"
    whole_step = True
    encodes_rows_apart = False

    def encode(
        self, rows: Sequence[RankingRow], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Make one example a query, and behind them one each different candidate that came with the rows."""
        queries = _query_sequences(rows, task, tokenizer, max_length)
        owner: dict[Candidate, int] = {}
        for i, row in enumerate(rows):
            for candidate in row.candidates:
                owner.setdefault(candidate, i)
        sequences = _candidate_sequences(list(owner), tokenizer, max_length)
        return [
            *(Example(i, (query,)) for i, query in enumerate(queries)),
            *(Example(i, (sequence,)) for i, sequence in zip(owner.values(), sequences, strict=True)),
        ]

    def encode_training(
        self, rows: Sequence[RankingRow], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Make one example a row: its query and its first right candidate."""
        right = [next(each for each in row.candidates if row.key in each.keys) for row in rows]
        queries = _query_sequences(rows, task, tokenizer, max_length)
        answers = _candidate_sequences(right, tokenizer, max_length)
        return [Example(i, pair) for i, pair in enumerate(zip(queries, answers, strict=True))]

    def pool_candidates(self, pool: Sequence[Row]) -> list[Candidate]:
        """List candidates, those of queries too, each once."""
        return list(dict.fromkeys(_candidates(pool)))

    def encode_candidates(
        self, candidates: Sequence[Candidate], tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Make one example a candidate."""
        sequences = _candidate_sequences(candidates, tokenizer, max_length)
        return [Example(i, (sequence,)) for i, sequence in enumerate(sequences)]

    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> VectorHead:
        """Make a head that gives each text a vector."""
        return VectorHead(encoder.hidden_size)

    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Sum the cross-entropy over queries; `outputs` is (2 N, H): query, candidate, query, candidate, ..."""
        scores = outputs[0::2] @ outputs[1::2].T
        return functional.cross_entropy(
            scores, torch.arange(len(scores), device=outputs.device), reduction="sum"
        )

    def decode(
        self,
        outputs: Sequence[Tensor],
        examples: Sequence[Example],
        rows: Sequence[RankingRow],
        task: Task,
    ) -> list[Ranked]:
        """Rank the candidates that came with the rows, all of them for each query."""
        candidates = tuple(dict.fromkeys(_candidates(rows)))
        pool = Pool(candidates, torch.cat(list(outputs[len(rows) :])))
        return self.decode_against(outputs[: len(rows)], rows, pool)

    def decode_against(
        self, outputs: Sequence[Tensor], rows: Sequence[RankingRow], pool: Pool
    ) -> list[Ranked]:
        """Rank a pool for each query."""
        _, best = closest(torch.cat(list(outputs)).float(), pool.vectors.float(), TOP)
        return [tuple(pool.candidates[i].id for i in places) for places in best.tolist()]

    def without_candidates(self, rows: Sequence[RankingRow]) -> list[RankingRow]:
        """Leave the queries alone."""
        return [replace(row, candidates=()) for row in rows]

    def against(self, rows: Sequence[RankingRow], candidates: Sequence[Candidate]) -> list[RankingRow]:
        """Give each query those of a pool's candidates that are right, so that it can be scored."""
        by_key: defaultdict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            for key in candidate.keys:
                by_key[key].append(candidate)
        return [replace(row, candidates=tuple(by_key.get(row.key or "", ()))) for row in rows]

    def score(
        self, rows: Sequence[RankingRow], predictions: Sequence[Ranked], task: Task, language: str
    ) -> dict[str, float]:
        """Compute mAP@20; a query whose answer is not among the candidates scores 0."""
        rankings = {row.id: ranked for row, ranked in zip(rows, predictions, strict=True)}
        return {"map_at_20": map_at_k(rankings, _relevant(rows), TOP)}

    def outcomes(
        self, rows: Sequence[RankingRow], predictions: Sequence[Ranked], task: Task, language: str
    ) -> list[dict[str, float]]:
        """Compute each query's average precision at 20."""
        relevant = _relevant(rows)
        return [
            {"map_at_20": average_precision(ranked, relevant[row.id], TOP)}
            for row, ranked in zip(rows, predictions, strict=True)
        ]

    def prediction_file(self, rows: Sequence[RankingRow], predictions: Sequence[Ranked]) -> str:
        """Write `{query id: [candidate ids, best first]}`, as XTREME-R reads Mewsli-X."""
        ranked = {row.id: list(ids) for row, ids in zip(rows, predictions, strict=True)}
        return json.dumps(ranked, ensure_ascii=False, indent=1) + "\n"

    def label_file(self, rows: Sequence[RankingRow]) -> str:
        """Write the right candidates as predictions are written."""
        return self.prediction_file(rows, [tuple(sorted(ids)) for ids in _relevant(rows).values()])

    def labelled(self, row: RankingRow) -> bool:
        """Say whether it is known what the query asks for."""
        return row.key is not None


def _relevant(rows: Sequence[RankingRow]) -> dict[str, set[str]]:
    """Find each query's right candidates; one that is not among them stands for itself, and is never found."""
    by_key: defaultdict[str, set[str]] = defaultdict(set)
    for candidate in dict.fromkeys(_candidates(rows)):
        for key in candidate.keys:
            by_key[key].add(candidate.id)
    return {row.id: by_key.get(row.key or "") or {row.key or ""} for row in rows}


def _candidates(rows: Sequence[Row]) -> list[Candidate]:
    """List the candidates among rows, and those that queries bring with them."""
    found: list[Candidate] = []
    for row in rows:
        if isinstance(row, Candidate):
            found.append(row)
        elif isinstance(row, RankingRow):
            found += row.candidates
    return found


def _query_sequences(
    rows: Sequence[RankingRow], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
) -> list[Tokens]:
    longest = min(max_length, task.query_length or max_length)
    return text_sequences(tokenizer, [row.query for row in rows], None, longest)


def _candidate_sequences(
    candidates: Sequence[Candidate], tokenizer: PreTrainedTokenizerFast, max_length: int
) -> list[Tokens]:
    """Encode each candidate, with its context behind it where it has one."""
    sequences: list[Tokens | None] = [None] * len(candidates)
    for with_context in (False, True):
        chosen = [i for i, each in enumerate(candidates) if (each.context is not None) == with_context]
        if chosen:
            texts = [candidates[i].text for i in chosen]
            contexts = [candidates[i].context or "" for i in chosen] if with_context else None
            for i, tokens in zip(chosen, text_sequences(tokenizer, texts, contexts, max_length), strict=True):
                sequences[i] = tokens
    return [tokens for tokens in sequences if tokens is not None]
