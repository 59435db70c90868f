import pytest

from xtr.metrics.accuracy import accuracy


def test_accuracy_is_the_share_of_equal_labels() -> None:
    assert accuracy(["a", "b", "c", "d"], ["a", "b", "x", "d"]) == 0.75


def test_accuracy_compares_numbers_too() -> None:
    assert accuracy([3, 1], [3, 2]) == 0.5


@pytest.mark.parametrize(("gold", "predicted"), [(["a"], ["a", "b"]), ([], [])])
def test_accuracy_refuses_lengths_that_differ_and_no_rows(gold: list[str], predicted: list[str]) -> None:
    with pytest.raises(ValueError, match=r"rows|predictions"):
        accuracy(gold, predicted)
