"""This is where the demo world is drawn: its meanings, languages, preferences and clauses, all from one seed.

    world = draw_world(0)
    clause = draw_clause(world, stream(0, "example"))
    world.say(arrange(clause, "en"), "en")      -> "mobepi kemu sadi tobo te ralo"
    world.say(arrange(clause, "xd"), "xd")      -> the same meaning, far words, verb last

A clause says who did what to which thing where: S V [A] O [IN L]. Subjects, verbs, objects and places go
together by preference, so that a language model can learn which words mean the same in two languages. Every
purpose has its own random stream, so that changing one thing does not move another.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

from xtr.fingerprint import derive_seed


class Meaning(NamedTuple):
    """What a word stands for, the same in every language: `Meaning("V", 3)` is the fourth verb."""

    kind: str
    number: int = 0


COUNTS: Mapping[str, int] = {"S": 12, "O": 16, "L": 6, "V": 12, "A": 12}
"""Content words of each kind: subjects, objects, places, verbs, adjectives."""

COMPARED_VERBS = 8
"""Sentence pairs only use the first verbs: four pairs of antonyms."""

FUNCTION_KINDS = ("IN", "NOT", "THEN", "SAME", "AND", "WHO", "WHAT", "WHERE", "WHY")
STOP, ASK = Meaning("."), Meaning("?")
PUNCTUATION = (STOP, ASK)

PREFERENCE = 0.85  # how often a preference is followed; else the draw is uniform
ADJECTIVE, PLACE, FRONTED = 0.7, 0.6, 0.4  # how often a clause has one; how often a place comes first


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the demo world.

    Attributes:
        order: the kinds of a clause in the order in which they are said.
        cognates: share of the content words of each kind that equal English.
        share: share of the pretraining text.
        switched: share of the words said in another language where a document is code-switched.
    """

    code: str
    order: tuple[str, ...]
    cognates: float
    share: float
    switched: float
    onsets: str
    vowels: str


_ENGLISH_ORDER = ("S", "V", "A", "O", "IN", "L")
SPOKEN: Mapping[str, Language] = {
    language.code: language
    for language in (
        Language("en", _ENGLISH_ORDER, 0.0, 0.24, 0.45, "bdfgklmnprst", "aeiou"),
        Language("xa", _ENGLISH_ORDER, 0.5, 0.18, 0.60, "bdghklmnrtvz", "aeio"),
        Language("xb", ("S", "V", "O", "A", "IN", "L"), 0.25, 0.18, 0.60, "cfghjklnrsvw", "aeuy"),
        Language("xc", ("S", "V", "O", "A", "L", "IN"), 0.0, 0.18, 0.60, "čďhjkľňpřšťž", "áéíóú"),
        Language("xd", ("S", "L", "IN", "O", "A", "V"), 0.0, 0.17, 0.60, "бвгджзклмнпрст", "аеиоу"),
        Language("xe", _ENGLISH_ORDER, 0.25, 0.05, 0.60, "dhjmnpqtwxyz", "eiou"),
    )
}
"""Near, middle, far in words, far in words and order, and one that only selects the retrieval layer."""

LANGUAGES: tuple[str, ...] = tuple(SPOKEN)
TARGET_LANGUAGES: tuple[str, ...] = ("en", "xa", "xb", "xc", "xd")
SELECT_LANGUAGES: tuple[str, ...] = ("xe",)
LOW_RESOURCE: tuple[str, ...] = tuple(
    code
    for code in TARGET_LANGUAGES
    if SPOKEN[code].share < fmean(SPOKEN[each].share for each in TARGET_LANGUAGES[1:])
)
"""Languages with less of the pretraining text than the others besides English have on average."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a seed decides: words, who likes what, and which event follows which.

    Attributes:
        lexicon: a word for every meaning in every language.
        likes: the preferred verbs and places of a subject, objects of a verb, adjectives of an object, by
            (owner, kind).
        successors: the verb that follows each verb, by number; never itself, never its antonym.
    """

    seed: int
    lexicon: Mapping[str, Mapping[Meaning, str]]
    likes: Mapping[tuple[Meaning, str], tuple[Meaning, ...]]
    successors: tuple[int, ...]

    def say(self, meanings: Sequence[Meaning], language: str) -> str:
        """Say meanings in a language, words parted by blanks."""
        words = self.lexicon[language]
        return " ".join(words[meaning] for meaning in meanings)


