import pytest

from xtr.metrics.squad_v2 import squad_v2_scores

GOLD = {"paris": ["Paris"], "rome": ["Rome"], "nowhere": []}
GUESSES = {"paris": "Paris", "rome": "Rome, Italy", "nowhere": "Oslo"}


def test_the_best_threshold_keeps_the_answers_that_pay_and_silences_the_rest() -> None:
    scores = squad_v2_scores(GOLD, GUESSES, {"paris": -2.0, "rome": -1.0, "nowhere": 3.0})
    assert scores["exact_match"] == pytest.approx(2 / 3)
    assert scores["f1"] == pytest.approx((1 + 2 / 3 + 1) / 3)


def test_exact_match_and_f1_may_peak_at_different_thresholds() -> None:
    scores = squad_v2_scores(GOLD, GUESSES, {"paris": -2.0, "nowhere": 0.0, "rome": 1.0})
    assert scores == {"f1": pytest.approx(2 / 3), "exact_match": pytest.approx(2 / 3)}
    tied = squad_v2_scores({"a": ["x y"], "b": []}, {"a": "x", "b": "z"}, {"a": 0.0, "b": 1.0})
    assert tied == {"f1": pytest.approx((2 / 3 + 1) / 2), "exact_match": 0.5}


def test_saying_nothing_at_all_is_one_of_the_thresholds() -> None:
    scores = squad_v2_scores({"a": [], "b": []}, {"a": "x", "b": "y"}, {"a": 0.0, "b": 0.0})
    assert scores == {"f1": 1.0, "exact_match": 1.0}


def test_every_question_needs_a_prediction_and_a_doubt() -> None:
    with pytest.raises(ValueError, match="question rome has no"):
        squad_v2_scores(GOLD, {"paris": "Paris"}, {"paris": 0.0})
    with pytest.raises(ValueError, match="no questions"):
        squad_v2_scores({}, {}, {})
