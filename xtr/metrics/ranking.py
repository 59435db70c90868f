"""This is where rankings are scored: LAReQA and Mewsli-X.

map_at_k({"q1": ["b", "a", "c"]}, {"q1": {"a", "c"}})   -> (1/2 + 2/3) / 2 = 0.583
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def map_at_k(
    rankings: Mapping[str, Sequence[str]], relevant: Mapping[str, Collection[str]], k: int = 20
) -> float:
    """Return the mean over queries of the average precision at k, 0 to 1.

    Source: XTREME-R's mAP@20 for LAReQA (third_party/utils_lareqa.py of google-research/xtreme, cut at 20).
    With one relevant item a query it is the reciprocal rank, which evaluate.py reports for Mewsli-X as mAP@20.

    Args:
        rankings: query to items, best first; a query without a ranking scores 0, other queries are ignored.
        relevant: query to the items that are right.
        k: items further down do not count.

    Raises:
        ValueError: there are no queries, one has no relevant item, or an item is ranked twice.
    """
    if not relevant:
        raise ValueError("mean average precision of no queries")
    return sum(
        average_precision(rankings.get(query, ()), items, k) for query, items in relevant.items()
    ) / len(relevant)


def average_precision(ranking: Sequence[str], relevant: Collection[str], k: int = 20) -> float:
    """Return the sum of the precision at each relevant item in the top k, over min(relevant items, k).

    Raises:
        ValueError: no item is relevant, or one is ranked twice.
    """
    right, top = set(relevant), ranking[:k]
    if not right:
        raise ValueError("average precision without a relevant item")
    if len(set(top)) < len(top):
        raise ValueError("an item is ranked twice")
    found = [rank for rank, item in enumerate(top, 1) if item in right]
    return sum(n_found / rank for n_found, rank in enumerate(found, 1)) / min(len(right), k)
