from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtr.data.subsets import held_out_ids, nested_subset, resolve_size

SIZES = st.integers(min_value=0, max_value=300)


@given(n_rows=SIZES, share=st.floats(0, 1), other=st.floats(0, 1), seed=st.integers(0, 2**31))
def test_a_smaller_subset_is_the_beginning_of_a_larger_one(
    n_rows: int, share: float, other: float, seed: int
) -> None:
    small, large = sorted((round(share * n_rows), round(other * n_rows)))
    few = nested_subset(n_rows, small, seed=seed, task="mnli")
    many = nested_subset(n_rows, large, seed=seed, task="mnli")
    assert many[:small] == few
    assert len(set(many)) == large
    assert set(many) <= set(range(n_rows))


def test_a_subset_is_the_same_on_every_machine() -> None:
    assert nested_subset(1_000, 5, seed=13, task="mnli") == [847, 762, 212, 962, 725]


def test_seed_and_task_choose_other_rows() -> None:
    subsets = [
        tuple(nested_subset(1_000, 50, seed=seed, task=task))
        for seed, task in ((1, "mnli"), (2, "mnli"), (1, "pawsx"))
    ]
    assert len(set(subsets)) == 3


@pytest.mark.parametrize("n_wanted", [-1, 11])
def test_a_subset_cannot_be_larger_than_the_rows(n_wanted: int) -> None:
    with pytest.raises(ValueError, match="of 10"):
        nested_subset(10, n_wanted, seed=1, task="mnli")


@pytest.mark.parametrize(
    ("fraction", "examples", "cap", "size"),
    [
        (None, None, None, 1_000),
        (None, None, 200, 200),
        (0.1, None, None, 100),
        (0.1, None, 200, 20),
        (1.0, None, 5_000, 1_000),
        (1e-9, None, None, 1),
        (None, 50, None, 50),
        (None, 5_000, None, 1_000),
        (None, 500, 200, 200),
    ],
)
def test_a_size_is_cut_by_the_cap_first(
    fraction: float | None, examples: int | None, cap: int | None, size: int
) -> None:
    assert resolve_size(1_000, fraction=fraction, examples=examples, cap=cap) == size


@given(n_rows=st.integers(1, 10**6), fraction=st.floats(0, 1, exclude_min=True), cap=st.integers(1, 10**6))
def test_a_size_is_never_empty_nor_more_than_there_is(n_rows: int, fraction: float, cap: int) -> None:
    assert 1 <= resolve_size(n_rows, fraction=fraction, cap=cap) <= min(n_rows, cap)


def test_a_size_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        resolve_size(0)
    with pytest.raises(ValueError, match="exclude each other"):
        resolve_size(10, fraction=0.5, examples=5)
    with pytest.raises(ValueError, match=r"fraction is 1\.5"):
        resolve_size(10, fraction=1.5)
    with pytest.raises(ValueError, match="examples is 0"):
        resolve_size(10, examples=0)
    with pytest.raises(ValueError, match="cap is 0"):
        resolve_size(10, cap=0)


@given(ids=st.lists(st.text(max_size=5), min_size=1, max_size=50, unique=True), seed=st.randoms())
def test_held_out_rows_do_not_depend_on_their_order(ids: list[str], seed: Random) -> None:
    shuffled = seed.sample(ids, len(ids))
    held_out = held_out_ids(ids, 0.1, task="tydiqa")
    assert held_out == held_out_ids(shuffled, 0.1, task="tydiqa")
    assert len(held_out) == max(1, round(0.1 * len(ids)))


def test_every_task_holds_out_rows_of_its_own() -> None:
    ids = [str(number) for number in range(100)]
    assert held_out_ids(ids, 0.1, task="tydiqa") != held_out_ids(ids, 0.1, task="panx")
