"""This is where words are tagged: UD-POS and PAN-X.

each word's first sub-word carries its tag; a sentence that does not fit is cut between words into several
examples and joined again, so that every word gets a tag of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import TaggingRow
from xtr.families.family import Example, Family, HeadSettings, Tokens
from xtr.metrics.chunks import chunk_scores, find_chunks, token_accuracy
from xtr.metrics.collapse import collapsed
from xtr.model.encoder import Encoder
from xtr.model.heads import TokenHead

Tags = tuple[str, ...]


class Tagging(Family[TaggingRow, Tags]):
    """Word tagging; a prediction is one tag a word."""

    auto_class = "AutoModelForTokenClassification"

    def encode(
        self, rows: Sequence[TaggingRow], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Make one example a sentence, or several where it is longer than `max_length` sub-words."""
        label_ids = {label: i for i, label in enumerate(task.labels)}
        return [
            _example(i, row, window, tokenizer, label_ids)
            for i, (row, pieces) in enumerate(zip(rows, _word_pieces(rows, tokenizer), strict=True))
            for window in _windows(pieces, max_length - 2)
        ]

    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> TokenHead:
        """Make a head with one output a tag."""
        return TokenHead(encoder.hidden_size, len(task.labels))

    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Sum the cross-entropy over words; `outputs` is (N, T, tags)."""
        batch = torch.tensor([i for i, example in enumerate(examples) for _ in example.places])
        position = torch.tensor([place[1] for example in examples for place in example.places])
        target = torch.tensor([tag for example in examples for tag in example.target], device=outputs.device)
        return functional.cross_entropy(outputs[batch, position], target, reduction="sum")

    def n_items(self, example: Example) -> int:
        """Count words."""
        return len(example.places)

    def decode(
        self, outputs: Sequence[Tensor], examples: Sequence[Example], rows: Sequence[TaggingRow], task: Task
    ) -> list[Tags]:
        """Take the best tag at each word's first sub-word."""
        tags = [[task.labels[0]] * len(row.words) for row in rows]
        for scores, example in zip(outputs, examples, strict=True):
            best = scores.argmax(-1).tolist()
            for word, position in example.places:
                tags[example.row][word] = task.labels[best[position]]
        return [tuple(sentence) for sentence in tags]

    def score(
        self, rows: Sequence[TaggingRow], predictions: Sequence[Tags], task: Task, language: str
    ) -> dict[str, float]:
        """Compute chunk F1 as XTREME does and, where the task asks for it, accuracy over words."""
        gold = [row.tags or () for row in rows]
        scores = dict(chunk_scores(gold, predictions))
        if "accuracy" in task.metrics:
            scores["accuracy"] = token_accuracy(gold, predictions)
        return scores

    def collapsed(self, rows: Sequence[TaggingRow], predictions: Sequence[Tags]) -> bool:
        """Say whether all words get one tag, such as `O`."""
        return collapsed(chain(*(row.tags or () for row in rows)), chain(*predictions))

    def outcomes(
        self, rows: Sequence[TaggingRow], predictions: Sequence[Tags], task: Task, language: str
    ) -> list[dict[str, float]]:
        """Count each sentence's words and chunks; summed over sentences they give accuracy and chunk F1."""
        return [_counts(row.tags or (), tags) for row, tags in zip(rows, predictions, strict=True)]

    def prediction_file(self, rows: Sequence[TaggingRow], predictions: Sequence[Tags]) -> str:
        """Write one tag a line and a blank line after each sentence."""
        return "".join("".join(f"{tag}\n" for tag in sentence) + "\n" for sentence in predictions)

    def label_file(self, rows: Sequence[TaggingRow]) -> str:
        """Write the gold as predictions are written."""
        return self.prediction_file(rows, [row.tags or () for row in rows])

    def labelled(self, row: TaggingRow) -> bool:
        """Say whether the sentence is tagged."""
        return row.tags is not None


def _counts(gold: Tags, predicted: Tags) -> dict[str, float]:
    right, found = set(find_chunks([gold])), set(find_chunks([predicted]))
    return {
        "words_right": sum(tag == guess for tag, guess in zip(gold, predicted, strict=True)),
        "words": len(gold),
        "chunks_right": len(right & found),
        "chunks_found": len(found),
        "chunks_gold": len(right),
    }


WordPieces = list[tuple[int, list[int]]]


def _word_pieces(rows: Sequence[TaggingRow], tokenizer: PreTrainedTokenizerFast) -> Iterator[WordPieces]:
    """Tokenise each word of each row on its own; one that the tokenizer drops stands as the unknown token."""
    sentences = [list(row.words) for row in rows]
    encoded = tokenizer(sentences, is_split_into_words=True, add_special_tokens=False) if rows else None
    unknown = int(tokenizer.unk_token_id)
    for i, words in enumerate(sentences):
        assert encoded is not None
        pieces: WordPieces = [(number, []) for number in range(len(words))]
        for token, word in zip(encoded["input_ids"][i], encoded.word_ids(i), strict=True):
            pieces[word][1].append(token)
        yield [(word, tokens or [unknown]) for word, tokens in pieces]


def _windows(pieces: WordPieces, room: int) -> Iterator[WordPieces]:
    """Cut a sentence between words so that each part has at most `room` sub-words."""
    window: WordPieces = []
    used = 0
    for word, tokens in pieces:
        tokens = tokens[:room]
        if window and used + len(tokens) > room:
            yield window
            window, used = [], 0
        window.append((word, tokens))
        used += len(tokens)
    if window:
        yield window


def _example(
    index: int,
    row: TaggingRow,
    window: WordPieces,
    tokenizer: PreTrainedTokenizerFast,
    label_ids: dict[str, int],
) -> Example:
    """Put special tokens around a window and note where each word begins."""
    input_ids = [int(tokenizer.cls_token_id)]
    places = []
    for word, tokens in window:
        places.append((word, len(input_ids)))
        input_ids.extend(tokens)
    input_ids.append(int(tokenizer.sep_token_id))
    segments = (0,) * len(input_ids) if "token_type_ids" in tokenizer.model_input_names else None
    target = () if row.tags is None else tuple(label_ids[row.tags[word]] for word, _ in window)
    return Example(index, (Tokens(tuple(input_ids), segments),), target, tuple(places))
