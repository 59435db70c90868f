"""Tagging: whatever the words and the room, each word has one place of its own."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from tests.families.perfect import demo_rows, right_outputs
from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.data.rows import TaggingRow
from xtr.families.tagging import Tagging

UDPOS = find_task("udpos")
DROPPED = "\u2028"  # white space to the demo's tokenizer
words = st.text(alphabet="abkmu.’é\u4e2d\u2028", min_size=1, max_size=12)
sentences = st.lists(words, min_size=1, max_size=12)


def row_of(sentence: list[str]) -> TaggingRow:
    tags = tuple(UDPOS.labels[i % len(UDPOS.labels)] for i in range(len(sentence)))
    return TaggingRow("0", tuple(sentence), tags)


@given(st.lists(sentences, min_size=1, max_size=3), st.integers(3, 20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_word_gets_one_tag(
    tokenizer: PreTrainedTokenizerFast, batch: list[list[str]], max_length: int
) -> None:
    rows = [row_of(sentence) for sentence in batch]
    examples = Tagging().encode(rows, UDPOS, tokenizer, max_length)
    placed = [(example.row, word) for example in examples for word, _ in example.places]
    assert placed == [(i, word) for i, row in enumerate(rows) for word in range(len(row.words))]
    for example in examples:
        positions = [position for _, position in example.places]
        assert positions == sorted(set(positions))
        assert all(0 < position < example.length - 1 for position in positions)
        assert example.length <= max_length
    predictions = Tagging().decode(right_outputs("udpos", rows, examples), examples, rows, UDPOS)
    assert predictions == [row.tags for row in rows]


def test_a_long_sentence_is_cut_between_words_and_nothing_of_it_is_lost(
    demo: DemoSource, tokenizer: PreTrainedTokenizerFast
) -> None:
    row = max((row for row in demo_rows(demo, "udpos")), key=lambda row: len(getattr(row, "words", ())))
    assert isinstance(row, TaggingRow)
    whole = Tagging().encode([row], UDPOS, tokenizer, 128)
    parts = Tagging().encode([row], UDPOS, tokenizer, 6)
    assert len(whole) == 1
    assert len(parts) > 2
    inner = [token for part in parts for token in part.sequences[0].input_ids[1:-1]]
    assert tuple(inner) == whole[0].sequences[0].input_ids[1:-1]
    assert sum(Tagging().n_items(part) for part in parts) == len(row.words)


def test_a_word_that_the_tokenizer_drops_stands_as_unknown(tokenizer: PreTrainedTokenizerFast) -> None:
    [example] = Tagging().encode([row_of(["bope", DROPPED, "."])], UDPOS, tokenizer, 32)
    position = example.places[1][1]
    assert example.sequences[0].input_ids[position] == tokenizer.unk_token_id


def test_a_word_that_berts_tokenizer_drops_stands_as_unknown(bert_tokenizer: PreTrainedTokenizerFast) -> None:
    [example] = Tagging().encode([row_of(["one", "\u200d", "two"])], UDPOS, bert_tokenizer, 32)
    assert [word for word, _ in example.places] == [0, 1, 2]
    assert example.sequences[0].input_ids[example.places[1][1]] == bert_tokenizer.unk_token_id
    assert example.sequences[0].token_type_ids == (0,) * example.length


def test_a_word_longer_than_the_room_is_cut_and_keeps_its_tag(tokenizer: PreTrainedTokenizerFast) -> None:
    examples = Tagging().encode([row_of(["q" * 40, "."])], UDPOS, tokenizer, 6)
    assert [example.length for example in examples] == [6, 3]
    assert [example.places for example in examples] == [((0, 1),), ((1, 1),)]
