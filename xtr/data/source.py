"""This is where data come from, behind one protocol: `official` folders, the `hub` and the `demo` world."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from xtr.catalogue.task import Split, Task
from xtr.data.parsing import LeftOut
from xtr.data.rows import Row


class Source(Protocol):
    """What every data source can do.

    A source never guesses: rows that are malformed raise InputError with file, line, value and remedy, all
    problems of a file at once (up to a handful).
    """

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """List the languages in which the split is at hand, in the catalogue's order."""
        ...

    def rows(self, task: Task, split: Split, language: str) -> Sequence[Row]:
        """Read a split in file order.

        Raises:
            InputError: the file is missing, empty or malformed.
        """
        ...

    def identity(self, task: Task, split: Split, language: str) -> str:
        """Name the exact data of a split; enters stage keys, so equal content must give equal names."""
        ...

    def n_rows(self, task: Task, split: Split, language: str) -> int | None:
        """Count a split's rows where that is known or costs little; None otherwise. Fetches and writes nothing."""
        ...

    def left_out(self) -> LeftOut:
        """Say what malformed rows were left out of the splits read so far, where the user allows that."""
        ...


class ReadOnce:
    """A source that parses a split once a process; of many splits the least used are forgotten."""

    def __init__(self, source: Source) -> None:
        self.languages = source.languages
        self.identity = source.identity
        self.n_rows = source.n_rows
        self.left_out = source.left_out
        self.rows = lru_cache(maxsize=16)(source.rows)
