"""The order of training: seeded by (seed, task, epoch) alone, and the same whoever shares it out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xtr.families.family import Example, Tokens
from xtr.train.batches import Schedule, cut_by_length, epoch_order, rank_share, step_batch


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
    schedule = Schedule(n_examples, batch_size, epochs=3)
    order = epoch_order(n_examples, seed=1, task="mnli", epoch=0)
    batches = [step_batch(order, step, batch_size) for step in range(schedule.steps_per_epoch)]
    assert [i for batch in batches for i in batch] == order
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= batch_size
    assert schedule.n_steps == 3 * len(batches)
    for batch in batches:
        shares = [rank_share(batch, rank=rank, world_size=n_ranks) for rank in range(n_ranks)]
        assert sorted(i for share in shares for i in share) == sorted(batch)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 5)), min_size=1, max_size=30), st.integers(1, 200)
)
def test_micro_batches_hold_every_example_once_within_the_budget(
    shapes: list[tuple[int, int]], max_tokens: int
) -> None:
    step = [
        Example(row, tuple(Tokens((7,) * length) for _ in range(n_sequences)))
        for row, (length, n_sequences) in enumerate(shapes)
    ]
    cut = cut_by_length(step, max_tokens)
    assert sorted(example.row for part in cut for example in part) == list(range(len(step)))
    for part in cut:
        padded = max(example.length for example in part) * sum(len(example.sequences) for example in part)
        assert padded <= max_tokens or len(part) == 1
    if len(cut) == 1:
        assert [example.row for example in cut[0]] == list(range(len(step)))
    lengths = [example.length for part in cut for example in part]
    assert len(cut) == 1 or lengths == sorted(lengths)
