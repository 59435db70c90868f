"""The calibration: it finds what is there, keeps silent where nothing is, and one world of ten is really run."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats

from benchmarks.calibrate import EFFECTS, Arm, Effect, arms_of, null, score_world, world_spec
from xtr.spec.sweep import Pair

LANGUAGES = ("en", "xa", "xb", "xc", "xd")


def by_name(part: str) -> Effect:
    [effect] = [each for each in EFFECTS if part in each.name]
    return effect


def test_every_arm_is_a_pair_of_the_sweep_at_a_value_of_its_dimension(tmp_path: Path) -> None:
    spec = world_spec(3, tmp_path)
    assert (spec.data.demo_seed, spec.search.training_seed) == (3, 3), "a seed is a world and its training"
    fractions = spec.search.space["intermediate.fraction"]
    for arm in arms_of(EFFECTS):
        assert Pair(arm.intermediate, arm.target) in spec.pairs.pairs()
        assert fractions.contains(arm.fraction)


def test_an_effect_is_shown_by_many_worlds_that_agree_and_by_no_single_one() -> None:
    helps, nothing = by_name("squad_v1 helps tydiqa in English"), by_name("csqa does nothing")
    hurts = by_name("spelling after mnli hurts")
    assert helps.found([20, 25, 22, 18])
    assert not helps.found([20, -25, 22, -18]), "too far apart"
    assert not helps.found([4, 4.5, 4.2, 4.1]), "above nought, but not above the margin"
    assert nothing.found([0.5, -0.5, 1.0, -1.2])
    assert not nothing.found([4.9, -4.9, 4.0, 4.8]), (
        "no difference that was shown is no sameness that was shown"
    )
    assert hurts.found([-20, -25, -18])
    assert not hurts.found([20, 30, 10])
    assert not any(effect.found([value]) for effect in EFFECTS for value in (-50.0, 0.0, 50.0))


def test_a_difference_is_that_of_means_over_languages_in_points() -> None:
    effect = by_name("squad_v1 helps tydiqa elsewhere")
    scores = {(arm, code): 0.2 for arm in arms_of(EFFECTS) for code in LANGUAGES}
    assert effect.difference(scores) == 0
    scores[Arm("squad_v1", "tydiqa"), "xa"] = 0.6
    assert effect.difference(scores) == pytest.approx(10)
    assert effect.seen(10)
    assert not effect.seen(5)


def test_tables_without_effects_raise_no_more_alarms_than_chance() -> None:
    low, high = (float(each) for each in stats.binom.interval(0.999, 100, 0.05))
    for figure in null(100):
        assert figure.value <= high
        assert figure.value >= (low if "interval" in figure.name else 0), (
            "a test that never rejects is no test"
        )


@pytest.mark.slow
def test_one_world_shows_what_was_planted_in_it(tmp_path: Path) -> None:
    """Those effects that need no large intermediate task; `make calibrate` looks for all, in ten worlds."""
    effects = [effect for effect in EFFECTS if "mnli" not in effect.name]
    scores = score_world(0, tmp_path, arms_of(effects))
    assert [effect.name for effect in effects if not effect.seen(effect.difference(scores))] == []
