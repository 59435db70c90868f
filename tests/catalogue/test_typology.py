"""Facts about languages: complete for the benchmarks, and as their sources have them."""

from __future__ import annotations

import itertools
import math

import pytest

from xtr.catalogue.languages import LANGUAGES
from xtr.catalogue.lookup import TASKS
from xtr.catalogue.typology import FACTS, NOT_IN_XLM_R, facts_of, syntactic_distance


def test_every_language_that_a_benchmark_scores_is_known() -> None:
    scored = {code for task in TASKS.values() for code in task.all_languages}
    assert scored - {"en"} <= FACTS.keys()
    assert FACTS.keys() == LANGUAGES.keys()
    assert FACTS.keys() > NOT_IN_XLM_R


def test_a_language_stands_as_its_sources_have_it() -> None:
    kazakh, wolof = facts_of("kk"), facts_of("wo")
    assert kazakh is not None
    assert (kazakh.family, kazakh.branch, kazakh.script, kazakh.resources) == (
        "Turkic",
        "Turkic",
        "Cyrillic",
        3,
    )
    assert wolof is not None
    assert not wolof.in_xlm_r
    assert {code for code, each in FACTS.items() if each.resources == 5} == {
        "ar",
        "de",
        "en",
        "es",
        "fr",
        "ja",
        "zh",
    }
    assert facts_of("xa") is None, "the demo world's languages are nobody's"


def test_syntactic_distance_is_a_distance() -> None:
    for one, other in itertools.product(FACTS, FACTS):
        distance = syntactic_distance(one, other)
        assert distance is not None
        assert distance == syntactic_distance(other, one)
        assert (distance == pytest.approx(0, abs=1e-12)) if one == other else 0 < distance <= 1
    assert syntactic_distance("en", "xa") is None


def test_it_puts_relatives_near_and_strangers_far() -> None:
    def near(code: str, n: int) -> set[str]:
        return set(sorted(FACTS, key=lambda other: syntactic_distance(code, other) or math.inf)[:n])

    assert "uk" in near("ru", 3)
    assert {"ta", "te", "ml"} & near("ja", 15)
    english = {code: syntactic_distance("en", code) or 0.0 for code in FACTS if code != "en"}
    assert max(english["de"], english["nl"], english["da"]) < min(english["ja"], english["tr"], english["sw"])
