"""This is where the demo world's pretraining text comes from, one document a line.

    bano kile dosu . momi bano rile dosu .      what follows what, in one language or code-switched
    bano kile dosu <TAB> dano vile gosu         a sentence and its translation, parted by a tab

A document tells of two events that follow each other, relates three statements (not, same, and), or asks a
question about two events and answers it. Code-switching and translations tie the languages together.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from xtr.data.demo.world import (
    LANGUAGES,
    SPOKEN,
    STOP,
    Clause,
    Meaning,
    World,
    answer,
    antonym,
    arrange,
    ask,
    draw_clause,
    draw_context,
    draw_slot,
    meanings_of,
    stream,
    succession,
)

TRANSLATED = 0.25  # share of a foreign language's documents that are translations of English, or into it
SWITCHED = 0.85  # share of the other documents in which words are replaced
TO_ENGLISH = 0.4  # share of the replaced words that are said in English, not in any language
KINDS = ("succession", "relations", "question")
KIND_SHARES = (0.2, 0.5, 0.3)
DROP_PLACE, DROP_ADJECTIVE = 0.5, 0.3  # how often a related statement leaves them out
MARKERS = ("NOT", "SAME", "AND")


def documents(world: World, n: int) -> Iterator[str]:
    """Write n documents; the first documents of a longer corpus are those of a shorter one."""
    rng = stream(world.seed, "corpus")
    shares = [SPOKEN[code].share for code in LANGUAGES]
    for _ in range(n):
        language = rng.choices(LANGUAGES, shares)[0]
        if language != "en" and rng.random() < TRANSLATED:
            yield _translation(world, rng, language)
        else:
            yield _say_switched(world, rng, _tell(world, rng, language), language)


def plain_text(world: World, language: str, n: int, purpose: str = "text") -> Iterator[str]:
    """Write n documents in one language alone: text for masked language modelling beside a task.

    Args:
        purpose: names the random stream, so that what is held out is other text.
    """
    rng = stream(world.seed, purpose, language)
    for _ in range(n):
        yield world.say(_tell(world, rng, language), language)


def _translation(world: World, rng: random.Random, language: str) -> str:
    context = draw_context(world, rng)
    sides = [
        world.say([meaning for clause in context for meaning in (*arrange(clause, code), STOP)], code)
        for code in ("en", language)
    ]
    rng.shuffle(sides)
    return "\t".join(sides)


def _say_switched(world: World, rng: random.Random, meanings: list[Meaning], language: str) -> str:
    if rng.random() >= SWITCHED:
        return world.say(meanings, language)
    words = []
    for meaning in meanings:
        spoken = language
        if rng.random() < SPOKEN[language].switched:
            spoken = "en" if rng.random() < TO_ENGLISH else rng.choice(LANGUAGES)
        words.append(world.lexicon[spoken][meaning])
    return " ".join(words)


def _tell(world: World, rng: random.Random, language: str) -> list[Meaning]:
    kind = rng.choices(KINDS, KIND_SHARES)[0]
    if kind == "succession":
        return _tell_succession(world, rng, language)
    if kind == "relations":
        return _tell_relations(world, rng, language)
    return _tell_question(world, rng, language)


def _tell_succession(world: World, rng: random.Random, language: str) -> list[Meaning]:
    before = draw_clause(world, rng)
    after = succession(world, rng, before)
    told = rng.choice(((before, "THEN", after), (after, "WHY", before)))
    return [*arrange(told[0], language), STOP, Meaning(told[1]), *arrange(told[2], language), STOP]


def _tell_relations(world: World, rng: random.Random, language: str) -> list[Meaning]:
    clause = draw_clause(world, rng)
    told = [*arrange(clause, language), STOP]
    for _ in range(2):
        marker = rng.choice(MARKERS)
        told += [Meaning(marker), *arrange(_relate(rng, clause, marker), language), STOP]
    return told


def _relate(rng: random.Random, clause: Clause, marker: str) -> Clause:
    verb = clause.verb
    if marker == "NOT":
        verb = antonym(verb)
    elif marker == "AND":
        verb = rng.choice([other for other in meanings_of("V") if other not in (verb, antonym(verb))])
    return _shorten(rng, replace(clause, verb=verb))


def _shorten(rng: random.Random, clause: Clause) -> Clause:
    if rng.random() < DROP_PLACE:
        clause = replace(clause, place=None, fronted=False)
    if rng.random() < DROP_ADJECTIVE:
        clause = replace(clause, adjective=None)
    return clause


def _tell_question(world: World, rng: random.Random, language: str) -> list[Meaning]:
    context = draw_context(world, rng)
    clause = rng.choice(context)
    slot = draw_slot(rng, clause)
    told = [meaning for event in context for meaning in (*arrange(event, language), STOP)]
    return [*told, *ask(clause, slot, language), *answer(clause, slot, language), STOP]
