"""This is where every error that a user can meet is named.

    XtrError               exit 1   something failed while running
    ├── InputError         exit 2   the user's file, data or arguments; carries every problem at once
    ├── SweepBusy          exit 2   another driver holds this sweep
    ├── CorruptArtefact    exit 1   a stored file is not what its manifest says
    ├── Diverged           exit 1   training left the finite numbers
    └── Drained                     a stage was asked to stop: its state is kept, the next run goes on

Exit codes of the command line: 0 done, 1 failed, 2 the user's input, 3 some trials failed, 4 stopped by
the budget, 130 interrupted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, said so that it can be mended.

    `where` is a place (`sweep.yaml:12 search.space`), `received` the value met, `allowed` what would do,
    `hint` the next step.
    """

    what: str
    where: str = ""
    received: str = ""
    allowed: str = ""
    hint: str = ""

    def __str__(self) -> str:
        first = f"{self.where}: {self.what}" if self.where else self.what
        details = (("received", self.received), ("allowed", self.allowed), ("try", self.hint))
        return "\n".join([first, *(f"    {name:<8} {text}" for name, text in details if text)])


class XtrError(Exception):
    """Anything xtr refuses or fails at; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(XtrError):
    """The user's input is wrong; every problem found is carried, not just the first.

    `note` says below them what holds for all.
    """

    exit_code = 2

    def __init__(self, problems: Problem | Iterable[Problem], note: str = "") -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.note = note
        super().__init__("\n".join([*map(str, self.problems), *filter(None, [note])]))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...], str]]:
        return type(self), (self.problems, self.note)


class SweepBusy(XtrError):
    """Another driver runs this sweep."""

    exit_code = 2


class CorruptArtefact(XtrError):
    """A stored file is missing or its hash differs from the manifest."""


class Diverged(XtrError):
    """A loss or score is not a finite number."""


class Drained(XtrError):
    """Work was asked to stop and has: what it had done is kept. Never leaves the trial that meets it."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant: `did you mean 'mnli'?`, or an empty string."""
    close = nearest(name, known)
    return "" if close is None else f"did you mean {close!r}?"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that was probably meant.

    What differs in its case alone comes first, then what begins alike (`squad` for `squad_v1`), then what has the
    same words (`max_concurrent_trials`), then what is spelt alike.
    """
    said = name.casefold()
    folded = {each.casefold(): each for each in reversed(list(known))}
    names = list(reversed(folded))
    ways = (
        [each for each in names if each == said],
        [each for each in names if min(len(each), len(said)) >= _SHORTEST and _begin_alike(each, said)],
        [each for each in names if _words(each) <= _words(said) or _words(said) <= _words(each)],
        difflib.get_close_matches(said, names, n=1, cutoff=0.6),
    )
    return next((folded[way[0]] for way in ways if way), None)


_SHORTEST = 3
"""Letters of a beginning that tells something."""


def _begin_alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _words(name: str) -> set[str]:
    return set(re.findall("[^\\W_]+", name)) or {name}
