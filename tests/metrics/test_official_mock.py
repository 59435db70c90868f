"""The official scorer's own mock predictions, with the averages that it expects (evaluate_test.py)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shared_data import SHARED_DATA, needs_shared_data
from xtr.catalogue.lookup import find_task
from xtr.metrics.accuracy import accuracy
from xtr.metrics.chunks import chunk_scores
from xtr.metrics.squad import squad_scores
from xtr.metrics.xtreme import task_score

MOCK = SHARED_DATA / "xtreme_mock"
pytestmark = needs_shared_data("xtreme_mock")

Scores = dict[str, float]


def lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").split("\n")]


def sentences(path: Path) -> list[list[str]]:
    return [block.split("\n") for block in "\n".join(lines(path)).strip("\n").split("\n\n")]


def score_labels(gold: Path, predicted: Path) -> Scores:
    return {"accuracy": accuracy(lines(gold)[:-1], lines(predicted)[:-1])}


def score_tags(gold: Path, predicted: Path) -> Scores:
    return chunk_scores(sentences(gold), sentences(predicted))


def score_answers(gold: Path, predicted: Path) -> Scores:
    questions = [
        question
        for article in json.loads(gold.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    answers = {question["id"]: [answer["text"] for answer in question["answers"]] for question in questions}
    return squad_scores(answers, json.loads(predicted.read_text(encoding="utf-8")))


def score_mock(task: str, score: Callable[[Path, Path], Scores]) -> dict[str, Scores]:
    suffix = "json" if score is score_answers else "tsv"
    return {
        language: score(
            MOCK / "labels" / task / f"test-{language}.{suffix}",
            MOCK / "predictions" / task / f"test-{language}.{suffix}",
        )
        for language in find_task(task).languages
    }


@pytest.mark.parametrize(
    ("task", "score", "expected"),
    [
        ("xnli", score_labels, 30.6667),
        ("pawsx", score_labels, 51.4286),
        ("tatoeba", score_labels, 53.6111),
        ("panx", score_tags, 57.5079),
        ("udpos", score_tags, 70.2175),
        ("xquad", score_answers, (77.2727 + 79.9587) / 2),
        ("tydiqa", score_answers, (88.8889 + 97.2222) / 2),
    ],
)
def test_the_mock_predictions_score_what_the_official_scorer_gives(
    task: str, score: Callable[[Path, Path], Scores], expected: float
) -> None:
    assert task_score(task, score_mock(task, score)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("task", "exact_match", "f1"), [("xquad", 77.2727, 79.9587), ("tydiqa", 88.8889, 97.2222)]
)
def test_exact_match_and_f1_of_the_mock_answers_agree_apart(task: str, exact_match: float, f1: float) -> None:
    scores = score_mock(task, score_answers).values()
    means = [100 * sum(one[metric] for one in scores) / len(scores) for metric in ("exact_match", "f1")]
    assert means == pytest.approx([exact_match, f1], abs=1e-4)
