"""Answers in texts: windows hold every token of the context, and answers come back by their characters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from tests.families.perfect import right_outputs
from tests.shared_data import SHARED_DATA, needs_shared_data
from xtr.catalogue.lookup import find_task
from xtr.data.official import OfficialSource
from xtr.data.rows import Answer, SpanRow
from xtr.families.family import Example
from xtr.families.span import MAX_ANSWER_TOKENS, NOT_CONTEXT, Found, Span

SQUAD, TYDIQA = find_task("squad_v1"), find_task("tydiqa")
NO_ANSWER = (0, 0)
texts = st.text(alphabet="abkmu .,é’\u00a0\u0301\u4e2d\U0001f600", min_size=1, max_size=80)


def context_tokens(row: SpanRow, tokenizer: PreTrainedTokenizerFast) -> list[tuple[int, int]]:
    encoded = tokenizer(row.context, add_special_tokens=False, return_offsets_mapping=True)
    return [(start, end) for start, end in encoded["offset_mapping"]]


def windows_of(examples: Sequence[Example]) -> dict[int, list[Example]]:
    windows: dict[int, list[Example]] = defaultdict(list)
    for example in examples:
        windows[example.row].append(example)
    return windows


def answer_tokens(row: SpanRow, tokens: list[tuple[int, int]]) -> list[tuple[int, int]]:
    assert row.answers
    first, last = row.answers[0].start, row.answers[0].start + len(row.answers[0].text)
    return sorted((start, end) for start, end in tokens if start < last and end > first and end > start)


def reach(tokens: Collection[tuple[int, int]]) -> tuple[int, int] | None:
    """From where to where tokens reach; a mark before a word may cover a letter that the next token has too."""
    return (min(start for start, _ in tokens), max(end for _, end in tokens)) if tokens else None


def check_windows(rows: Sequence[SpanRow], tokenizer: PreTrainedTokenizerFast, max_length: int) -> float:
    """Check that nothing is lost; return the share of rows whose answer begins and ends where tokens do."""
    examples = Span().encode(rows, SQUAD, tokenizer, max_length)
    predictions = Span().decode(right_outputs("squad_v1", rows, examples), examples, rows, SQUAD)
    windows = windows_of(examples)
    n_exact = 0
    for i, row in enumerate(rows):
        tokens = context_tokens(row, tokenizer)
        places = [[place for place in each.places if place != NOT_CONTEXT] for each in windows[i]]
        assert {place for window in places for place in window} == set(tokens)
        assert all(max(one) >= min(other) for one, other in pairwise(places)), "windows leave no gap"
        assert all(each.length <= max_length for each in windows[i])
        wanted = answer_tokens(row, tokens)
        held = [each for each in windows[i] if reach(wanted) == reach(set(wanted) & set(each.places))]
        assert [each.target != NO_ANSWER for each in windows[i]] == [
            bool(wanted) and each in held for each in windows[i]
        ]
        if not wanted or not held or len(wanted) > MAX_ANSWER_TOKENS:
            continue
        assert predictions[i].text == row.context[wanted[0][0] : wanted[-1][1]].strip()
        assert row.answers
        n_exact += predictions[i].text == row.answers[0].text.strip()
    return n_exact / len(rows)


@given(texts, texts, st.data(), st.integers(8, 40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_windows_hold_the_whole_context_and_answers_map_back(
    tokenizer: PreTrainedTokenizerFast, question: str, context: str, data: st.DataObject, max_length: int
) -> None:
    start = data.draw(st.integers(0, len(context) - 1))
    text = context[start : data.draw(st.integers(start + 1, len(context)))]
    check_windows([SpanRow("0", question, context, (Answer(text, start),))], tokenizer, max_length)


@needs_shared_data("xtreme/tydiqa")
@pytest.mark.parametrize("max_length", [64, 384])
def test_real_questions_in_many_scripts_map_back(
    bert_tokenizer: PreTrainedTokenizerFast, max_length: int
) -> None:
    source = OfficialSource(SHARED_DATA / "xtreme")
    for language in source.languages(TYDIQA, "test"):
        rows = [row for row in source.rows(TYDIQA, "test", language)[:80] if isinstance(row, SpanRow)]
        share = check_windows(rows, bert_tokenizer, max_length)
        if (language, max_length) == ("en", 384):
            assert share > 0.9


def test_an_answer_whose_last_mark_the_tokenizer_drops_is_still_learnt(
    bert_tokenizer: PreTrainedTokenizerFast,
) -> None:
    context = "He spoke of Анри́, and left."
    answer = Answer("Анри́", context.index("А"))
    [example] = Span().encode([SpanRow("0", "Of whom?", context, (answer,))], SQUAD, bert_tokenizer, 64)
    assert example.target != NO_ANSWER
    first, last = example.target
    assert context[example.places[first][0] : example.places[last][1]] == "Анри"


def test_an_answer_with_blanks_around_it_is_still_learnt(tokenizer: PreTrainedTokenizerFast) -> None:
    context = "kura bope . reda ninu ."
    [example] = Span().encode([SpanRow("0", "tare ?", context, (Answer(" bope ", 4),))], SQUAD, tokenizer, 64)
    first, last = example.target
    assert context[example.places[first][0] : example.places[last][1]].strip() == "bope"


def test_a_long_question_leaves_room_for_the_text(tokenizer: PreTrainedTokenizerFast) -> None:
    row = SpanRow("0", "qz" * 300, "kura bope . reda ninu .", (Answer("bope", 5),))
    for max_length in (8, 9, 16, 64):
        check_windows([row], tokenizer, max_length)


def test_the_best_answer_over_all_windows_wins_and_is_not_too_long(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    row = SpanRow("0", "tare ?", " ".join(["kura"] * 60 + ["bope"]), (Answer("bope", 300),))
    [example] = Span().encode([row], SQUAD, tokenizer, 128)
    [output] = right_outputs("squad_v1", [row], [example])
    output[example.places.index((0, 4)), 0] = 5.0
    [prediction] = Span().decode([output], [example], [row], SQUAD)
    assert len(prediction.text.split()) <= MAX_ANSWER_TOKENS
    windows = Span().encode([row], SQUAD, tokenizer, 24)
    assert len(windows) > 2
    assert Span().decode(right_outputs("squad_v1", [row], windows), windows, [row], SQUAD) == [("bope", -2.0)]


def test_any_gold_answer_counts() -> None:
    row = SpanRow("q", "?", "a red house", (Answer("red", 2), Answer("red house", 2)))
    assert Span().score([row], [Found("red house")], SQUAD, "en") == {"f1": 1.0, "exact_match": 1.0}


def test_mlqa_is_scored_by_the_rules_of_its_language_and_others_by_squads() -> None:
    mlqa = replace(SQUAD, answer_rules="mlqa")
    row, found = SpanRow("q", "?", "北京市", (Answer("北京市", 0),)), Found("北京")
    assert Span().score([row], [found], SQUAD, "zh")["f1"] == 0.0
    assert Span().score([row], [found], mlqa, "zh")["f1"] == pytest.approx(0.8)
    assert Span().outcomes([row], [found], mlqa, "zh") == [{"f1": pytest.approx(0.8), "exact_match": 0.0}]


def test_squad_v2_is_scored_at_the_best_threshold_on_doubt() -> None:
    squad_v2 = replace(SQUAD, answer_rules="squad_v2")
    rows = [SpanRow("a", "?", "a red house", (Answer("red", 2),)), SpanRow("b", "?", "a red house", ())]
    sure, unsure = Found("red", -3.0), Found("house", 4.0)
    assert Span().score(rows, [sure, unsure], squad_v2, "en") == {"f1": 1.0, "exact_match": 1.0}
    assert Span().score(rows, [unsure, sure], squad_v2, "en") == {"f1": 0.5, "exact_match": 0.5}


def test_a_question_without_an_answer_is_learnt_as_no_answer_and_doubt_tells_it(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    row = SpanRow("0", "tare ?", "kura bope . reda ninu .", ())
    [example] = Span().encode([row], SQUAD, tokenizer, 64)
    assert example.target == (0, 0)
    [none] = Span().decode(right_outputs("squad_v1", [row], [example]), [example], [row], SQUAD)
    assert none.doubt > 0


def test_a_question_without_an_answer_points_to_the_first_token_of_every_window(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    context = "denver won the game in santa clara . " * 12
    impossible, hidden = (
        SpanRow(str(n), "who lost ?", context, answers) for n, answers in enumerate(((), None))
    )
    examples = Span().encode([impossible, hidden], SQUAD, tokenizer, 32)
    targets = {row: {example.target for example in examples if example.row == row} for row in (0, 1)}
    assert targets == {0: {(0, 0)}, 1: {()}}
    assert Span().labelled(impossible)
    assert not Span().labelled(hidden)
