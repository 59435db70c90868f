"""This is where answers to questions are scored as SQuAD v1.1 does.

    squad_scores({"q1": ["the Denver Broncos"]}, {"q1": "Denver Broncos!"})
    -> {"f1": 1.0, "exact_match": 1.0}

XTREME applies these English rules unchanged to every language of XQuAD and TyDiQA: text without spaces, such
as Thai and Chinese, is one token, and F1 there is nearly exact match. MLQA's rules are in `xtr.metrics.mlqa`,
those of questions without an answer in `xtr.metrics.squad_v2`.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

Scores = dict[str, float]
Normalise = Callable[[str], str]

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalise_answer(text: str) -> str:
    """Lower-case, drop ASCII punctuation, then English articles, then spare white space.

    Source: `normalize_answer` of SQuAD's evaluate-v1.1.py.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def squad_scores(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str]) -> Scores:
    """Return `f1` and `exact_match`, 0 to 1, averaged over the gold questions.

    Source: third_party/evaluate_squad.py of google-research/xtreme (xquad, tydiqa), which is SQuAD's
    evaluate-v1.1.py and reports the numbers times 100.

    Args:
        gold: question id to its right answers; the best match counts.
        predicted: question id to answer; a question without one scores 0, other ids are ignored.

    Raises:
        ValueError: there are no questions, or one has no gold answer.
    """
    return mean_scores(answer_scores(gold, predicted, normalise_answer))


def answer_scores(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], normalise: Normalise
) -> dict[str, Scores]:
    """Return `f1` and `exact_match`, 0 to 1, of every gold question, by its id.

    Args:
        gold: question id to its right answers; the best match counts.
        predicted: question id to answer; a question without one scores 0, other ids are ignored.
        normalise: what is done to answers before they are compared; tokens are what blanks then part.

    Raises:
        ValueError: a question has no gold answer.
    """
    scores: dict[str, Scores] = {}
    for question, answers in gold.items():
        if not answers:
            raise ValueError(f"question {question} has no gold answer")
        scores[question] = {"f1": 0.0, "exact_match": 0.0}
        if question in predicted:
            guess = normalise(predicted[question])
            rights = [normalise(answer) for answer in answers]
            best = max(token_f1(right, guess) for right in rights)
            scores[question] = {"f1": best, "exact_match": float(guess in rights)}
    return scores


def mean_scores(scores: Mapping[str, Scores]) -> Scores:
    """Average the scores of questions.

    Raises:
        ValueError: there are no questions.
    """
    if not scores:
        raise ValueError("SQuAD scores of no questions")
    return {
        metric: sum(each[metric] for each in scores.values()) / len(scores)
        for metric in ("f1", "exact_match")
    }


def token_f1(right: str, guess: str) -> float:
    """Overlap of the bags of words of two normalised answers; 0 where either is empty."""
    right_words, guessed_words = right.split(), guess.split()
    n_same = (Counter(right_words) & Counter(guessed_words)).total()
    if not n_same:
        return 0.0
    precision, recall = n_same / len(guessed_words), n_same / len(right_words)
    return 2 * precision * recall / (precision + recall)
