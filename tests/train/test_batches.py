"""The order of training: seeded by (seed, task, epoch) alone, and the same whoever shares it out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xtr.train.batches import Schedule, epoch_order, rank_share, step_batch


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
