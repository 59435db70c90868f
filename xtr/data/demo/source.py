"""This is where the demo world becomes a source: its files are written once and read by the official readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from xtr.catalogue.task import Split, Task
from xtr.data.demo import SELECT_LANGUAGES, TARGET_LANGUAGES, prepare_world, world_identity
from xtr.data.demo.sizes import split_size
from xtr.data.official import OfficialSource
from xtr.data.parsing import LeftOut
from xtr.data.rows import Row

ENGLISH_ALONE = frozenset({"csqa", "copa", "squad_qa_retrieval"})
"""What the world has training rows of in English alone."""


class DemoSource:
    """The demo world of one seed and scale, kept below a folder."""

    def __init__(self, folder: Path, *, seed: int, scale: float) -> None:
        self.folder = folder
        self.seed = seed
        self.scale = scale

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """List the world's languages in which the split exists."""
        if task.training_task is None:
            select = split == "select" and task.calibration is None
            return SELECT_LANGUAGES if select else TARGET_LANGUAGES[1:]
        if split == "train" and task.name not in ENGLISH_ALONE:
            return TARGET_LANGUAGES
        return ("en",) if split in ("train", "select") else TARGET_LANGUAGES

    def rows(self, task: Task, split: Split, language: str) -> Sequence[Row]:
        """Read a split."""
        if split == "select" and task.training_task is None:
            task = replace(task, select_languages=self.languages(task, split))
        if split == "train":  # the world's languages stand for those that a layout lists
            task = replace(task, train=tuple(replace(each, languages=()) for each in task.train))
        return self._files.rows(task, split, language)

    def identity(self, task: Task, split: Split, language: str) -> str:
        """Name the data by the world, the task's training data and the language, without writing any file."""
        return f"{world_identity(self.seed, self.scale)}/{task.folder}/{split}/{language}"

    def n_rows(self, task: Task, split: Split, language: str) -> int | None:
        """Count the items that the world draws, without writing any file."""
        return split_size(task, split, self.scale)

    def left_out(self) -> LeftOut:
        """Nothing: the world is well-formed."""
        return {}

    @cached_property
    def _files(self) -> OfficialSource:
        return OfficialSource(prepare_world(self.folder, seed=self.seed, scale=self.scale))
