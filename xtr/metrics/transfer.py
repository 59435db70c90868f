"""This is where scores in many languages become the few numbers that say how well English was transferred.

spread({"en": 0.9, "de": 0.8, "sw": 0.4})
-> Spread(mean=0.7, english=0.9, others=0.6, gap=0.3, worst="sw", lowest=0.4, deviation=0.2)
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Spread:
    """A task's scores summed up over languages, on the scale they were given in.

    A gap alone misleads, because it shrinks where English falls too; so all are told together.

    Attributes:
        mean: over all languages.
        english: the score in English, None where it has none.
        others: the mean over the other languages, None where there are none.
        gap: `english` minus `others`, the cross-lingual transfer gap; None where either is missing.
        worst: the language with the lowest score, `lowest` that score.
        deviation: the standard deviation of the languages other than English, 0 where there is one.
    """

    mean: float
    english: float | None
    others: float | None
    gap: float | None
    worst: str
    lowest: float
    deviation: float


def spread(scores: Mapping[str, float], source: str = ENGLISH) -> Spread:
    """Sum up scores by language; `source` stands for English where the tasks were trained in another language.

    Source of the gap: the XTREME paper (Hu et al. 2020), table 4: English minus the mean of the others.

    Raises:
        ValueError: there is no language.
    """
    if not scores:
        raise ValueError("spread of scores in no language")
    foreign = [value for language, value in scores.items() if language != source]
    english = scores.get(source)
    others = statistics.fmean(foreign) if foreign else None
    worst = min(scores, key=scores.__getitem__)
    return Spread(
        mean=statistics.fmean(scores.values()),
        english=english,
        others=others,
        gap=None if english is None or others is None else english - others,
        worst=worst,
        lowest=scores[worst],
        deviation=statistics.pstdev(foreign) if foreign else 0.0,
    )
