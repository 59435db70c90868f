import pytest

from xtr.metrics.bucc import bucc_f1, fit_threshold, pairs_above

A, B, C = ("de-1", "en-1"), ("de-2", "en-2"), ("de-3", "en-3")


def test_pairs_are_sets_so_a_repeated_pair_counts_once() -> None:
    scores = bucc_f1([A, B], [A, A, C, C])
    assert scores == {"f1": 0.5, "precision": 0.5, "recall": 0.5}


def test_nothing_right_or_nothing_found_scores_nothing() -> None:
    for found in ([C], []):
        assert bucc_f1([A], found) == {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    with pytest.raises(ValueError, match="no gold pairs"):
        bucc_f1([], [A])


def test_the_threshold_lies_midway_below_the_pair_at_which_f1_peaks() -> None:
    scored = [(1.2, *A), (1.0, *C), (1.1, *B)]
    assert fit_threshold(scored, [A, B]) == pytest.approx(1.05)
    assert pairs_above(scored, 1.05) == [A, B]


def test_a_best_cut_after_the_last_pair_keeps_every_pair() -> None:
    scored = [(1.2, *A), (1.1, *B)]  # the official sweep reads past its end here
    threshold = fit_threshold(scored, [A, B])
    assert pairs_above(scored, threshold) == [A, B]


def test_the_threshold_itself_is_kept_and_of_repeated_pairs_the_best_score_counts() -> None:
    assert pairs_above([(0.4, *A), (1.0, *B), (1.1, *A)], 1.0) == [A, B]


def test_a_threshold_without_a_right_pair_is_zero() -> None:
    assert fit_threshold([(1.2, *C)], [A]) == 0.0
    assert fit_threshold([], [A]) == 0.0
