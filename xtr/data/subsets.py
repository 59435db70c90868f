"""This is where part of the rows is chosen: nested subsets, sizes and the rows held out for selection.

nested_subset(10_000, 100, seed=13, task="mnli")     -> the first 100 of one permutation of 10,000 rows
nested_subset(10_000, 1_000, seed=13, task="mnli")   -> the same 100, and 900 more
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from xtr.fingerprint import derive_seed, digest


def nested_subset(n_rows: int, n_wanted: int, *, seed: int, task: str) -> list[int]:
    """Return the indices of the first `n_wanted` rows of one permutation, in the permutation's order.

    The permutation depends on the seed, the task and the number of rows, so a smaller subset is a prefix of
    every larger one.

    Raises:
        ValueError: more rows are wanted than there are, or fewer than none.
    """
    if not 0 <= n_wanted <= n_rows:
        raise ValueError(f"{n_wanted} rows wanted of {n_rows}")
    permutation = list(range(n_rows))
    random.Random(derive_seed(seed, task, "subset")).shuffle(permutation)
    return permutation[:n_wanted]


def resolve_size(
    n_rows: int, *, fraction: float | None = None, examples: int | None = None, cap: int | None = None
) -> int:
    """Return how many rows are used: the cap first, then a fraction of what is left or a number of examples.

    Never less than one row, never more than the cap leaves; without `fraction` and `examples`, all of that.

    Raises:
        ValueError: there are no rows, both `fraction` and `examples` are given, or a value is out of range.
    """
    if n_rows < 1:
        raise ValueError("there are no rows to choose from")
    if fraction is not None and examples is not None:
        raise ValueError("fraction and examples exclude each other")
    if fraction is not None and not 0 < fraction <= 1:
        raise ValueError(f"fraction is {fraction}, allowed: above 0, up to 1")
    for name, value in (("examples", examples), ("cap", cap)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}, allowed: 1 or more")
    capped = n_rows if cap is None else min(n_rows, cap)
    if fraction is not None:
        return max(1, round(fraction * capped))
    return capped if examples is None else min(examples, capped)


def held_out_ids(ids: Sequence[str], share: float, *, task: str) -> frozenset[str]:
    """Choose the rows that are held out of training, at least one: the same for ever, whatever the seed.

    Ids are ordered by a hash of task and id, so the choice does not depend on the order of the file.
    """
    n_held_out = max(1, round(share * len(ids)))
    order = sorted(ids, key=lambda row_id: digest([task, "held_out", row_id]))
    return frozenset(order[:n_held_out])
