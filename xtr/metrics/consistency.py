"""This is where it is measured whether two languages rank the same candidates alike: RankC.

rank_consistency([["a", "b", "c"]], [["a", "c", "b"]])   -> 0.878
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def rank_consistency(first: Sequence[Sequence[str]], second: Sequence[Sequence[str]]) -> float:
    """Return RankC, 0 to 1: how much the top candidates of the same queries agree, the topmost weighing most.

    For every query and every depth j up to its n candidates, the share of the top j that both rankings have,
    weighted by exp(n - j) over the sum of these weights; then the mean over queries.

    Source: Qi, Fernandez and Bisazza 2023, Cross-Lingual Consistency of Factual Knowledge in Multilingual
    Language Models (the weighting of 1_easyrun/RankC.py in Betswish/Cross-Lingual-Consistency).

    Args:
        first: one ranking a query, all candidates, best first, in one language.
        second: the same queries and candidates in another language.

    Raises:
        ValueError: there are no queries, or the two do not rank the same candidates.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} queries in one language but {len(second)} in the other")
    if not first:
        raise ValueError("RankC of no queries")
    return sum(map(_agreement, first, second)) / len(first)


def _agreement(one: Sequence[str], other: Sequence[str]) -> float:
    n = len(one)
    if n == 0 or set(one) != set(other) or len(set(one)) != n or len(other) != n:
        raise ValueError("RankC compares two orders of the same candidates, each ranked once")
    weights = [math.exp(1 - depth) for depth in range(1, n + 1)]  # exp(n - depth) without its overflow
    seen_one: set[str] = set()
    seen_other: set[str] = set()
    total = 0.0
    for depth, weight in enumerate(weights, 1):
        seen_one.add(one[depth - 1])
        seen_other.add(other[depth - 1])
        total += weight * len(seen_one & seen_other) / depth
    return total / sum(weights)
