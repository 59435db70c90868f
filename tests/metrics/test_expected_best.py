from __future__ import annotations

import itertools
import random
import statistics

import pytest

from xtr.metrics.expected_best import expected_best, expected_choice


def test_it_is_the_mean_over_all_subsets() -> None:
    rng = random.Random(0)
    scores = [rng.choice([0.1, 0.4, 0.4, rng.random()]) for _ in range(8)]
    for n in range(1, 9):
        best_of_each = [max(subset) for subset in itertools.combinations(scores, n)]
        assert expected_best(scores, n) == pytest.approx(statistics.mean(best_of_each))


def test_what_is_chosen_by_another_number_is_the_mean_over_all_subsets() -> None:
    rng = random.Random(1)
    tried = [(rng.random(), rng.random()) for _ in range(7)]
    for n in range(1, 8):
        chosen = [max(subset)[1] for subset in itertools.combinations(tried, n)]
        assert expected_choice(tried, n) == pytest.approx(statistics.mean(chosen))


def test_one_trial_reaches_the_mean_and_all_trials_the_best() -> None:
    assert expected_best([0.2, 0.4, 0.9], 1) == pytest.approx(0.5)
    assert expected_best([0.2, 0.4, 0.9], 3) == pytest.approx(0.9)
    assert expected_best([0.3], 1) == 0.3


@pytest.mark.parametrize("n", [0, 3])
def test_more_trials_than_there_were_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="the best of"):
        expected_best([0.1, 0.2], n)
