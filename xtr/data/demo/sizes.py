"""This is where it is said how many rows the demo world's splits have, before any of them is written.

split_size(find_task("tydiqa"), "train", scale=1.0)     -> 900: a tenth of 1,000 is held out
"""

from __future__ import annotations

from collections.abc import Mapping

from xtr.catalogue.task import Split, Task
from xtr.data.demo.tasks import SIZES

SMALLEST = 12
"""Items of a split at the smallest scale."""

_FILES: Mapping[tuple[str, Split], tuple[str, str]] = {
    ("mnli", "select"): ("xnli", "dev"),
    ("squad_v1", "train"): ("squad", "train"),
    ("squad_v1", "select"): ("squad", "dev"),
    ("squad_qa_retrieval", "train"): ("squad", "train"),
    ("squad_qa_retrieval", "select"): ("squad", "dev"),
    ("xquad", "dev"): ("xquad", "test"),
    ("tydiqa", "dev"): ("tydiqa", "test"),
    ("copa", "train"): ("xcopa", "train"),
    ("copa", "select"): ("xcopa", "dev"),
    ("mlm", "train"): ("text", "train"),
    ("mlm", "dev"): ("text", "dev"),
    ("tatoeba", "select"): ("tatoeba", "test"),
    ("tatoeba", "dev"): ("tatoeba", "test"),
    ("lareqa", "dev"): ("xquad-r", "test"),
    ("lareqa", "test"): ("xquad-r", "test"),
    ("lareqa", "pool"): ("xquad-r", "test"),
}
"""Which items a task's split is made of, where they are called otherwise."""


def n_items(task: str, split: str, scale: float) -> int:
    """Count the items that are drawn, by the names of `SIZES`."""
    return max(SMALLEST, round(SIZES[task][split] * scale))


def split_size(task: Task, split: Split, scale: float) -> int | None:
    """Count a split's rows in one language; None where the world has no such split."""
    holds_out = bool(task.held_out) and not task.select and split in ("train", "select")
    name, of = _FILES.get((task.name, "train" if holds_out else split), (task.name, split))
    of = "train" if holds_out else "dev" if of == "select" else of
    if of not in SIZES.get(name, {}):
        return None
    items = n_items(name, of, scale)
    if holds_out:
        held_out = max(1, round(task.held_out * items))
        return held_out if split == "select" else items - held_out
    # Of three sentences BUCC has one on both sides and one on each alone.
    return 2 * round(items * 2 / 3) if task.family == "mining" else items
