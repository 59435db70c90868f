"""This is where questions that may have no answer are scored, as SQuAD v2.0 does.

    gold = {"q1": ["Paris"], "q2": []}
    squad_v2_scores(gold, {"q1": "Paris", "q2": "Rome"}, doubt={"q1": -3.0, "q2": 0.5})
    -> {"f1": 1.0, "exact_match": 1.0}        where doubt rises above -3.0, no answer is given

The scores are the best that any threshold on the doubt reaches (`best_f1`, `best_exact` of the official
script); jiant ranks by their mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xtr.metrics.squad import Scores, normalise_answer, token_f1


def squad_v2_scores(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], doubt: Mapping[str, float]
) -> Scores:
    """Return `f1` and `exact_match`, 0 to 1, averaged over the questions, each at its own best threshold.

    Source: `find_all_best_thresh` of SQuAD's evaluate-v2.0.py, which reports them times 100 as `best_f1` and
    `best_exact`. As there, questions of equal doubt are taken one by one in the order of `doubt`, although a
    threshold cannot part them.

    Args:
        gold: question id to its right answers, none where the question has no answer.
        predicted: question id to the answer that is given unless doubt is too high; empty is no answer.
        doubt: question id to how probable it is that there is no answer; only its order counts.

    Raises:
        ValueError: there are no questions, or one lacks a prediction or a doubt.
    """
    if not gold:
        raise ValueError("SQuAD v2.0 scores of no questions")
    missing = [question for question in gold if question not in predicted or question not in doubt]
    if missing:
        raise ValueError(f"question {missing[0]} has no prediction or no doubt")
    raw = {question: given_scores(answers, predicted[question]) for question, answers in gold.items()}
    order = sorted((question for question in doubt if question in gold), key=doubt.__getitem__)
    return {
        metric: _best_total(gold, predicted, {q: scores[metric] for q, scores in raw.items()}, order)
        / len(gold)
        for metric in ("f1", "exact_match")
    }


def given_scores(answers: Sequence[str], guess: str) -> Scores:
    """Return `f1` and `exact_match` of an answer as it is given, whatever the doubt.

    Where no right answer is left after normalising, the empty answer is the right one, and F1 is exact match.
    """
    normal = normalise_answer(guess)
    rights = [right for right in map(normalise_answer, answers) if right] or [""]
    exact = float(normal in rights)
    f1 = max(token_f1(right, normal) for right in rights) if normal and rights != [""] else exact
    return {"f1": f1, "exact_match": exact}


def _best_total(
    gold: Mapping[str, Sequence[str]],
    predicted: Mapping[str, str],
    raw: Mapping[str, float],
    order: Sequence[str],
) -> float:
    """Start with no question answered, answer them one by one, and return the highest sum of scores met."""
    total = best = float(sum(not answers for answers in gold.values()))
    for question in order:
        if gold[question]:
            total += raw[question]
        elif predicted[question]:
            total -= 1
        best = max(best, total)
    return best
