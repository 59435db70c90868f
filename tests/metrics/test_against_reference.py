"""Ten thousand random cases a metric against `reference.py`, every trap of the official scorers among them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tests.metrics import reference
from xtr.catalogue.benchmarks import BENCHMARKS
from xtr.catalogue.targets import ENTITIES, UPOS
from xtr.metrics.accuracy import accuracy
from xtr.metrics.binary import binary_f1
from xtr.metrics.bucc import bucc_f1, fit_threshold, pairs_above
from xtr.metrics.chunks import chunk_scores, token_accuracy
from xtr.metrics.consistency import rank_consistency
from xtr.metrics.mlqa import MLQA_LANGUAGES, mlqa_scores
from xtr.metrics.ranking import map_at_k
from xtr.metrics.squad import squad_scores
from xtr.metrics.squad_v2 import squad_v2_scores
from xtr.metrics.transfer import spread
from xtr.metrics.xtreme import benchmark_score

CASES = 10_000
TRAPPED_TAGS = ("SCONJ", "SYM", "CCONJ", "NOUN", "X", "INTJ")
WORDS = {
    "en": ["a", "an", "the", "The", "A.", "theatre", "red", "red", "U.S.A.", "$5", "5", "_", "co-op", "a_b"],
    "es": ["el", "La", "unos", "ellas", "los", "¿qué?", "Alpes", "«sí»", "an"],
    "de": ["der", "Die", "einen", "Straße", "STRASSE", "„ja“", "dem", "derer"],
    "vi": ["của", "là", "Những", "cái", "la\u0300", "nước", "chiếc", "hoa"],
    "ar": ["الكتاب", "كتاب", "ال", "والقمر", "قمر،", "؟", "هلال", "alif"],
    "hi": ["यह", "किताब", "।", "हिन्दी", "हिन्दी।", "the", "२०"],
    "zh": ["二〇〇三年", "8月", "北京", "「北京」", "，", "iPhone手机", "手机 iPhone", "㐀", "a", "\u9fa5\u9fa6"],
    "th": ["กรุงเทพ", "กรุงเทพฯ", "ไทย", "-"],
}  # fmt: skip
GLUE = ["", " ", " ", "  ", "\t", "\u00a0", "\u3000", ", ", "—", "'"]


def same(ours: dict[str, float], theirs: dict[str, float]) -> bool:
    return ours.keys() == theirs.keys() and all(abs(ours[each] - theirs[each]) < 1e-12 for each in ours)


def answer(draw: random.Random, language: str) -> str:
    """A few words, blanks and marks; sometimes nothing, or nothing that is left when normalised."""
    if draw.random() < 0.1:
        return draw.choice(["", " ", "...", "the", "ال", "一"])
    words = draw.choices(WORDS[language], k=draw.randint(1, 4))
    return "".join(word + draw.choice(GLUE) for word in words)


def questions(draw: random.Random, language: str) -> tuple[dict[str, list[str]], dict[str, str]]:
    gold = {
        f"q{i}": [answer(draw, language) for _ in range(draw.randint(1, 3))]
        for i in range(draw.randint(1, 3))
    }
    predicted = {"strange": "the"}
    for question, answers in gold.items():
        if draw.random() < 0.9:
            right = draw.choice(answers).swapcase() + draw.choice(GLUE)
            predicted[question] = right if draw.random() < 0.4 else answer(draw, language)
    return gold, predicted


def test_accuracy() -> None:
    draw = random.Random(1)
    for _ in range(CASES):
        rows = draw.randint(1, 8)
        gold, predicted = draw.choices(["0", "1", " 1"], k=rows), draw.choices(["0", "1", "", "1 "], k=rows)
        assert accuracy(gold, predicted) == reference.share_of_equal(gold, predicted)


@pytest.mark.parametrize("tags", [TRAPPED_TAGS, UPOS, ENTITIES], ids=["traps", "upos", "iob2"])
def test_chunks_with_prefix_letters_stray_inside_tags_and_shifted_sentences(tags: Sequence[str]) -> None:
    draw = random.Random(2)
    for _ in range(CASES):
        gold = [draw.choices(tags, k=draw.randint(0, 7)) for _ in range(draw.randint(1, 3))]
        guess = [[draw.choice(tags) if draw.random() < 0.3 else tag for tag in tags_] for tags_ in gold]
        if draw.random() < 0.1:  # too many or too few tags
            guess[0] = guess[0][1:] or ["X"]
        assert same(chunk_scores(gold, guess), reference.chunk_scores(gold, guess)), (gold, guess)


def test_token_accuracy() -> None:
    draw = random.Random(3)
    for _ in range(CASES):
        gold = [draw.choices(TRAPPED_TAGS, k=draw.randint(1, 5)) for _ in range(draw.randint(1, 3))]
        guess = [draw.choices(TRAPPED_TAGS, k=len(tags)) for tags in gold]
        flat = [[tag for tags in side for tag in tags] for side in (gold, guess)]
        assert token_accuracy(gold, guess) == reference.share_of_equal(*flat)


def test_squad_answers_of_every_script() -> None:
    draw = random.Random(4)
    for _ in range(CASES):
        gold, predicted = questions(draw, draw.choice(list(WORDS)))
        assert same(squad_scores(gold, predicted), reference.answer_scores(gold, predicted)), (
            gold,
            predicted,
        )


@pytest.mark.parametrize("language", MLQA_LANGUAGES)
def test_mlqa_answers_by_the_rules_of_the_language(language: str) -> None:
    draw = random.Random(5)
    for _ in range(CASES // len(MLQA_LANGUAGES) + 1):
        gold, predicted = questions(draw, draw.choice([language, language, "en", "zh"]))
        ours = mlqa_scores(gold, predicted, language)
        assert same(ours, reference.answer_scores(gold, predicted, language)), (gold, predicted)


def test_squad_v2_with_tied_doubts_empty_answers_and_articles_for_answers() -> None:
    draw = random.Random(6)
    for _ in range(CASES):
        gold, predicted = questions(draw, "en")
        for question in gold:
            predicted.setdefault(question, "")
            if draw.random() < 0.4:
                gold[question] = []
        doubt = {question: draw.choice([-1.5, 0.0, 0.0, 2.0]) for question in predicted}
        if draw.random() < 0.5:
            doubt = dict(reversed(doubt.items()))
        ours, theirs = (
            score(gold, predicted, doubt) for score in (squad_v2_scores, reference.squad_v2_scores)
        )
        assert same(ours, theirs), (gold, predicted, doubt)


def test_bucc_with_repeated_pairs_tied_scores_and_a_best_cut_after_the_last_pair() -> None:
    draw = random.Random(7)
    n_last = 0
    for _ in range(CASES):
        pairs = [(draw.choice("abc"), draw.choice("xyz")) for _ in range(draw.randint(1, 8))]
        scored = [(draw.choice([0.5, 0.9, 1.0, 1.1, draw.random()]), *pair) for pair in pairs]
        gold = draw.choices([*pairs, ("a", "q")], k=draw.randint(1, 4))
        threshold = fit_threshold(scored, gold)
        assert threshold == reference.bucc_threshold(scored, gold), (scored, gold)
        kept = pairs_above(scored, threshold)
        assert set(kept) == {(source, target) for score, source, target in scored if score >= threshold}
        assert same(bucc_f1(gold, kept), reference.bucc_scores(gold, kept))
        assert same(bucc_f1(gold, pairs), reference.bucc_scores(gold, pairs))
        n_last += threshold == min(score for score, *_ in scored)
    assert n_last > CASES / 20


def test_map_at_20_with_short_long_and_absent_rankings_and_more_relevant_items_than_places() -> None:
    draw = random.Random(8)
    for _ in range(CASES):
        items = [str(i) for i in range(30)]
        k = draw.choice([1, 3, 20, 20])
        relevant = {
            str(q): draw.sample(items, draw.choice([1, 1, 2, 11, 25])) for q in range(draw.randint(1, 2))
        }
        rankings = {q: draw.sample(items, draw.randint(0, 30)) for q in [*relevant, "strange"]}
        if draw.random() < 0.1:
            del rankings["0"]
        ours = map_at_k(rankings, relevant, k)
        assert abs(ours - reference.mean_average_precision(rankings, relevant, k)) < 1e-12
        single = {query: right[0] for query, right in relevant.items()}
        ours = map_at_k(rankings, {query: [right] for query, right in single.items()}, k)
        assert abs(ours - reference.reciprocal_rank(rankings, single, k)) < 1e-12


def test_binary_f1() -> None:
    draw = random.Random(9)
    for _ in range(CASES):
        rows = draw.randint(1, 6)
        gold, predicted = draw.choices("01", k=rows), draw.choices("01", k=rows)
        assert same(binary_f1(gold, predicted, "1"), reference.binary_scores(gold, predicted, "1"))


def test_rank_consistency() -> None:
    draw = random.Random(10)
    for _ in range(CASES):
        first = [[str(i) for i in range(draw.randint(1, 7))] for _ in range(draw.randint(1, 3))]
        second = [draw.sample(ranking, len(ranking)) for ranking in first]
        assert abs(rank_consistency(first, second) - reference.rank_consistency(first, second)) < 1e-12
        assert abs(rank_consistency(first, second) - rank_consistency(second, first)) < 1e-12


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_benchmark_averages(benchmark: str) -> None:
    draw = random.Random(11)
    tasks = [task for group in BENCHMARKS[benchmark].values() for task in group]
    for _ in range(CASES // 2):
        scores = {task: {lang: _drawn(draw, task) for lang in draw.sample(LANGUAGES, 3)} for task in tasks}
        overall = benchmark_score(scores, benchmark).overall
        assert overall is not None
        assert abs(overall - reference.benchmark_average(scores)) < 1e-10


LANGUAGES = ["en", "de", "sw", "th"]


def _drawn(draw: random.Random, task: str) -> dict[str, float]:
    if task in ("xquad", "mlqa", "tydiqa"):
        return {"f1": draw.random(), "exact_match": draw.random()}
    if task in ("udpos", "panx", "bucc2018"):
        return {name: draw.random() for name in draw.sample(["f1", "precision", "recall"], 3)}
    return {"map_at_20" if task in ("mewslix", "lareqa") else "accuracy": draw.random()}


def test_transfer_gaps() -> None:
    draw = random.Random(12)
    for _ in range(CASES):
        scores = {code: draw.random() for code in ["en", *draw.sample(LANGUAGES[1:], draw.randint(1, 3))]}
        gap = spread(scores).gap
        assert gap is not None
        assert abs(gap - reference.gap(scores)) < 1e-12
