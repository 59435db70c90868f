"""The expected numbers come from seqeval 0.0.12 itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xtr.catalogue.tagging import ENTITIES, UPOS
from xtr.metrics.chunks import chunk_scores, find_chunks, token_accuracy

Sentences = list[list[str]]


def tagged(tags: tuple[str, ...]) -> st.SearchStrategy[Sentences]:
    return st.lists(st.lists(st.sampled_from(tags), max_size=8), min_size=1, max_size=4)


def test_part_of_speech_f1_is_not_token_accuracy() -> None:
    gold, predicted = [["DET", "NOUN", "NOUN", "VERB"]], [["DET", "NOUN", "VERB", "VERB"]]
    assert chunk_scores(gold, predicted)["f1"] == pytest.approx(1 / 3)
    assert token_accuracy(gold, predicted) == 0.75


def test_swapping_cconj_for_sconj_costs_half_as_in_old_seqeval() -> None:
    assert chunk_scores([["CCONJ", "NOUN"]], [["SCONJ", "NOUN"]])["f1"] == 0.5


def test_runs_of_one_tag_are_one_chunk_but_sconj_and_sym_stand_alone() -> None:
    assert find_chunks([["NOUN", "NOUN", "SYM", "SYM"]]) == [("NOUN", 0, 1), ("SYM", 2, 2), ("SYM", 3, 3)]
    assert find_chunks([["SCONJ", "SCONJ"]]) == [("SCONJ", 0, 0), ("SCONJ", 1, 1)]


def test_a_run_ends_with_its_sentence() -> None:
    assert find_chunks([["X", "X"], ["X"]]) == [("X", 0, 1), ("X", 3, 3)]


def test_a_final_x_chunk_counts() -> None:
    assert chunk_scores([["NOUN", "X"]], [["NOUN", "X"]]) == {"f1": 1.0, "precision": 1.0, "recall": 1.0}


def test_an_entity_counts_only_with_both_borders_right() -> None:
    gold = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    predicted = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    assert chunk_scores(gold, predicted)["f1"] == 0.5


def test_an_inside_tag_without_a_beginning_opens_an_entity() -> None:
    assert find_chunks([["O", "I-PER", "I-PER", "I-LOC"]]) == [("PER", 1, 2), ("LOC", 3, 3)]


def test_precision_and_recall_differ_where_chunks_are_missed() -> None:
    scores = chunk_scores([["B-PER", "O", "B-LOC"]], [["B-PER", "O", "O"]])
    assert scores == {"f1": pytest.approx(2 / 3), "precision": 1.0, "recall": 0.5}


def test_no_chunks_at_all_score_nothing() -> None:
    assert chunk_scores([["O", "O"]], [["O", "O"]]) == {"f1": 0.0, "precision": 0.0, "recall": 0.0}


@pytest.mark.parametrize("tags", [UPOS, ENTITIES])
def test_a_perfect_prediction_scores_one(tags: tuple[str, ...]) -> None:
    sentences = [[tag] for tag in tags]
    assert chunk_scores(sentences, sentences)["f1"] == 1.0
    assert token_accuracy(sentences, sentences) == 1.0


@given(gold=tagged(UPOS), predicted=tagged(UPOS))
def test_untyped_chunks_are_the_runs_with_singles_split(gold: Sentences, predicted: Sentences) -> None:
    for sentences in (gold, predicted):
        flat = [tag for sentence in sentences for tag in (*sentence, "O")]
        rebuilt = ["O"] * len(flat)
        for tag, first, last in find_chunks(sentences):
            rebuilt[first : last + 1] = [tag] * (last + 1 - first)
        assert rebuilt == flat


@given(sentences=tagged(ENTITIES))
def test_scores_lie_between_zero_and_one(sentences: Sentences) -> None:
    scores = chunk_scores(sentences, [list(reversed(sentence)) for sentence in sentences])
    assert all(0 <= value <= 1 for value in scores.values())


def test_numbers_of_sentences_must_agree() -> None:
    with pytest.raises(ValueError, match="1 gold sentences but 2"):
        chunk_scores([["X"]], [["X"], ["X"]])
    with pytest.raises(ValueError, match="no sentences"):
        chunk_scores([], [])


def test_token_accuracy_needs_a_tag_for_every_word() -> None:
    with pytest.raises(ValueError, match="sentence 0: 2 gold tags but 1"):
        token_accuracy([["X", "X"]], [["X"]])
    with pytest.raises(ValueError, match="no words"):
        token_accuracy([[]], [[]])
