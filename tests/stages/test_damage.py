"""No damaged stage or state is taken for whole; benchmarks/damage.py strikes a thousand times."""

from __future__ import annotations

from pathlib import Path

from benchmarks.damage import accepted


def test_no_bit_flip_and_no_truncation_is_accepted(tmp_path: Path) -> None:
    assert accepted(60, 7, tmp_path) == []
