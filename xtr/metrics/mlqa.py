"""This is where answers are scored by the rules of MLQA, which know the language.

    mlqa_scores({"q1": ["los Alpes"]}, {"q1": "¡Alpes!"}, "es")   -> {"f1": 1.0, "exact_match": 1.0}
    normalise_for("zh")("2003年8月")                               -> "2003 年 8 月"

XTREME scores MLQA by these rules, XQuAD and TyDiQA by SQuAD's.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Mapping, Sequence

from xtr.metrics.squad import Normalise, Scores, answer_scores, mean_scores

_ARTICLES: Mapping[str, re.Pattern[str] | None] = {
    "en": re.compile(r"\b(?:a|an|the)\b"),
    "es": re.compile(r"\b(?:un|una|unos|unas|el|la|los|las)\b"),
    "de": re.compile(r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "vi": re.compile(r"\b(?:của|là|cái|chiếc|những)\b"),
    "ar": re.compile("ال"),  # inside words too: the official pattern asks for no border of a word
    "hi": None,
    "zh": None,
}
_CHINESE = re.compile("([\u4e00-\u9fa5])")

MLQA_LANGUAGES = tuple(_ARTICLES)


def mlqa_scores(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], language: str) -> Scores:
    """Return `f1` and `exact_match`, 0 to 1, averaged over the gold questions.

    Source: third_party/evaluate_mlqa.py of google-research/xtreme (mlqa), which is MLQA's own
    mlqa_evaluation_v1.py and reports the numbers times 100.

    Args:
        gold: question id to its right answers; the best match counts.
        predicted: question id to answer; a question without one scores 0, other ids are ignored.
        language: ISO 639-1, of the answers.

    Raises:
        ValueError: MLQA has no rules for the language, there are no questions, or one has no gold answer.
    """
    return mean_scores(answer_scores(gold, predicted, normalise_for(language)))


def normalise_for(language: str) -> Normalise:
    """Return what is done to answers of a language before they are compared.

    Lower-case, drop all that Unicode calls punctuation and ASCII's symbols with it, then the language's
    articles, then spare white space. In Chinese every character from U+4E00 to U+9FA5 is a token.

    Source: `normalize_answer` of MLQA's mlqa_evaluation_v1.py.

    Raises:
        ValueError: MLQA has no rules for the language.
    """
    if language not in _ARTICLES:
        raise ValueError(f"MLQA has no rules for {language}, only for {', '.join(MLQA_LANGUAGES)}")
    articles = _ARTICLES[language]

    def normalise(text: str) -> str:
        kept = "".join(character for character in text.lower() if not _is_punctuation(character))
        if articles is not None:
            kept = articles.sub(" ", kept)
        if language == "zh":
            kept = _CHINESE.sub(r" \1 ", kept)
        return " ".join(kept.split())

    return normalise


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")
