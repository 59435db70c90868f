"""The order of training: seeded by (seed, task, epoch) alone, and the same whoever shares it out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from xtr.families.family import Example, Tokens
from xtr.train.batches import (
    Member,
    Schedule,
    balanced_share,
    cut_by_length,
    epoch_order,
    rank_share,
)


def test_the_order_is_a_permutation_that_depends_on_seed_task_and_epoch() -> None:
    order = epoch_order(50, seed=1, task="mnli", epoch=0)
    assert sorted(order) == list(range(50))
    assert epoch_order(50, seed=1, task="mnli", epoch=0) == order
    others = [
        epoch_order(50, seed=2, task="mnli", epoch=0),
        epoch_order(50, seed=1, task="csqa", epoch=0),
        epoch_order(50, seed=1, task="mnli", epoch=1),
    ]
    assert all(other != order for other in others)


def test_the_order_is_the_one_it_always_was() -> None:
    pinned = [3, 7, 1, 5, 4, 6, 0, 2]
    assert epoch_order(8, seed=1, task="mnli", epoch=0) == pinned, "raise RECIPE_VERSION"


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5))
def test_steps_and_ranks_share_out_every_example_once(n_examples: int, batch_size: int, n_ranks: int) -> None:
    schedule = Schedule((Member("mnli", n_examples),), batch_size, epochs=3, seed=1)
    order = epoch_order(n_examples, seed=1, task="mnli", epoch=0)
    batches = [batch for _, batch in schedule.epoch(0)]
    assert [i for batch in batches for i in batch] == order
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= batch_size
    assert schedule.n_steps == 3 * len(batches)
    for batch in batches:
        shares = [rank_share(batch, rank=rank, world_size=n_ranks) for rank in range(n_ranks)]
        assert sorted(i for share in shares for i in share) == sorted(batch)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


SHAPES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 5)), min_size=1, max_size=30)
"""Tokens of a sequence, and sequences, of each example of a step."""


def a_step(shapes: list[tuple[int, int]]) -> list[Example]:
    return [
        Example(row, tuple(Tokens((7,) * length) for _ in range(n_sequences)))
        for row, (length, n_sequences) in enumerate(shapes)
    ]


@given(SHAPES, st.integers(1, 4))
def test_ranks_share_a_step_out_by_tokens(shapes: list[tuple[int, int]], n_ranks: int) -> None:
    step = a_step(shapes)
    shares = [balanced_share(step, rank=rank, world_size=n_ranks) for rank in range(n_ranks)]
    assert sorted(example.row for share in shares for example in share) == list(range(len(step)))
    tokens = [sum(example.n_tokens for example in share) for share in shares]
    assert max(tokens) - min(tokens) <= max(example.n_tokens for example in step)
    assert all(shares) or len(step) < n_ranks
    if n_ranks == 1:
        assert shares[0] == step, "alone, a step keeps its order and its bits"


@given(SHAPES, st.integers(1, 200), st.booleans())
def test_micro_batches_hold_every_example_once_within_the_budget(
    shapes: list[tuple[int, int]], max_tokens: int, padded: bool
) -> None:
    step = a_step(shapes)
    cut = cut_by_length(step, max_tokens, padded=padded)
    assert sorted(example.row for part in cut for example in part) == list(range(len(step)))
    for part in cut:
        lengths = [example.length for example in part for _ in example.sequences]
        computed = max(lengths) * len(lengths) if padded else sum(lengths)
        assert computed <= max_tokens or len(part) == 1
    if len(cut) == 1:
        assert [example.row for example in cut[0]] == list(range(len(step)))
    lengths = [example.length for part in cut for example in part]
    assert len(cut) == 1 or lengths == sorted(lengths)


SIZES = (Member("mnli", 100), Member("csqa", 20))


def test_a_proportional_mixture_passes_over_every_row_once_in_steps_of_one_task() -> None:
    schedule = Schedule(SIZES, batch_size=8, epochs=2, seed=1)
    steps = schedule.epoch(1)
    assert len(steps) == schedule.steps_per_epoch == 13 + 3
    for number, member in enumerate(SIZES):
        seen = [i for which, batch in steps if which == number for i in batch]
        assert sorted(seen) == list(range(member.n_examples))
    turns = [which for which, _ in steps]
    assert turns != sorted(turns), "the members take turns"
    assert steps == schedule.epoch(1) != schedule.epoch(0)


def test_a_member_has_the_order_that_it_has_alone() -> None:
    alone = Schedule(SIZES[:1], 8, 1, seed=1).epoch(0)
    mixed = [step for step in Schedule(SIZES, 8, 1, seed=1).epoch(0) if step[0] == 0]
    assert sorted(mixed, key=str) == sorted(alone, key=str)


def test_a_cap_and_a_temperature_share_the_same_number_of_steps_more_evenly() -> None:
    def quotas(**how: Any) -> tuple[int, ...]:
        return Schedule(SIZES, 8, 1, seed=1, **how).quotas

    assert quotas() == (13, 3)
    assert quotas(sampling="capped", cap=10**6) == (13, 3)
    assert quotas(sampling="capped", cap=20) == (8, 8)
    assert quotas(sampling="temperature", cap=10**6, temperature=1.0) == (13, 3)
    flat = quotas(sampling="temperature", cap=10**6, temperature=2.0)
    assert sum(flat) == 16
    assert flat == (11, 5), "as the square roots of 100 and 20"


def test_a_member_that_is_drawn_more_often_begins_anew_only_when_its_rows_are_through() -> None:
    schedule = Schedule(SIZES, 8, epochs=3, seed=1, sampling="capped", cap=20)
    seen = [i for epoch in range(3) for which, batch in schedule.epoch(epoch) if which == 1 for i in batch]
    counts = Counter(seen)
    assert set(counts) == set(range(20))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_masked_language_modelling_has_its_share_of_the_steps_on_top() -> None:
    members = (*SIZES, Member("mlm", 1000, share=0.5))
    assert Schedule(members, 8, 1, seed=1).quotas == (13, 3, 16)
    assert Schedule((*SIZES, Member("mlm", 1000, share=0.2)), 8, 1, seed=1).quotas == (13, 3, 4)
    assert Schedule((Member("mlm", 1000, share=None),), 8, 1, seed=1).quotas == (125,)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 9))
def test_nested_first_passes_begin_alike_and_later_ones_are_each_amount_s_own(
    n_one: int, n_other: int, batch_size: int
) -> None:
    one, other = (
        Schedule((Member("mnli", n),), batch_size, epochs=2, seed=1, nested=True) for n in (n_one, n_other)
    )
    full = min(n_one, n_other) // batch_size
    assert [list(b) for _, b in one.epoch(0)[:full]] == [list(b) for _, b in other.epoch(0)[:full]]
    assert [i for _, batch in one.epoch(0) for i in batch] == list(range(n_one))
    assert [i for _, batch in one.epoch(1) for i in batch] == epoch_order(n_one, seed=1, task="mnli", epoch=1)
