"""This is where answers are found in a text: SQuAD, XQuAD, MLQA, TyDiQA.

    `<s> question </s></s> window of the context </s>`  ->  a start and an end score for every token

A context that does not fit is read through overlapping windows. Answers are cut out of the context by character
offsets, never rebuilt from tokens (MLQA-zh breaks otherwise: google-research/xtreme#38).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import SpanRow
from xtr.families.family import Example, Family, HeadSettings, Tokens
from xtr.metrics.mlqa import normalise_for
from xtr.metrics.squad import answer_scores, mean_scores, normalise_answer
from xtr.metrics.squad_v2 import given_scores, squad_v2_scores
from xtr.model.encoder import Encoder
from xtr.model.heads import TokenHead

MAX_QUESTION_TOKENS = 64
MAX_ANSWER_TOKENS = 30
Place = tuple[int, int]
Places = tuple[Place, ...]
NOT_CONTEXT: Place = (-1, -1)
"""The place of a token outside the context."""


class Found(NamedTuple):
    """An answer; the higher the doubt, the less sure it is that there is one (null score minus best span)."""

    text: str
    doubt: float = 0.0


class Span(Family[SpanRow, Found]):
    """Extractive question answering; a prediction is the answer's text and the doubt about it."""

    suffix = "json"
    auto_class = "AutoModelForQuestionAnswering"

    def encode(
        self,
        rows: Sequence[SpanRow],
        task: Task,
        tokenizer: PreTrainedTokenizerFast,
        max_length: int,
    ) -> list[Example]:
        """Make one example a window; windows overlap by a quarter of `max_length`."""
        room = min(MAX_QUESTION_TOKENS, max_length // 4)
        left = max_length - room - tokenizer.num_special_tokens_to_add(pair=True)
        encoded = tokenizer(
            _shortened([row.question for row in rows], tokenizer, room),
            [row.context for row in rows],
            truncation="only_second",
            max_length=max_length,
            stride=min(max_length // 4, left - 1),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        segments = encoded.get("token_type_ids")
        sources = encoded["overflow_to_sample_mapping"]
        windows = [
            _context_places(offsets, encoded.sequence_ids(i))
            for i, offsets in enumerate(encoded["offset_mapping"])
        ]
        extents = _answer_extents(rows, sources, windows)
        examples = []
        for i, (row, window) in enumerate(zip(sources, windows, strict=True)):
            sequence = Tokens(
                tuple(encoded["input_ids"][i]), None if segments is None else tuple(segments[i])
            )
            examples.append(Example(row, (sequence,), _target(rows[row], extents[row], window), window))
        return examples

    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> TokenHead:
        """Make a head with a start and an end score a token."""
        return TokenHead(encoder.hidden_size, 2)

    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Sum over windows the mean of the start's and the end's cross-entropy; `outputs` is (N, T, 2).

        The softmax runs over the first token (no answer in this window) and the context's tokens.
        """
        allowed = torch.zeros(outputs.shape[:2], dtype=torch.bool)
        for i, example in enumerate(examples):
            allowed[i, : example.length] = torch.tensor([place != NOT_CONTEXT for place in example.places])
        allowed[:, 0] = True
        lowest = torch.finfo(outputs.dtype).min
        scores = outputs.masked_fill(~allowed.to(outputs.device).unsqueeze(-1), lowest)
        target = torch.tensor([example.target for example in examples], device=outputs.device)
        start = functional.cross_entropy(scores[..., 0], target[:, 0], reduction="sum")
        end = functional.cross_entropy(scores[..., 1], target[:, 1], reduction="sum")
        return (start + end) / 2

    def decode(
        self,
        outputs: Sequence[Tensor],
        examples: Sequence[Example],
        rows: Sequence[SpanRow],
        task: Task,
    ) -> list[Found]:
        """Take the best span over all windows of a row."""
        best: list[tuple[float, int, int]] = [(float("-inf"), 0, 0)] * len(rows)
        for scores, example in zip(outputs, examples, strict=True):
            found = _best_span(scores, example.places)
            if found is not None and found[0] > best[example.row][0]:
                best[example.row] = found
        return [
            Found(row.context[start:end].strip(), -score)
            for row, (score, start, end) in zip(rows, best, strict=True)
        ]

    def prediction(self, document: tuple[str, float]) -> Found:
        """Make an answer of its JSON."""
        return Found(*document)

    def score(
        self, rows: Sequence[SpanRow], predictions: Sequence[Found], task: Task, language: str
    ) -> dict[str, float]:
        """Compute exact match and F1 by the task's rules; SQuAD 2.0's at their best thresholds."""
        if task.answer_rules == "squad_v2":
            texts = {row.id: each.text for row, each in zip(rows, predictions, strict=True)}
            doubt = {row.id: each.doubt for row, each in zip(rows, predictions, strict=True)}
            return squad_v2_scores(_gold(rows), texts, doubt)
        outcomes = self.outcomes(rows, predictions, task, language)
        return mean_scores({row.id: each for row, each in zip(rows, outcomes, strict=True)})

    def outcomes(
        self, rows: Sequence[SpanRow], predictions: Sequence[Found], task: Task, language: str
    ) -> list[dict[str, float]]:
        """Compute each question's exact match and F1; SQuAD 2.0's as if every answer were given."""
        gold = _gold(rows)
        if task.answer_rules == "squad_v2":
            return [
                given_scores(gold[row.id], each.text) for row, each in zip(rows, predictions, strict=True)
            ]
        normalise = normalise_for(language) if task.answer_rules == "mlqa" else normalise_answer
        texts = {row.id: each.text for row, each in zip(rows, predictions, strict=True)}
        scores = answer_scores(gold, texts, normalise)
        return [scores[row.id] for row in rows]

    def prediction_file(self, rows: Sequence[SpanRow], predictions: Sequence[Found]) -> str:
        """Write one JSON object from question id to answer."""
        answers = {row.id: each.text for row, each in zip(rows, predictions, strict=True)}
        return json.dumps(answers, ensure_ascii=False, indent=0) + "\n"

    def label_file(self, rows: Sequence[SpanRow]) -> str:
        """Write SQuAD's JSON; questions that follow each other on one context share its paragraph."""
        paragraphs = [
            {"context": context, "qas": [_question(row) for row in each]}
            for context, each in groupby(rows, key=lambda row: row.context)
        ]
        document = {"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}
        return json.dumps(document, ensure_ascii=False, indent=0) + "\n"

    def labelled(self, row: SpanRow) -> bool:
        """Say whether gold answers are known."""
        return row.answers is not None


def _gold(rows: Sequence[SpanRow]) -> dict[str, list[str]]:
    return {row.id: [answer.text for answer in row.answers or ()] for row in rows}


def _question(row: SpanRow) -> dict[str, object]:
    answers = [{"text": answer.text, "answer_start": answer.start} for answer in row.answers or ()]
    return {"id": row.id, "question": row.question, "answers": answers}


def _shortened(questions: list[str], tokenizer: PreTrainedTokenizerFast, room: int) -> list[str]:
    """Cut questions that are too long."""
    lengths = [len(ids) for ids in tokenizer(questions, add_special_tokens=False)["input_ids"]]
    return [
        question if length <= room else _shorten(question, tokenizer, room)
        for question, length in zip(questions, lengths, strict=True)
    ]


def _shorten(question: str, tokenizer: PreTrainedTokenizerFast, room: int) -> str:
    """Cut a question so that it has at most `room` tokens, a word cut in two included."""
    while True:
        offsets = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        if len(offsets) <= room:
            return question
        question = question[: min(offsets[room - 1][1], len(question) - 1)]


def _context_places(offsets: Sequence[Place], sides: Sequence[int | None]) -> Places:
    """Keep the character offsets of context tokens, mark all others."""
    return tuple(
        (int(start), int(end)) if side == 1 else NOT_CONTEXT
        for (start, end), side in zip(offsets, sides, strict=True)
    )


def _answer_extents(
    rows: Sequence[SpanRow], sources: Sequence[int], windows: Sequence[Places]
) -> list[Place | None]:
    """Find from where to where the tokens of each row's first gold answer reach, over all its windows.

    Blanks at an answer's ends and marks that a tokenizer drops (accents, for BERT's) belong to no token, so an
    answer can be longer than its tokens.
    """
    extents: list[Place | None] = [None] * len(rows)
    for row, window in zip(sources, windows, strict=True):
        inside = _answer_tokens(rows[row], window)
        if inside:
            start, end = window[inside[0]][0], window[inside[-1]][1]
            known = extents[row] or (start, end)
            extents[row] = (min(known[0], start), max(known[1], end))
    return extents


def _answer_tokens(row: SpanRow, window: Places) -> list[int]:
    """List the window's tokens that hold a part of the first gold answer."""
    if not row.answers:
        return []
    first, last = row.answers[0].start, row.answers[0].start + len(row.answers[0].text)
    return [i for i, (start, end) in enumerate(window) if start < last and end > first and end > start >= 0]


def _target(row: SpanRow, extent: Place | None, window: Places) -> tuple[int, ...]:
    """Find the first gold answer's first and last token; (0, 0) where this window does not hold them all.

    A question without an answer points to (0, 0) in every window; one whose answers are hidden has no target.
    """
    if row.answers is None:
        return ()
    inside = _answer_tokens(row, window)
    if not inside or (window[inside[0]][0], window[inside[-1]][1]) != extent:
        return (0, 0)
    return (inside[0], inside[-1])


def _best_span(scores: Tensor, places: Places) -> tuple[float, int, int] | None:
    """Return the score and the character offsets of the best span of at most MAX_ANSWER_TOKENS tokens."""
    context = torch.tensor([place != NOT_CONTEXT for place in places])
    if not bool(context.any()):
        return None
    start, end = scores[:, 0].clone(), scores[:, 1].clone()
    start[~context] = end[~context] = float("-inf")
    ends = functional.pad(end, (0, MAX_ANSWER_TOKENS - 1), value=float("-inf"))
    sums = start.unsqueeze(1) + ends.unfold(
        0, MAX_ANSWER_TOKENS, 1
    )  # by first token and number of further ones
    first, further = divmod(int(sums.argmax()), MAX_ANSWER_TOKENS)
    return float(sums[first, further] - scores[0].sum()), places[first][0], places[first + further][1]
