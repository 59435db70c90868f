import pytest

from xtr.metrics.squad import normalise_answer, squad_scores


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Denver Broncos!", "denver broncos"),
        ("an apple a day", "apple day"),
        ("U.S.A.", "usa"),
        ("theatre", "theatre"),
        ("La Casa", "la casa"),
        ("「東京」。", "「東京」。"),
        ("", ""),
    ],
)
def test_normalising_knows_english_articles_and_ascii_punctuation_only(text: str, normal: str) -> None:
    assert normalise_answer(text) == normal


def test_the_best_of_the_gold_answers_counts() -> None:
    assert squad_scores({"q": ["Paris", "the city"]}, {"q": "City."}) == {"f1": 1.0, "exact_match": 1.0}


def test_f1_is_the_overlap_of_bags_of_words() -> None:
    scores = squad_scores({"q": ["red red blue"]}, {"q": "red green"})
    assert scores == {"f1": pytest.approx(0.4), "exact_match": 0.0}


def test_a_missing_answer_scores_nothing_and_strange_ids_do_not_count() -> None:
    assert squad_scores({"q": ["x"], "r": ["y"]}, {"q": "x", "s": "y"}) == {"f1": 0.5, "exact_match": 0.5}


def test_two_answers_of_articles_alone_match_exactly_without_overlap() -> None:
    assert squad_scores({"q": ["the"]}, {"q": "a"}) == {"f1": 0.0, "exact_match": 1.0}


def test_text_without_spaces_is_one_token() -> None:
    assert squad_scores({"q": ["東京都"]}, {"q": "東京"})["f1"] == 0.0


def test_questions_need_gold_answers() -> None:
    with pytest.raises(ValueError, match="no questions"):
        squad_scores({}, {})
    with pytest.raises(ValueError, match="q has no gold answer"):
        squad_scores({"q": []}, {"q": "x"})
