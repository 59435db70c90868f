import pytest

from xtr.metrics.consistency import rank_consistency
from xtr.metrics.ranking import average_precision, map_at_k


def test_the_divisor_is_the_number_of_relevant_items_but_at_most_k() -> None:
    assert average_precision(["a", "x", "b"], ["a", "b"]) == pytest.approx((1 + 2 / 3) / 2)
    many = [str(i) for i in range(30)]
    assert average_precision(many, many) == 1.0
    assert average_precision(["a"], ["a", *many], k=20) == pytest.approx(1 / 20)


def test_with_one_relevant_item_it_is_the_reciprocal_rank_and_rank_21_is_too_low() -> None:
    ranking = [str(i) for i in range(30)]
    assert average_precision(ranking, ["3"]) == 0.25
    assert average_precision(ranking, ["19"]) == pytest.approx(1 / 20)
    assert average_precision(ranking, ["20"]) == 0.0


def test_a_query_without_a_ranking_scores_nothing_and_strange_ones_do_not_count() -> None:
    assert map_at_k({"q": ["a"], "strange": ["x"]}, {"q": ["a"], "r": ["b"]}) == 0.5


def test_malformed_rankings_are_refused() -> None:
    with pytest.raises(ValueError, match="ranked twice"):
        average_precision(["a", "a"], ["a"])
    with pytest.raises(ValueError, match="without a relevant item"):
        average_precision(["a"], [])
    with pytest.raises(ValueError, match="no queries"):
        map_at_k({}, {})


def test_rankc_of_the_papers_measure_weighs_the_top_most() -> None:
    assert rank_consistency([["a", "b", "c"]], [["a", "c", "b"]]) == pytest.approx(0.878, abs=5e-4)
    assert rank_consistency([["a", "b", "c"]], [["a", "b", "c"]]) == pytest.approx(1.0)
    long = [str(i) for i in range(2000)]
    assert rank_consistency([long], [long[::-1]]) == pytest.approx(0.0, abs=1e-3)


def test_rankc_compares_the_same_candidates_of_the_same_queries() -> None:
    for first, second in (
        ([["a"]], [["b"]]),
        ([["a", "a"]], [["a", "b"]]),
        ([["a"]], []),
        ([], []),
        ([[]], [[]]),
    ):
        with pytest.raises(ValueError, match=r"RankC|queries in one"):
            rank_consistency(first, second)
