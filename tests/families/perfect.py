"""Rows of every family from the demo world, and the outputs of a model that is always right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.data.rows import (
    Candidate,
    ChoiceRow,
    MiningRow,
    PairRow,
    RankingRow,
    RetrievalRow,
    Row,
    SpanRow,
    TaggingRow,
    TextRow,
)
from xtr.families.family import Example
from xtr.families.span import Found

TRAINED = ("mnli", "csqa", "copa", "udpos", "panx", "squad_v1")
TASKS = (*TRAINED, "tatoeba")
SEARCHING = ("bucc2018", "squad_qa_retrieval")
"""Their predictions say more than the gold does, so they are tested apart; see test_mining and test_ranking."""


def demo_rows(demo: DemoSource, name: str) -> Sequence[Row]:
    task = find_task(name)
    return demo.rows(task, "select", demo.languages(task, "select")[0])


def unlabelled(row: Row) -> Row:
    match row:
        case PairRow() | ChoiceRow():
            return replace(row, label=None)
        case TaggingRow():
            return replace(row, tags=None)
        case SpanRow():
            return replace(row, answers=None)
        case RetrievalRow():
            return replace(row, gold=None)
        case TextRow():
            return row
        case MiningRow():
            return replace(row, translations=None)
        case RankingRow():
            return replace(row, key=None)
        case Candidate():
            return replace(row, keys=())


def gold(row: Row) -> Any:
    match row:
        case PairRow() | ChoiceRow():
            return row.label
        case TaggingRow():
            return row.tags
        case SpanRow():
            assert row.answers
            return Found(row.answers[0].text, -2.0)  # right outputs put 1 on both ends and 0 on no answer
        case RetrievalRow():
            return row.gold
        case MiningRow() | RankingRow() | Candidate() | TextRow():
            raise AssertionError("predictions are not the gold itself")


def right_outputs(name: str, rows: Sequence[Row], examples: Sequence[Example]) -> list[Tensor]:
    """What `split_outputs` would give for a model that puts 1 on every right answer and 0 elsewhere."""
    task = find_task(name)
    if task.family == "retrieval":
        queries, candidates = examples[: len(rows)], examples[len(rows) :]
        places = [gold(rows[query.row]) for query in queries] + [candidate.row for candidate in candidates]
        return list(torch.eye(len(rows))[places].unsqueeze(1))
    return [_right_output(example, task.family, len(task.labels)) for example in examples]


def _right_output(example: Example, family: str, n_labels: int) -> Tensor:
    if family == "pair":
        scores = torch.zeros(1, n_labels)
        scores[0, example.target[0]] = 1
    elif family == "choice":
        scores = torch.zeros(len(example.sequences), 1)
        scores[example.target[0], 0] = 1
    elif family == "tagging":
        scores = torch.zeros(example.length, n_labels)
        for (_, position), tag in zip(example.places, example.target, strict=True):
            scores[position, tag] = 1
    else:
        scores = torch.zeros(example.length, 2)
        scores[example.target[0], 0] = scores[example.target[1], 1] = 1
    return scores


def as_batch(name: str, outputs: Sequence[Tensor]) -> Tensor:
    """Put single outputs together as the model gives them; padded tokens get scores that would mislead."""
    if find_task(name).family in ("tagging", "span"):
        return pad_sequence(list(outputs), batch_first=True, padding_value=50.0)
    return torch.cat(list(outputs))
