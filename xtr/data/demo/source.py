"""This is where the demo world becomes a source: its files are written once and read by the official readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from xtr.catalogue.task import Split, Task
from xtr.data.demo import SELECT_LANGUAGES, TARGET_LANGUAGES, prepare_world, world_identity
from xtr.data.official import OfficialSource
from xtr.data.parsing import LeftOut
from xtr.data.rows import Row


class DemoSource:
    """The demo world of one seed and scale, kept below a folder."""

    def __init__(self, folder: Path, *, seed: int, scale: float) -> None:
        self.folder = folder
        self.seed = seed
        self.scale = scale

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """List the world's languages in which the split exists."""
        if task.training_task is None:
            return SELECT_LANGUAGES if split == "select" else TARGET_LANGUAGES[1:]
        if split in ("train", "select"):
            return ("en",)
        return TARGET_LANGUAGES

    def rows(self, task: Task, split: Split, language: str) -> Sequence[Row]:
        """Read a split."""
        if split == "select" and language in SELECT_LANGUAGES:
            task = replace(task, select_languages=SELECT_LANGUAGES)
        return self._files.rows(task, split, language)

    def identity(self, task: Task, split: Split, language: str) -> str:
        """Name the data by the world, the task's training data and the language, without writing any file."""
        return f"{world_identity(self.seed, self.scale)}/{task.folder}/{split}/{language}"

    def left_out(self) -> LeftOut:
        """Nothing: the world is well-formed."""
        return {}

    @cached_property
    def _files(self) -> OfficialSource:
        return OfficialSource(prepare_world(self.folder, seed=self.seed, scale=self.scale))
