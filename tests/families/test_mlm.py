"""Masked language modelling: what is hidden, how often, and that it is hidden anew at every step."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.data.rows import TextRow
from xtr.families.family import Example
from xtr.families.mlm import CHOSEN, Mlm

TASK, FAMILY = find_task("mlm"), Mlm()


@pytest.fixture
def rows(demo: DemoSource) -> list[TextRow]:
    return [row for row in demo.rows(TASK, "train", "xa") if isinstance(row, TextRow)]


def shown(example: Example) -> list[int]:
    ids = list(example.sequences[0].input_ids)
    for (place, _), piece in zip(example.places, example.target, strict=True):
        ids[place] = piece
    return ids


def test_every_piece_is_kept_and_long_lines_come_in_parts(
    rows: list[TextRow], tokenizer: PreTrainedTokenizerFast
) -> None:
    whole = FAMILY.encode(rows, TASK, tokenizer, 128)
    parts = FAMILY.encode(rows, TASK, tokenizer, 12)
    assert len(parts) > len(whole)
    assert max(part.length for part in parts) == 12
    for number, row in enumerate(rows):
        expected = tokenizer(row.text, add_special_tokens=False)["input_ids"]
        for examples in (whole, parts):
            pieces = [piece for each in examples if each.row == number for piece in shown(each)[1:-1]]
            assert pieces == expected


def test_about_15_percent_are_hidden_and_most_of_those_behind_the_mask(
    rows: list[TextRow], tokenizer: PreTrainedTokenizerFast
) -> None:
    examples = FAMILY.encode(rows, TASK, tokenizer, 128)
    fates: Counter[str] = Counter()
    n_pieces = 0
    for seed in range(400):
        for example in FAMILY.drawn(examples, tokenizer, seed):
            n_pieces += example.length - 2
            for (place, _), piece in zip(example.places, example.target, strict=True):
                now = example.sequences[0].input_ids[place]
                fates["mask" if now == tokenizer.mask_token_id else "kept" if now == piece else "other"] += 1
    n_hidden = fates.total()
    assert n_hidden / n_pieces == pytest.approx(CHOSEN, abs=0.01)
    assert fates["mask"] / n_hidden == pytest.approx(0.8, abs=0.02)
    assert fates["kept"] / n_hidden == pytest.approx(0.1, abs=0.02)


def test_a_step_hides_anew_by_its_seed_and_evaluation_always_hides_the_same(
    rows: list[TextRow], tokenizer: PreTrainedTokenizerFast
) -> None:
    examples = FAMILY.encode(rows, TASK, tokenizer, 128)
    assert examples == FAMILY.encode(rows, TASK, tokenizer, 128)
    one, other = (FAMILY.drawn(examples, tokenizer, seed) for seed in (1, 2))
    assert one == FAMILY.drawn(examples, tokenizer, 1) != other
    assert [shown(example) for example in one] == [shown(example) for example in other]


def test_the_likelihood_is_the_geometric_mean_of_the_hidden_pieces_probabilities(
    rows: list[TextRow], tokenizer: PreTrainedTokenizerFast
) -> None:
    examples, n_pieces = FAMILY.encode(rows, TASK, tokenizer, 12), len(tokenizer)
    torch.manual_seed(0)
    widest = max(len(each.target) for each in examples)
    scores = torch.randn(len(examples), widest, n_pieces)
    kept = FAMILY.reduced(scores, examples)
    assert kept.shape == (len(examples), widest, 2)
    guesses = FAMILY.decode(list(kept), examples, rows, TASK)
    n_hidden = sum(len(each.target) for each in examples)
    found = FAMILY.score(rows, guesses, TASK, "xa")
    loss = float(FAMILY.loss(scores, examples)) / n_hidden
    assert -math.log(found["likelihood"]) == pytest.approx(loss, abs=1e-4)
    right = sum(
        int(scores[i, j].argmax()) == piece
        for i, each in enumerate(examples)
        for j, piece in enumerate(each.target)
    )
    assert found["accuracy"] == right / n_hidden
    assert [FAMILY.prediction(list(each)) for each in guesses] == guesses
    undecided = FAMILY.decode(list(FAMILY.reduced(0 * scores, examples)), examples, rows, TASK)
    assert FAMILY.score(rows, undecided, TASK, "xa")["likelihood"] == pytest.approx(1 / n_pieces, rel=1e-3)
