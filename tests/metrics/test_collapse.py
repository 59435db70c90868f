"""A collapse is one class for all rows where the gold has several."""

from __future__ import annotations

from xtr.metrics.collapse import collapsed


def test_one_class_for_all_rows_is_a_collapse_unless_the_gold_has_no_other() -> None:
    assert collapsed(["yes", "no", "no"], ["no", "no", "no"])
    assert collapsed(["yes", "no", "no"], ["maybe", "maybe", "maybe"])
    assert not collapsed(["yes", "no", "no"], ["no", "no", "yes"])
    assert not collapsed(["no", "no"], ["no", "no"])
    assert not collapsed([], [])
