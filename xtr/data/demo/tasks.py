"""This is where the items of the demo tasks are drawn: meanings, so that every language gets the same items.

    draw_pairs(world, "mnli", "train", 8000, XNLI_LABELS)[0]
        -> PairItem(Clause(S4, V2, ...), Clause(S4, V3, ...), "contradiction")

A smaller split is the beginning of a larger one. What is true of this world is written down in `PLANTED`, so
that a sweep can be checked against it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from xtr.data.demo.world import (
    COMPARED_VERBS,
    STOP,
    Clause,
    Meaning,
    World,
    antonym,
    arrange,
    draw_clause,
    draw_context,
    draw_slot,
    meanings_of,
    stream,
    succession,
)


@dataclass(frozen=True, slots=True)
class Planted:
    """A truth of the demo world: what an intermediate task does to a target, beside another one or none."""

    intermediate: str
    target: str
    effect: Literal["helps", "nothing", "hurts"]
    beside: str = "none"


PLANTED: tuple[Planted, ...] = (
    Planted("squad_v1", "tydiqa", "helps"),
    Planted("mnli", "pawsx", "helps"),
    Planted("csqa", "tydiqa", "nothing"),
    Planted("mnli>csqa", "pawsx", "nothing", beside="mnli"),
    Planted("mnli>spelling", "pawsx", "hurts", beside="mnli"),
)

SIZES: Mapping[str, Mapping[str, int]] = {
    "mnli": {"train": 8000},
    "spelling": {"train": 4000, "dev": 200},
    "xnli": {"dev": 300, "test": 300},
    "pawsx": {"train": 600, "dev": 300, "test": 300},
    "squad": {"train": 3000, "dev": 300},
    "xquad": {"test": 300},
    "tydiqa": {"train": 1000, "test": 300},
    "csqa": {"train": 1000, "dev": 200},
    "xcopa": {"train": 1000, "dev": 200, "test": 300},
    "udpos": {"train": 600, "dev": 200, "test": 300},
    "panx": {"train": 600, "dev": 200, "test": 300},
    "tatoeba": {"test": 200},
    "bucc2018": {"dev": 240, "test": 240},
    "xquad-r": {"test": 100},
    "mlm": {"train": 40_000},
    "text": {"train": 1_000, "dev": 200},
}
"""Items of every split in each of its languages, at scale 1."""

XNLI_LABELS: Mapping[str, str] = {"same": "entailment", "other": "neutral", "antonym": "contradiction"}
PAWSX_LABELS: Mapping[str, str] = {"same": "1", "antonym": "0", "same too": "1", "other": "0"}
"""The label of each relation between the verbs of two sentences; relations take turns, so labels balance."""

UPOS: Mapping[str, str] = {
    "S": "PROPN", "V": "VERB", "A": "ADJ", "O": "NOUN", "L": "PROPN", "IN": "ADP",
    "AND": "CCONJ", "THEN": "ADV", ".": "PUNCT",
}  # fmt: skip
SPELLING_LABELS = ("even", "odd")
ENTITIES: Mapping[str, str] = {"S": "PER", "L": "LOC"}
ORGANISATIONS = 6  # the first objects, with their adjectives, are organisations

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PairItem:
    """A clause and its bare subject, verb and object; the label tells how the two verbs relate."""

    first: Clause
    second: Clause
    label: str


@dataclass(frozen=True, slots=True)
class CopaItem:
    """An event and two candidates for its cause or effect; `label` is the index of the right one."""

    premise: Clause
    asks_for: Literal["cause", "effect"]
    choices: tuple[Clause, Clause]
    label: int


@dataclass(frozen=True, slots=True)
class QuizItem:
    """A question with five possible answers, of which a die has chosen one: nothing can be learnt."""

    clause: Clause
    slot: str
    choices: tuple[Meaning, ...]
    label: int


@dataclass(frozen=True, slots=True)
class SpanItem:
    """Two events and a question about one of them."""

    context: tuple[Clause, Clause]
    asked: int
    slot: str


@dataclass(frozen=True, slots=True)
class SentenceItem:
    """Two clauses and what joins them; to be tagged or to be found in another language."""

    clauses: tuple[Clause, Clause]
    joint: Meaning

    def arranged(self, language: str) -> list[Meaning]:
        """Put the sentence into a language's order."""
        first, second = (arrange(clause, language) for clause in self.clauses)
        return [*first, self.joint, *second, STOP]


def _draw(
    world: World, purpose: tuple[str, str], n: int, draw: Callable[[random.Random, int], Item]
) -> list[Item]:
    rng = stream(world.seed, "items", *purpose)
    return [draw(rng, number) for number in range(n)]


