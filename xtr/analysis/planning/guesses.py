"""This is where a plan says what it does not know: what it took instead, why, and what would measure it.

Absent data are no error here: their identity, languages and sizes are guessed, and each guess is told once.
"""

from __future__ import annotations

from dataclasses import dataclass

from xtr.catalogue.task import Split, Task
from xtr.data.source import Source
from xtr.errors import InputError


@dataclass(frozen=True, slots=True)
class Guess:
    """A number that was not measured, and the command that measures it."""

    what: str
    value: str
    why: str
    measure: str


class Guesses:
    """What has been guessed, each once, in order."""

    def __init__(self) -> None:
        self._known: dict[str, Guess] = {}

    def note(self, what: str, value: object, why: str, measure: str) -> None:
        """Tell of a guess."""
        self._known.setdefault(what, Guess(what, str(value), why, measure))

    @property
    def all(self) -> list[Guess]:
        """Every guess so far."""
        return list(self._known.values())


class PlannedSource:
    """A source whose absent splits have guessed names and languages, a `Source`; others are as they are.

    Attributes:
        is_demo: whether it is the demo world.
        absent: what is missing, by task, split and language, and why.
    """

    def __init__(self, source: Source, *, is_demo: bool) -> None:
        self._source = source
        self.is_demo = is_demo
        self._names: dict[tuple[str, Split, str], str] = {}
        self._languages: dict[tuple[str, Split], tuple[str, ...]] = {}
        self.rows = source.rows
        self.left_out = source.left_out
        self.absent: dict[tuple[str, Split, str], str] = {}

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """List the languages at hand, or all of the catalogue's where there is none."""
        place = (task.name, split)
        if place not in self._languages:
            self._languages[place] = self._source.languages(task, split) or _usual_languages(task, split)
        return self._languages[place]

    def identity(self, task: Task, split: Split, language: str) -> str:
        """Name a split by its content, or by nothing but its place where it is absent."""
        place = (task.name, split, language)
        if place not in self._names:
            try:
                self._names[place] = self._source.identity(task, split, language)
            except InputError as error:
                self._names[place] = f"absent {' '.join(place)}"
                self.absent[place] = error.problems[0].what
        return self._names[place]

    @property
    def finds_nothing(self) -> bool:
        """Whether not one of the splits that were asked for is at hand."""
        return 0 < len(self._names) == len(self.absent)

    def n_rows(self, task: Task, split: Split, language: str) -> int | None:
        """Count rows that are at hand."""
        return self._source.n_rows(task, split, language)


def _usual_languages(task: Task, split: Split) -> tuple[str, ...]:
    """List the languages of data that are absent; of training rows the home's, and a translation for pairs."""
    if split == "train":
        return (task.home, "de") if task.family == "ranking" and len(task.languages) == 1 else ()
    if split == "select" and task.training_task is None:
        return task.select_languages
    return task.all_languages
