"""This is where rows live: what every data source yields, one kind of row per family.

A label is None where the file carries none (XTREME publishes its tests without labels).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two texts and how they relate: `("He slept.", "He was awake.", "contradiction")`."""

    id: str
    first: str
    second: str
    label: str | None


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """A prompt and its possible continuations; `label` is the index of the right one."""

    id: str
    prompt: str
    choices: tuple[str, ...]
    label: int | None


@dataclass(frozen=True, slots=True)
class TaggingRow:
    """A sentence as words, one tag a word."""

    id: str
    words: tuple[str, ...]
    tags: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A gold answer; `context[start:start + len(text)] == text` in well-formed data."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A question whose answer is a span of the context; `answers` is None where the gold is hidden."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...] | None


@dataclass(frozen=True, slots=True)
class RetrievalRow:
    """Line k of a parallel corpus as XTREME scores it.

    `query` is the k-th English sentence in code-point order, `candidate` the k-th foreign sentence in file
    order, `gold` the index of the foreign sentence that translates the query.
    """

    id: str
    query: str
    candidate: str
    gold: int | None


@dataclass(frozen=True, slots=True)
class TextRow:
    """A line of plain text, for masked language modelling."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class MiningRow:
    """A sentence of one of two corpora in which translations are to be found.

    `translations` holds the ids of the English sentences that translate a foreign one: none of most, and none
    of an English one.
    """

    id: str
    text: str
    foreign: bool
    translations: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a ranking ranks: a text, maybe with the text around it. `keys` say what it is the answer to."""

    id: str
    text: str
    context: str | None
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RankingRow:
    """A query; those candidates are right that have its key. `candidates` are those that came with it."""

    id: str
    query: str
    key: str | None
    candidates: tuple[Candidate, ...]


Row = PairRow | ChoiceRow | TaggingRow | SpanRow | RetrievalRow | MiningRow | RankingRow | Candidate | TextRow
