"""This is where labels of which one is the positive are scored: QQP's accuracy and F1.

binary_f1(["1", "0", "1"], ["1", "1", "0"], positive="1")   -> {"f1": 0.5, "precision": 0.5, "recall": 0.5}
"""

from __future__ import annotations

from collections.abc import Sequence


def binary_f1(gold: Sequence[object], predicted: Sequence[object], positive: object) -> dict[str, float]:
    """Return `f1`, `precision` and `recall`, 0 to 1, of the positive label.

    Source: GLUE's metrics for QQP, which are accuracy and this F1 (scikit-learn's `f1_score`); where nothing is
    positive on either side, it is 0 there as here.

    Args:
        gold: one label a row.
        predicted: one label a row, in the same order.
        positive: the label that counts; QQP's `1`, the duplicates.

    Raises:
        ValueError: the lengths differ, or there are no rows.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold labels but {len(predicted)} predictions")
    if not gold:
        raise ValueError("F1 of no rows")
    pairs = list(zip(gold, predicted, strict=True))
    n_right = sum(label == guess == positive for label, guess in pairs)
    n_found = sum(guess == positive for _, guess in pairs)
    n_gold = sum(label == positive for label, _ in pairs)
    precision = n_right / n_found if n_found else 0.0
    recall = n_right / n_gold if n_gold else 0.0
    f1 = 2 * n_right / (n_found + n_gold) if n_right else 0.0
    return {"f1": f1, "precision": precision, "recall": recall}