@dataclass(frozen=True, slots=True)
class Clause:
    """An event; `adjective` describes the object, `fronted` says the place first."""

    subject: Meaning
    verb: Meaning
    object: Meaning
    adjective: Meaning | None = None
    place: Meaning | None = None
    fronted: bool = False


def stream(seed: int, *purpose: str) -> random.Random:
    """Open the random stream of a purpose."""
    return random.Random(derive_seed("demo", seed, *purpose))


def meanings_of(kind: str) -> tuple[Meaning, ...]:
    """List the meanings of a kind of content word."""
    return tuple(Meaning(kind, number) for number in range(COUNTS[kind]))


def antonym(meaning: Meaning) -> Meaning:
    """Return the opposite of a verb or adjective: 0 and 1, 2 and 3, ..."""
    return Meaning(meaning.kind, meaning.number ^ 1)


def draw_world(seed: int) -> World:
    """Draw the world of a seed."""
    return World(
        seed=seed,
        lexicon=_draw_lexicon(seed),
        likes=_draw_preferences(stream(seed, "preferences")),
        successors=_draw_successors(stream(seed, "successors")),
    )


def _draw_lexicon(seed: int) -> Mapping[str, Mapping[Meaning, str]]:
    taken: set[str] = set()
    lexicon: dict[str, Mapping[Meaning, str]] = {}
    for language in SPOKEN.values():
        rng = stream(seed, "words", language.code)
        same = _draw_cognates(stream(seed, "cognates", language.code), language.cognates)
        words = {meaning: lexicon["en"][meaning] for meaning in same}
        for meaning in (*(m for kind in COUNTS for m in meanings_of(kind)), *map(Meaning, FUNCTION_KINDS)):
            if meaning not in words:
                words[meaning] = _coin_word(rng, language, taken, content=meaning.kind in COUNTS)
        lexicon[language.code] = words | {mark: mark.kind for mark in PUNCTUATION}
    return lexicon


def _draw_cognates(rng: random.Random, share: float) -> list[Meaning]:
    """Choose by quota, not by coin: every kind, and the compared verbs apart, has its share of cognates."""
    verbs = meanings_of("V")
    groups = [meanings_of(kind) for kind in COUNTS if kind != "V"]
    groups += [verbs[:COMPARED_VERBS], verbs[COMPARED_VERBS:]]
    return [meaning for group in groups for meaning in rng.sample(group, round(share * len(group)))]


def _coin_word(rng: random.Random, language: Language, taken: set[str], *, content: bool) -> str:
    while True:
        n_syllables = rng.choice((2, 3)) if content else 2
        syllables = (rng.choice(language.onsets) + rng.choice(language.vowels) for _ in range(n_syllables))
        word = "".join(syllables)
        if word not in taken:
            taken.add(word)
            return word


