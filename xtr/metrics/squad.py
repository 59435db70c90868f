"""This is where answers to questions are scored as SQuAD v1.1 does.

    squad_scores({"q1": ["the Denver Broncos"]}, {"q1": "Denver Broncos!"})
    -> {"f1": 1.0, "exact_match": 1.0}

XTREME applies these English rules unchanged to every language of XQuAD and TyDiQA: text without spaces, such
as Thai and Chinese, is one token, and F1 there is nearly exact match.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalise_answer(text: str) -> str:
    """Lower-case, drop ASCII punctuation, then English articles, then spare white space.

    Source: `normalize_answer` of SQuAD's evaluate-v1.1.py.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def squad_scores(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str]) -> dict[str, float]:
    """Return `f1` and `exact_match`, 0 to 1, averaged over the gold questions.

    Source: third_party/evaluate_squad.py of google-research/xtreme (xquad, tydiqa), which is SQuAD's
    evaluate-v1.1.py and reports the numbers times 100.

    Args:
        gold: question id to its right answers; the best match counts.
        predicted: question id to answer; a question without one scores 0, other ids are ignored.

    Raises:
        ValueError: there are no questions, or one has no gold answer.
    """
    if not gold:
        raise ValueError("SQuAD scores of no questions")
    f1 = exact = 0.0
    for question, answers in gold.items():
        if not answers:
            raise ValueError(f"question {question} has no gold answer")
        if question in predicted:
            guess = normalise_answer(predicted[question])
            rights = [normalise_answer(answer) for answer in answers]
            f1 += max(_token_f1(right, guess) for right in rights)
            exact += guess in rights
    return {"f1": f1 / len(gold), "exact_match": exact / len(gold)}


def _token_f1(right: str, guess: str) -> float:
    """Overlap of the bags of words of two normalised answers; 0 where either is empty."""
    right_words, guessed_words = right.split(), guess.split()
    n_same = (Counter(right_words) & Counter(guessed_words)).total()
    if not n_same:
        return 0.0
    precision, recall = n_same / len(guessed_words), n_same / len(right_words)
    return 2 * precision * recall / (precision + recall)
