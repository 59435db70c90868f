import pytest

from xtr.metrics.transfer import spread


def test_the_gap_is_english_minus_the_mean_of_the_others() -> None:
    found = spread({"de": 0.8, "en": 0.9, "sw": 0.4})
    assert found.gap == pytest.approx(0.3)
    assert found.english == 0.9
    assert found.others == pytest.approx(0.6)
    assert found.mean == pytest.approx(0.7)
    assert (found.worst, found.lowest) == ("sw", 0.4)
    assert found.deviation == pytest.approx(0.2)


def test_without_english_or_without_others_there_is_no_gap() -> None:
    assert spread({"de": 0.8}).gap is None
    assert spread({"en": 0.8}).gap is None
    with pytest.raises(ValueError, match="no language"):
        spread({})
