"""This is where searches of different sizes are compared: by the best that n trials are expected to reach.

expected_best([0.2, 0.4, 0.9], 1)    -> 0.5
expected_best([0.2, 0.4, 0.9], 2)    -> 0.7333...    (0.4, 0.9 and 0.9 are the best of the three pairs)
expected_choice([(0.2, 0.5), (0.4, 0.3), (0.9, 0.6)], 3)    -> 0.6: what the one with the best first number has

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
    return expected_choice([(score, score) for score in scores], n)


def expected_choice(tried: Sequence[tuple[float, float]], n: int) -> float:
    """Return the expected score of what is chosen among n by another number, such as a dev score.

    Args:
        tried: the number by which is chosen, and the score; of equals the earlier one is chosen.

    Raises:
        ValueError: n is not between 1 and the number that were tried.
    """
    if not 1 <= n <= len(tried):
        raise ValueError(f"the best of {n} of {len(tried)} scores")
    # A score of rank r is the best of n where the others lie behind it: C(N - 1 - r, n - 1) of C(N, n) subsets.
    total, chance = 0.0, n / len(tried)
    for rank, (_, score) in enumerate(sorted(tried, key=lambda each: -each[0])):
        total += chance * score
        behind = len(tried) - 1 - rank
        if behind < n:
            break
        chance *= (behind - n + 1) / behind
    return total
