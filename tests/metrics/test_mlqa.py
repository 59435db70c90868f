import pytest

from xtr.metrics.mlqa import mlqa_scores, normalise_for
from xtr.metrics.squad import squad_scores


@pytest.mark.parametrize(
    ("language", "text", "normal"),
    [
        ("en", "The “Denver” Broncos!", "denver broncos"),
        ("en", "$5 + tax", "5 tax"),
        ("en", "€5", "€5"),  # a currency sign is no punctuation, an ASCII one is dropped all the same
        ("es", "¿Los Alpes?", "alpes"),
        ("es", "the el a", "the a"),
        ("de", "der Straßenbahn des Vereins", "straßenbahn vereins"),
        ("vi", "Của những ngôi nhà", "ngôi nhà"),
        ("ar", "والكتاب الكبير", "و كتاب كبير"),
        ("hi", "हिन्दी।", "हिन्दी"),
        ("zh", "「2003年8月」iPhone 手机", "2003 年 8 月 iphone 手 机"),
        ("zh", "㐀一\u9fa6", "㐀 一 \u9fa6"),
    ],
)
def test_each_language_has_its_own_articles_marks_and_tokens(language: str, text: str, normal: str) -> None:
    assert normalise_for(language)(text) == normal


def test_chinese_answers_overlap_by_character_where_squad_sees_one_token() -> None:
    gold, predicted = {"q": ["北京市"]}, {"q": "北京"}
    assert mlqa_scores(gold, predicted, "zh") == {"f1": pytest.approx(0.8), "exact_match": 0.0}
    assert squad_scores(gold, predicted)["f1"] == 0.0


def test_other_languages_are_refused() -> None:
    with pytest.raises(ValueError, match="no rules for fr, only for en, es"):
        mlqa_scores({"q": ["x"]}, {"q": "x"}, "fr")
