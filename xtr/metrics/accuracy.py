"""This is where single labels are counted.

accuracy(["entailment", "neutral"], ["entailment", "entailment"])   -> 0.5
"""

from __future__ import annotations

from collections.abc import Sequence


def accuracy(gold: Sequence[object], predicted: Sequence[object]) -> float:
    """Return the share, 0 to 1, of rows whose predicted label equals the gold one.

    Source: `accuracy` in evaluate.py of google-research/xtreme (xnli, pawsx, xcopa, tatoeba), which reports
    it times 100.

    Args:
        gold: one label a row.
        predicted: one label a row, in the same order.

    Raises:
        ValueError: the lengths differ, or there are no rows.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold labels but {len(predicted)} predictions")
    if not gold:
        raise ValueError("accuracy of no rows")
    return sum(map(_equal, gold, predicted)) / len(gold)


def _equal(one: object, other: object) -> bool:
    return one == other
