"""This is where mined sentence pairs are scored, and where the score that a pair must reach is chosen: BUCC.

threshold = fit_threshold(scored_dev, gold_dev)            # on dev, never on test
bucc_f1(gold_test, pairs_above(scored_test, threshold))    -> {"f1": ..., "precision": ..., "recall": ...}
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

IdPair = tuple[str, str]
"""(foreign sentence's id, English sentence's id)."""
Scored = tuple[float, str, str]
"""(score, foreign sentence's id, English sentence's id)."""


def bucc_f1(gold: Collection[IdPair], predicted: Collection[IdPair]) -> dict[str, float]:
    """Return `f1`, `precision` and `recall`, 0 to 1, of the pairs found; one that is given twice counts once.

    Source: `bucc_f1` in evaluate.py of google-research/xtreme, which reports the numbers times 100.

    Raises:
        ValueError: there are no gold pairs.
    """
    right, found = set(gold), set(predicted)
    if not right:
        raise ValueError("BUCC scores of no gold pairs")
    n_correct = len(right & found)
    if not n_correct:
        return {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    precision, recall = n_correct / len(found), n_correct / len(right)
    return {"f1": _f1(precision, recall), "precision": precision, "recall": recall}


def fit_threshold(scored: Iterable[Scored], gold: Collection[IdPair]) -> float:
    """Return the score from which on pairs are kept so that their F1 is highest.

    The pairs are taken from the best score downwards; the threshold lies midway between the pair at which F1
    peaks and the next one. Of equal peaks the first counts. Where no pair is right, the threshold is 0.

    Source: `bucc_optimize` in third_party/utils_retrieve.py of google-research/xtreme. Pairs with equal scores
    are taken one by one in their first order, as there, although the threshold cannot part them. That function
    fails with an IndexError where F1 is highest at the very last pair; here the threshold is then that pair's
    score, so that every pair is kept.

    Args:
        scored: candidates in the order in which they were mined; of a repeated pair the best score counts.
        gold: the right pairs.
    """
    right = set(gold)
    ranked = sorted(_best_scores(scored).items(), key=lambda item: -item[1])
    n_correct, best_f1, threshold = 0, 0.0, 0.0
    for n_taken, (pair, score) in enumerate(ranked, 1):
        n_correct += pair in right
        f1 = _f1(n_correct / n_taken, n_correct / len(right)) if n_correct else 0.0
        if f1 > best_f1:
            best_f1 = f1
            next_score = ranked[n_taken][1] if n_taken < len(ranked) else score
            threshold = (score + next_score) / 2
    return threshold


def pairs_above(scored: Iterable[Scored], threshold: float) -> list[IdPair]:
    """List the pairs whose score is at least the threshold, each once, in the order in which they were mined.

    Source: `bucc_extract` in third_party/utils_retrieve.py of google-research/xtreme.
    """
    return [pair for pair, score in _best_scores(scored).items() if score >= threshold]


def _best_scores(scored: Iterable[Scored]) -> dict[IdPair, float]:
    best: dict[IdPair, float] = {}
    for score, source, target in scored:
        pair = (source, target)
        best[pair] = max(score, best.get(pair, score))
    return best


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall)
