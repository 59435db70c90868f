"""This is where a part's training rows are chosen: how many, and which.

    chosen_rows([393_000], part, seed=1)     -> [(0, 17), (0, 4), ...]: number of the language, place in its file

Nothing here reads rows, so that a plan can count what training will see.
"""

from __future__ import annotations

from collections.abc import Sequence

from xtr.catalogue.lookup import find_task
from xtr.data.subsets import nested_subset, resolve_size
from xtr.stages.stage import Part


def rows_at_hand(sizes: Sequence[int], part: Part) -> int:
    """Count the rows to choose from: pooled tasks give each language's, others share the rows of one."""
    return sum(sizes) if find_task(part.task).pools_languages else min(sizes)


def n_chosen(sizes: Sequence[int], part: Part) -> int:
    """Count a part's training rows, given how many each of its languages has."""
    settings = part.settings
    fraction = settings.fraction if settings.examples is None else None
    return resolve_size(
        rows_at_hand(sizes, part), fraction=fraction, examples=settings.examples, cap=settings.max_rows
    )


def chosen_rows(sizes: Sequence[int], part: Part, seed: int) -> list[tuple[int, int]]:
    """Choose training rows, given how many each language has: (number of the language, place in its file) each."""
    return first_rows(sizes, part, seed, n_chosen(sizes, part))


def first_rows(sizes: Sequence[int], part: Part, seed: int, n: int) -> list[tuple[int, int]]:
    """List the first n rows that a part with this seed is trained on; fewer rows are a prefix of more."""
    task = find_task(part.task)
    order = nested_subset(rows_at_hand(sizes, part), n, seed=seed, task=task.name)
    if not task.pools_languages:
        return [(i % len(sizes), row) for i, row in enumerate(order)]
    places = [(number, row) for number, size in enumerate(sizes) for row in range(size)]
    return [places[i] for i in order]
