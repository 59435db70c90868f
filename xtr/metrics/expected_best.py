"""This is where searches of different sizes are compared: by the best that n trials are expected to reach.

expected_best([0.2, 0.4, 0.9], 1)    -> 0.5
expected_best([0.2, 0.4, 0.9], 2)    -> 0.7333...    (0.4, 0.9 and 0.9 are the best of the three pairs)

The mean over all subsets of n trials, drawn without replacement: an unbiased form of the expected maximum by
budget of Dodge et al. (2019, arXiv 1909.03004), who draw with replacement.
"""

from __future__ import annotations

from collections.abc import Sequence


def expected_best(scores: Sequence[float], n: int) -> float:
    """Return the expected maximum of n of these scores.

    Raises:
        ValueError: n is not between 1 and the number of scores.
    """
    if not 1 <= n <= len(scores):
        raise ValueError(f"the best of {n} of {len(scores)} scores")
    # A score of rank r is the best of n where the others lie behind it: C(N - 1 - r, n - 1) of C(N, n) subsets.
    total, chance = 0.0, n / len(scores)
    for rank, score in enumerate(sorted(scores, reverse=True)):
        total += chance * score
        behind = len(scores) - 1 - rank
        if behind < n:
            break
        chance *= (behind - n + 1) / behind
    return total