def draw_pairs(world: World, task: str, split: str, n: int, labels: Mapping[str, str]) -> list[PairItem]:
    """Draw sentence pairs; relations take turns, and nothing but the pair of verbs betrays the label."""
    deck: list[str] = []

    def draw(rng: random.Random, _number: int) -> PairItem:
        if not deck:
            deck.extend(rng.sample(list(labels), len(labels)))
        relation = deck.pop()
        verbs = meanings_of("V")[:COMPARED_VERBS]
        verb = rng.choice(verbs)
        others = [other for other in verbs if other not in (verb, antonym(verb))]
        related = {"antonym": antonym(verb), "other": rng.choice(others)}.get(relation, verb)
        premise = replace(draw_clause(world, rng), verb=verb)
        bare = replace(premise, verb=related, adjective=None, place=None, fronted=False)
        return PairItem(premise, bare, labels[relation])

    return _draw(world, (task, split), n, draw)


def spelling_label(sentence: str) -> str:
    """Label a sentence by the letters of its second word alone: a fact of English that means nothing."""
    return SPELLING_LABELS[sum(map(ord, sentence.split()[1])) % 2]


def draw_copa(world: World, split: str, n: int) -> list[CopaItem]:
    """Draw choices of a cause or an effect; the wrong one is neither, and about the same subject."""

    def draw(rng: random.Random, number: int) -> CopaItem:
        earlier = draw_clause(world, rng)
        later = succession(world, rng, earlier)
        asks_for: Literal["cause", "effect"] = "effect" if rng.random() < 0.5 else "cause"
        premise, right = (earlier, later) if asks_for == "effect" else (later, earlier)
        wrong = draw_clause(world, rng, subject=premise.subject, verb=_unrelated(world, rng, premise.verb))
        label = number % 2
        return CopaItem(premise, asks_for, (wrong, right) if label else (right, wrong), label)

    return _draw(world, ("xcopa", split), n, draw)


def _unrelated(world: World, rng: random.Random, verb: Meaning) -> Meaning:
    after = world.successors[verb.number]
    before = world.successors.index(verb.number)
    return rng.choice(
        [other for other in meanings_of("V") if other.number not in (verb.number, after, before)]
    )


def draw_quiz(world: World, split: str, n: int) -> list[QuizItem]:
    """Draw questions with five choices and a random answer."""

    def draw(rng: random.Random, _number: int) -> QuizItem:
        clause = draw_clause(world, rng)
        slot = draw_slot(rng, clause)
        return QuizItem(clause, slot, tuple(rng.sample(meanings_of(slot), 5)), rng.randrange(5))

    return _draw(world, ("csqa", split), n, draw)


def draw_spans(world: World, task: str, split: str, n: int) -> list[SpanItem]:
    """Draw questions about one of two events."""

    def draw(rng: random.Random, _number: int) -> SpanItem:
        context = draw_context(world, rng)
        asked = rng.randrange(2)
        return SpanItem(context, asked, draw_slot(rng, context[asked]))

    return _draw(world, (task, split), n, draw)


def draw_sentences(world: World, task: str, split: str, n: int) -> list[SentenceItem]:
    """Draw sentences of two clauses, all different within a split."""
    seen: set[SentenceItem] = set()

    def draw(rng: random.Random, _number: int) -> SentenceItem:
        while True:
            item = SentenceItem(draw_context(world, rng), rng.choice((STOP, Meaning("AND"), Meaning("THEN"))))
            if item not in seen:
                seen.add(item)
                return item

    return _draw(world, (task, split), n, draw)


def tag_words(meanings: Sequence[Meaning]) -> list[str]:
    """Tag parts of speech: names and places are PROPN, things NOUN."""
    return [UPOS[meaning.kind] for meaning in meanings]


def tag_entities(meanings: Sequence[Meaning]) -> list[str]:
    """Tag entities in IOB2: subjects PER, places LOC, some objects with their adjective ORG."""
    kinds = [_entity(meanings, place) for place in range(len(meanings))]
    tags = []
    for before, kind in zip(["", *kinds], kinds, strict=False):
        tags.append(f"{'I' if kind == before else 'B'}-{kind}" if kind else "O")
    return tags


def _entity(meanings: Sequence[Meaning], place: int) -> str:
    around = (
        meanings[max(place - 1, 0) : place + 2]
        if meanings[place].kind == "A"
        else meanings[place : place + 1]
    )
    if any(meaning.kind == "O" and meaning.number < ORGANISATIONS for meaning in around):
        return "ORG"
    return ENTITIES.get(meanings[place].kind, "")