def _draw_preferences(rng: random.Random) -> Mapping[tuple[Meaning, str], tuple[Meaning, ...]]:
    likes: dict[tuple[Meaning, str], tuple[Meaning, ...]] = {}
    for subject in meanings_of("S"):
        likes[subject, "V"] = tuple(rng.sample(meanings_of("V"), 3))
        likes[subject, "L"] = tuple(rng.sample(meanings_of("L"), 2))
    for verb in meanings_of("V"):
        likes[verb, "O"] = tuple(rng.sample(meanings_of("O"), 4))
    for thing in meanings_of("O"):
        pairs = rng.sample(range(COUNTS["A"] // 2), 3)
        likes[thing, "A"] = tuple(Meaning("A", 2 * pair + rng.randrange(2)) for pair in pairs)
    return likes


def _draw_successors(rng: random.Random) -> tuple[int, ...]:
    indices = list(range(COUNTS["V"]))
    successors = indices.copy()
    while any(after in (verb, verb ^ 1) for verb, after in zip(indices, successors, strict=True)):
        rng.shuffle(successors)
    return tuple(successors)


def draw_clause(
    world: World, rng: random.Random, *, subject: Meaning | None = None, verb: Meaning | None = None
) -> Clause:
    """Draw a clause that mostly follows the world's preferences, about a given subject or verb if any."""
    subject = subject or rng.choice(meanings_of("S"))
    verb = verb or _prefer(world, rng, subject, "V")
    thing = _prefer(world, rng, verb, "O")
    adjective = _prefer(world, rng, thing, "A") if rng.random() < ADJECTIVE else None
    if rng.random() >= PLACE:
        return Clause(subject, verb, thing, adjective)
    place = _prefer(world, rng, subject, "L")
    return Clause(subject, verb, thing, adjective, place, fronted=rng.random() < FRONTED)


def _prefer(world: World, rng: random.Random, owner: Meaning, kind: str) -> Meaning:
    liked = rng.random() < PREFERENCE
    return rng.choice(world.likes[owner, kind] if liked else meanings_of(kind))


def draw_context(world: World, rng: random.Random) -> tuple[Clause, Clause]:
    """Draw two clauses with different subjects and verbs, so that a question fits only one of them."""
    first = draw_clause(world, rng)
    while True:
        second = draw_clause(world, rng)
        if second.subject != first.subject and second.verb != first.verb:
            return first, second


def succession(world: World, rng: random.Random, clause: Clause) -> Clause:
    """Draw what the same subject does next: the planted cause and effect."""
    after = Meaning("V", world.successors[clause.verb.number])
    return draw_clause(world, rng, subject=clause.subject, verb=after)


def arrange(clause: Clause, language: str) -> list[Meaning]:
    """Put the words of a clause in the order of a language, without a full stop."""
    slots = {
        "S": clause.subject,
        "V": clause.verb,
        "O": clause.object,
        "A": clause.adjective,
        "L": clause.place,
        "IN": Meaning("IN") if clause.place else None,
    }
    order = SPOKEN[language].order
    if clause.fronted:
        order = tuple(sorted(order, key=lambda kind: kind not in ("IN", "L")))
    return [meaning for meaning in (slots[kind] for kind in order) if meaning]


ASKED: Mapping[str, tuple[Meaning, tuple[str, ...]]] = {
    "S": (Meaning("WHO"), ("S",)),
    "O": (Meaning("WHAT"), ("A", "O")),
    "L": (Meaning("WHERE"), ("IN", "L")),
}
"""The question word for each slot that can be asked for, and the kinds that the question leaves out."""


def draw_slot(rng: random.Random, clause: Clause) -> str:
    """Draw what to ask about a clause: its subject, its object or, if it has one, its place."""
    return rng.choice("SOL" if clause.place else "SO")


def ask(clause: Clause, slot: str, language: str) -> list[Meaning]:
    """Ask for a slot: question word first, the rest in the language's order, a question mark."""
    word, hidden = ASKED[slot]
    rest = arrange(replace(clause, fronted=False), language)
    return [word, *(meaning for meaning in rest if meaning.kind not in hidden), ASK]


def answer(clause: Clause, slot: str, language: str) -> list[Meaning]:
    """Answer with the subject, the object and its adjective, or the place without its preposition."""
    kinds = [kind for kind in ASKED[slot][1] if kind != "IN"]
    return [meaning for meaning in arrange(clause, language) if meaning.kind in kinds]
