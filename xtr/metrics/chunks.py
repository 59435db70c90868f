"""This is where tags are scored as chunks, by the rules of seqeval 0.0.12.

XTREME scores PAN-X *and* part-of-speech tags with seqeval's chunk F1. Part-of-speech tags carry no prefix,
so their first letter is read as one: a run of equal tags is one chunk, and SCONJ and SYM (S = single) stand
alone. seqeval 1.x also cuts that letter from the type, which makes CCONJ and SCONJ equal; XTREME's published
numbers are those of 0.0.12.

    chunk_scores([["DET", "NOUN", "NOUN", "VERB"]], [["DET", "NOUN", "VERB", "VERB"]])["f1"]   -> 0.333
    token_accuracy(...)                                                                       -> 0.75
"""

from __future__ import annotations

from collections.abc import Sequence

Chunk = tuple[str, int, int]


def chunk_scores(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return micro-averaged chunk `f1`, `precision` and `recall`, 0 to 1, over all sentences.

    Source: `f1` in evaluate.py of google-research/xtreme (udpos, panx), which calls seqeval 0.0.12 and
    reports the numbers times 100. As there, chunks are compared by their place in the concatenated sentences,
    so a sentence with too few or too many tags shifts all that follow.

    Args:
        gold: one non-empty tag a word, sentence by sentence.
        predicted: the same shape.

    Raises:
        ValueError: the numbers of sentences differ, or there are none.
    """
    _check_sentences(gold, predicted)
    gold_chunks, predicted_chunks = set(find_chunks(gold)), set(find_chunks(predicted))
    n_correct = len(gold_chunks & predicted_chunks)
    precision = n_correct / len(predicted_chunks) if predicted_chunks else 0.0
    recall = n_correct / len(gold_chunks) if gold_chunks else 0.0
    total = precision + recall
    f1 = 2 * precision * recall / total if total else 0.0
    return {"f1": f1, "precision": precision, "recall": recall}


def token_accuracy(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Return the share, 0 to 1, of words with the right tag: what papers call part-of-speech accuracy.

    Args:
        gold: one tag a word, sentence by sentence.
        predicted: the same shape.

    Raises:
        ValueError: the shapes differ, or there are no words.
    """
    _check_sentences(gold, predicted)
    for number, (tags, guesses) in enumerate(zip(gold, predicted, strict=True)):
        if len(tags) != len(guesses):
            raise ValueError(f"sentence {number}: {len(tags)} gold tags but {len(guesses)} predicted")
    n_words = sum(map(len, gold))
    if not n_words:
        raise ValueError("token accuracy of no words")
    n_correct = sum(
        tag == guess
        for tags, guesses in zip(gold, predicted, strict=True)
        for tag, guess in zip(tags, guesses, strict=True)
    )
    return n_correct / n_words


def find_chunks(sentences: Sequence[Sequence[str]]) -> list[Chunk]:
    """List chunks as (type, first, last), counting places through all sentences with a gap after each.

    Source: `get_entities` of seqeval 0.0.12, with its quirks: an I- tag without a B- opens a chunk, a tag
    without a hyphen is its own type.
    """
    flat = [tag for sentence in sentences for tag in (*sentence, "O")]
    chunks: list[Chunk] = []
    before, type_before, first = "O", "", 0
    for place, tag in enumerate([*flat, "O"]):
        prefix, tag_type = tag[0], tag.rsplit("-", 1)[-1]
        new_type = tag_type != type_before
        if _ends(before, prefix, new_type=new_type):
            chunks.append((type_before, first, place - 1))
        if _starts(before, prefix, new_type=new_type):
            first = place
        before, type_before = prefix, tag_type
    return chunks


def _ends(before: str, after: str, *, new_type: bool) -> bool:
    """Whether a chunk ends between two words, given the first letters of their tags."""
    return before in "ES" or (before in "BI" and after in "BSO") or (before not in "O." and new_type)


def _starts(before: str, after: str, *, new_type: bool) -> bool:
    """Whether a chunk starts at the second of two words, given the first letters of their tags."""
    return after in "BS" or (before in "ESO" and after in "EI") or (after not in "O." and new_type)


def _check_sentences(gold: Sequence[object], predicted: Sequence[object]) -> None:
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sentences but {len(predicted)} predicted")
    if not gold:
        raise ValueError("tag scores of no sentences")
