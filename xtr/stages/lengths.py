"""This is where it is read how long encoded rows are: what `xtr data prepare` has left, without its tensors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xtr.storage import MANIFEST

LENGTHS = "lengths.json"

Place = tuple[str, str, str, int]
"""Task, identity of the data, key of the encoder that the path begins with, longest input."""


@dataclass(frozen=True)
class Lengths:
    """Tokens and examples of each row of an encoded split."""

    folder: Path
    n_rows: int

    @cached_property
    def _lists(self) -> dict[str, list[int]]:
        read: dict[str, list[int]] = json.loads((self.folder / LENGTHS).read_text())
        return read

    @property
    def tokens(self) -> list[int]:
        """Tokens of each row, all its examples together."""
        return self._lists["tokens"]

    @property
    def examples(self) -> list[int]:
        """Examples of each row: a long row may have several."""
        return self._lists["examples"]


def encoded_folder(root: Path) -> Path:
    """Where encoded splits lie below a storage root."""
    return root / "data" / "encoded"


def encoded_lengths(root: Path) -> dict[Place, Lengths]:
    """List the splits that have been encoded, by what they are; nothing is hashed."""
    found: dict[Place, Lengths] = {}
    for path in sorted(encoded_folder(root).glob(f"*/{MANIFEST}")):
        try:
            about = json.loads(path.read_text(encoding="utf-8"))["about"]
            place = (about["task"], about["data"], about["start"], about["max_length"])
        except (OSError, ValueError, KeyError):  # kept by an earlier version, or removed just now
            continue
        if (path.parent / LENGTHS).exists():
            found[place] = Lengths(path.parent, about["rows"])
    return found
