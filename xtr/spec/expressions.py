"""This is where pairs.intermediate and pairs.target become what they stand for.

    parse_intermediate("none")                 -> Intermediate()
    parse_intermediate("mnli>squad_v1@de")     -> two links: mnli, then squad_v1 in German
    parse_intermediate("mnli@en,ru+mlm")       -> one link, a mixture of two members
    parse_intermediate("mnli>squad_v1+replay") -> two links, the second of which goes over rows of the first
    parse_intermediate("anli_plus")            -> one link, the mixture of that name
    parse_intermediate("checkpoint:org/name")  -> no link: training goes on from that encoder
    parse_target("tydiqa@sw")                  -> tydiqa, trained on its Swahili rows

Whether tasks and languages exist is checked elsewhere, against the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xtr.catalogue.mixtures import MIXTURES
from xtr.errors import InputError, Problem

NONE, REPLAY = "none", "replay"
CHECKPOINT = "checkpoint:"
_ALLOWED = (
    "none, a task (mnli), a task in some languages (mnli@en,ru), a mixture (mnli+squad_v1), "
    "a chain (mnli>squad_v1, mnli>squad_v1+replay) or checkpoint:FOLDER_OR_HUB_ID"
)


@dataclass(frozen=True, slots=True)
class Member:
    """A task that is trained on; no languages stand for the sweep's source language."""

    task: str
    languages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.task}@{','.join(self.languages)}" if self.languages else self.task


@dataclass(frozen=True, slots=True)
class Link:
    """One training stage of a chain: a task, or a mixture of several.

    Attributes:
        name: what its settings are looked up by: the task, or the mixture as it is written, such as anli_plus.
        replays: a share of its steps goes over the rows of the links before it.
    """

    members: tuple[Member, ...]
    name: str = field(default="", compare=False)
    replays: bool = False

    def __str__(self) -> str:
        return "+".join([*map(str, self.members), *([REPLAY] if self.replays else [])])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An encoder that somebody has trained already: a folder, or a hub id, perhaps at a revision."""

    name: str
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Intermediate:
    """What happens between the pretrained encoder and the target: nothing, or links in training order.

    Attributes:
        checkpoint: takes the place of the sweep's encoder.
    """

    links: tuple[Link, ...] = ()
    checkpoint: Checkpoint | None = None

    @property
    def members(self) -> tuple[Member, ...]:
        """Every task that is trained on, in order."""
        return tuple(member for link in self.links for member in link.members)


def parse_intermediate(text: str) -> Intermediate:
    """Read an intermediate expression.

    Raises:
        InputError: it is malformed.
    """
    links = [link.strip() for link in text.split(">")]
    if links == [NONE]:
        return Intermediate()
    if not all(links):
        raise _refused("a chain needs a task on both sides of >", text)
    if NONE in links:
        raise _refused("none stands alone, not in a chain", text)
    checkpoint = None
    if links[0].startswith(CHECKPOINT):
        checkpoint = _checkpoint(links.pop(0), text)
    parsed = tuple(_link(link, text) for link in links)
    _check_replays(parsed, text)
    if len(set(parsed)) < len(parsed):
        raise _refused("a chain names a link twice; more epochs are stages.intermediate.epochs", text)
    return Intermediate(parsed, checkpoint)


def _check_replays(links: Sequence[Link], text: str) -> None:
    before: set[Member] = set()
    for link in links:
        if link.replays and before <= {*link.members}:
            raise _refused(f"{link} has no other task before it to replay", text, "mnli>squad_v1+replay")
        before |= {*link.members}


def parse_target(text: str) -> Member:
    """Read a target expression: a task, perhaps with the languages that it is trained in.

    Raises:
        InputError: it is malformed.
    """
    return _member(text, text, "a task (tydiqa) or a task with its training languages (tydiqa@sw)")


def tidied(text: str) -> str:
    """Write an expression without blanks; a folder becomes absolute, since trials run in folders of their own."""
    first, *rest = re.sub(r"\s*([>+@,])\s*", r"\1", text.strip()).split(">")
    folder = first.removeprefix(CHECKPOINT)
    if folder != first and Path(folder).expanduser().is_dir():
        first = CHECKPOINT + absolute(folder)
    return ">".join([first, *rest])


def absolute(path: str) -> str:
    """Write a path such that it can be read from another folder."""
    return str(Path(path).expanduser().resolve())


def target_task(text: str) -> str:
    """Return the task of a target expression: what is scored, whatever it was trained in."""
    return text.partition("@")[0].strip()


def _checkpoint(text: str, whole: str) -> Checkpoint:
    name = text.removeprefix(CHECKPOINT).strip()
    hub_id, at, revision = name.rpartition("@")
    if at and hub_id and "/" not in revision:
        return Checkpoint(hub_id, revision)
    if not name:
        raise _refused("checkpoint: needs a folder or a hub id", whole)
    return Checkpoint(name)


def _link(text: str, whole: str) -> Link:
    if CHECKPOINT in text:
        raise _refused("a checkpoint begins a chain, and nothing is mixed with it", whole)
    parts = [part.strip() for part in text.split("+")]
    if NONE in parts:
        raise _refused("none stands alone, not in a mixture", whole)
    if not all(parts):
        raise _refused("a mixture needs a task on both sides of +", whole)
    replays = REPLAY in parts
    parts = [part for part in parts if part != REPLAY]
    if not parts:
        raise _refused("replay stands beside a task of its own", whole, "mnli>squad_v1+replay")
    expanded = [name for part in parts for name in MIXTURES.get(part, (part,))]
    members = tuple(dict.fromkeys(_member(name, whole, _ALLOWED) for name in expanded))
    tasks = [member.task for member in members]
    if len(set(tasks)) < len(tasks):
        raise _refused("a mixture names a task twice; its languages stand together, as in mnli@en,ru", whole)
    return Link(members, "+".join(parts) if len(members) > 1 else members[0].task, replays)


def _member(text: str, whole: str, allowed: str) -> Member:
    task, at, codes = (part.strip() for part in text.partition("@"))
    languages = tuple(code.strip() for code in codes.split(",")) if at else ()
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", task) or not all(languages):
        raise _refused("not a task, perhaps with languages", whole, allowed)
    if len(set(languages)) < len(languages):
        raise _refused("a language is named twice", whole, allowed)
    return Member(task, languages)


def _refused(what: str, text: str, allowed: str = _ALLOWED) -> InputError:
    return InputError(Problem(what, "", text, allowed))
