"""This is where pairs.intermediate and pairs.target become what they stand for.

    parse_intermediate("none")                 -> Intermediate()
    parse_intermediate("mnli>squad_v1@de")     -> two links: mnli, then squad_v1 in German
    parse_intermediate("mnli@en,ru+mlm")       -> one link, a mixture of two members
    parse_intermediate("anli_plus")            -> one link, the mixture of that name
    parse_intermediate("checkpoint:org/name")  -> no link: training goes on from that encoder
    parse_target("tydiqa@sw")                  -> tydiqa, trained on its Swahili rows

Whether tasks and languages exist is checked elsewhere, against the catalogue.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from xtr.catalogue.mixtures import MIXTURES
from xtr.errors import InputError, Problem

NONE = "none"
CHECKPOINT = "checkpoint:"
_ALLOWED = (
    "none, a task (mnli), a task in some languages (mnli@en,ru), a mixture (mnli+squad_v1), "
    "a chain (mnli>squad_v1) or checkpoint:FOLDER_OR_HUB_ID"
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
    """

    members: tuple[Member, ...]
    name: str = field(default="", compare=False)

    def __str__(self) -> str:
        return "+".join(map(str, self.members))


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
    if len(set(parsed)) < len(parsed):
        raise _refused("a chain names a link twice; more epochs are stages.intermediate.epochs", text)
    return Intermediate(parsed, checkpoint)


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
    expanded = [name for part in parts for name in MIXTURES.get(part, (part,))]
    members = tuple(dict.fromkeys(_member(name, whole, _ALLOWED) for name in expanded))
    tasks = [member.task for member in members]
    if len(set(tasks)) < len(tasks):
        raise _refused("a mixture names a task twice; its languages stand together, as in mnli@en,ru", whole)
    return Link(members, text if len(members) > 1 else members[0].task)


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
