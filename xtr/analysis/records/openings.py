"""This is where it is kept how often a sweep's evaluation has opened a split: a line each time, never removed.

    sweeps/<name>/openings.jsonl    {"at": "2026-11-20T21:04:07+00:00", "split": "test", "evaluations": 90, ...}

A test set that is looked at again and again no longer tests. The file says how often it was.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from xtr.catalogue.task import Split
from xtr.fingerprint import canonical_json
from xtr.storage import append_line, read_lines

FILE = "openings.jsonl"


@dataclass(frozen=True, slots=True)
class Opening:
    """One `xtr evaluate`.

    Attributes:
        at: ISO 8601 in UTC.
        evaluations: checkpoints times languages that it gave scores of.
        computed: of these, how many were not stored and so were computed.
    """

    at: str
    split: Split
    evaluations: int
    computed: int


def note_opening(folder: Path, split: Split, *, evaluations: int, computed: int) -> None:
    """Note that a split is opened now."""
    opening = Opening(datetime.now(UTC).isoformat(timespec="seconds"), split, evaluations, computed)
    append_line(folder / FILE, canonical_json(asdict(opening)))


def read_openings(folder: Path) -> list[Opening]:
    """Read every opening, oldest first."""
    return [Opening(**json.loads(line)) for line in read_lines(folder / FILE)]
