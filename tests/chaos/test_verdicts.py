"""A driver that dies after every single score and every single verdict ends with the same trials."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.search.specs import Table, drive, sweep, table
from xtr.faults import FOLDER, SCHEDULE
from xtr.search.book import Book

STOPPING = {"trials_per_pair": 4, "generation": 2, "early_stopping": {"rung_epochs": 1, "keep": 0.5}}


def driven(folder: Path) -> Table:
    """Open the book again after each death, until it is done."""
    while True:
        try:
            book = Book(sweep(folder, **STOPPING), folder)
            drive(book, 2, random.Random(0))
        except RuntimeError:
            continue
        return table(book)


def test_verdicts_that_a_driver_has_died_before_are_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = driven(tmp_path / "undisturbed")
    deaths = [
        f"{point}:{hit}:raise" for point in ("study.after_report", "study.after_tell") for hit in range(1, 99)
    ]
    monkeypatch.setenv(FOLDER, str(tmp_path / "faults"))
    monkeypatch.setenv(SCHEDULE, ",".join(deaths))
    assert driven(tmp_path / "dying") == undisturbed
    assert "running" not in {row[4] for row in undisturbed}
