"""This is where it is read how each test item went: what differences on the same items are computed from.

ids, counts = read_items(store, stage.key, "f1")     -> (n_items,), (n_items, k)
value_of(counts)(counts.sum(0))                      -> the score
"""

from __future__ import annotations

import json

import numpy as np

from xtr.errors import InputError, Problem
from xtr.stages.stage import ITEMS
from xtr.stages.store import StageStore
from xtr.statistics.intervals import Counts, Value, f1_of, share_of

F1_COUNTS = (
    ("chunks_right", "chunks_found", "chunks_gold"),
    ("pairs_right", "pairs_found", "pairs_gold"),
)
"""Outcomes of families whose F1 is of sums over items: right, found, gold. Other metrics are means over items."""

Items = tuple[tuple[str, ...], Counts]
"""The ids of the rows, and what became of each."""


def read_items(store: StageStore, key: str, metric: str) -> Items:
    """Read how each row of an evaluation went.

    Raises:
        InputError: the stage is no longer there.
    """
    if not key or store.open(key) is None:
        raise InputError(
            Problem(
                "how each row went is no longer stored", received=key[:12] or "-", hint="xtr evaluate again"
            )
        )
    lines = [
        json.loads(line) for line in (store.checked(key) / ITEMS).read_text(encoding="utf-8").splitlines()
    ]
    names = next((each for each in F1_COUNTS if each[0] in lines[0]), None)
    numbers = [[line[name] for name in names] if names else [line[metric], 1.0] for line in lines]
    return tuple(str(line["id"]) for line in lines), np.array(numbers, dtype=float)


def value_of(counts: Counts) -> Value:
    """Tell how a score comes from counts (n_items, k) that are summed over items."""
    return f1_of if counts.shape[1] == len(F1_COUNTS[0]) else share_of
