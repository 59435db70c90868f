"""This is where masked pieces of plain text are guessed again: continued pretraining, mixed in or on its own.

    `<s> one line of text </s>`  ->  15 % of the pieces hidden, anew at every step  ->  the hidden pieces

As BERT has it (Devlin et al. 2019) and jiant (jiant/tasks/lib/templates/mlm.py): of the chosen pieces 80 % become
the mask, 10 % another piece, 10 % stay.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import TextRow
from xtr.families.family import Example, Family, HeadSettings, Tokens, collate, sent, text_sequences
from xtr.fingerprint import derive_seed
from xtr.model.encoder import Encoder
from xtr.model.heads import PLACES, MaskedHead
from xtr.model.masked import masked_head

CHOSEN, MASKED, RANDOM = 0.15, 0.8, 0.1
NOTHING_HIDDEN = -100
Guess = tuple[int, int, float]
"""How many hidden pieces of a line were guessed right, how many there were, and their summed loss in nats."""


class Mlm(Family[TextRow, Guess]):
    """Masked language modelling; a prediction is how many hidden pieces were guessed."""

    suffix = "jsonl"
    auto_class = "AutoModelForMaskedLM"

    def encode(
        self, rows: Sequence[TextRow], task: Task, tokenizer: PreTrainedTokenizerFast, max_length: int
    ) -> list[Example]:
        """Make one example a line, longer lines in parts; pieces are hidden the same way at every evaluation."""
        examples = []
        for number, row in enumerate(rows):
            for part in _parts(row.text, tokenizer, max_length):
                whole = Example(number, (part,))
                examples.append(_hide(whole, tokenizer, random.Random(derive_seed(0, task.name, row.id))))
        return examples

    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> MaskedHead:
        """Take the pretrained language model's head, tied to the encoder's embeddings."""
        return masked_head(encoder)

    def drawn(
        self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, seed: int
    ) -> Sequence[Example]:
        """Hide other pieces than before."""
        rng = random.Random(seed)
        return [_hide(_shown(example), tokenizer, rng) for example in examples]

    def inputs(
        self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, device: torch.device
    ) -> dict[str, Tensor]:
        """Add where pieces are hidden: (N, P), filled up with position 0."""
        places = torch.zeros(len(examples), max(len(each.target) for each in examples), dtype=torch.long)
        for i, example in enumerate(examples):
            places[i, : len(example.places)] = torch.tensor([place for place, _ in example.places])
        return {**collate(examples, tokenizer, device), PLACES: sent(places, device)}

    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Sum the cross-entropy over hidden pieces; `outputs` is (N, P, vocabulary)."""
        target = self._hidden(outputs, examples, filler=NOTHING_HIDDEN).flatten()
        # Taking each example's places by themselves would write the whole table's gradient once an example.
        return functional.cross_entropy(
            outputs.flatten(0, 1), target, ignore_index=NOTHING_HIDDEN, reduction="sum"
        )

    def n_items(self, example: Example) -> int:
        """Count hidden pieces."""
        return len(example.target)

    def reduced(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Keep of a place's scores the best piece and the hidden one's log-probability: (N, P, 2)."""
        scores = outputs.float()  # holds every piece's number exactly, too
        known = scores.gather(-1, self._hidden(outputs, examples, filler=0).unsqueeze(-1))
        best = scores.argmax(-1, keepdim=True).float()
        return torch.cat([best, known - scores.logsumexp(-1, keepdim=True)], -1)

    def _hidden(self, outputs: Tensor, examples: Sequence[Example], *, filler: int) -> Tensor:
        """List the hidden pieces (N, P) on the outputs' device."""
        hidden = torch.full(outputs.shape[:2], filler, dtype=torch.long)
        for i, example in enumerate(examples):
            hidden[i, : len(example.target)] = torch.tensor(example.target)
        return hidden.to(outputs.device)

    def decode(
        self,
        outputs: Sequence[Tensor],
        examples: Sequence[Example],
        rows: Sequence[TextRow],
        task: Task,
    ) -> list[Guess]:
        """Count right guesses of each line and sum up its loss, to four decimals."""
        guesses: list[Guess] = [(0, 0, 0.0)] * len(rows)
        for kept, example in zip(outputs, examples, strict=True):
            right, n, loss = guesses[example.row]
            for (best, known), piece in zip(kept.tolist(), example.target, strict=False):
                right, n, loss = right + (int(best) == piece), n + 1, loss - known
            guesses[example.row] = (right, n, round(loss, 4))
        return guesses

    def score(
        self, rows: Sequence[TextRow], predictions: Sequence[Guess], task: Task, language: str
    ) -> dict[str, float]:
        """Compute the share of hidden pieces that were guessed, and how likely they were.

        The likelihood is the geometric mean of their probabilities, in [0, 1]: minus its logarithm is the loss in
        nats a piece, one over it the pseudo-perplexity.
        """
        n_hidden = max(1, sum(n for _, n, _ in predictions))
        return {
            "accuracy": sum(right for right, _, _ in predictions) / n_hidden,
            "likelihood": math.exp(-sum(loss for _, _, loss in predictions) / n_hidden),
        }

    def outcomes(
        self, rows: Sequence[TextRow], predictions: Sequence[Guess], task: Task, language: str
    ) -> list[dict[str, float]]:
        """Say how many pieces of each line were hidden, how many were guessed, and their summed loss in nats."""
        return [{"right": float(right), "hidden": float(n), "loss": loss} for right, n, loss in predictions]

    def prediction_file(self, rows: Sequence[TextRow], predictions: Sequence[Guess]) -> str:
        """Write one JSON object a line; no official scorer reads it."""
        lines = ({"right": right, "hidden": n, "loss": loss} for right, n, loss in predictions)
        return "".join(json.dumps(line) + "\n" for line in lines)

    def label_file(self, rows: Sequence[TextRow]) -> str:
        """Write the lines; no official scorer reads them."""
        return "".join(f"{row.text}\n" for row in rows)

    def labelled(self, row: TextRow) -> bool:
        """Text is its own label."""
        return True


def _parts(text: str, tokenizer: PreTrainedTokenizerFast, max_length: int) -> list[Tokens]:
    """Tokenise a line, cut where it is longer than `max_length`; a part without a piece to hide is left out."""
    [whole] = text_sequences(tokenizer, [text], None, 10**9)
    room = max_length - tokenizer.num_special_tokens_to_add(pair=False)
    pieces = [piece for piece in whole.input_ids if piece not in tokenizer.all_special_ids]
    segments = whole.token_type_ids
    parts = []
    for start in range(0, len(pieces), room):
        ids = [int(tokenizer.cls_token_id), *pieces[start : start + room], int(tokenizer.sep_token_id)]
        parts.append(Tokens(tuple(ids), None if segments is None else (0,) * len(ids)))
    return parts


def _hide(example: Example, tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> Example:
    """Choose pieces, at least one, and hide most of them; special tokens are never chosen."""
    ids = list(example.sequences[0].input_ids)
    inner = range(1, len(ids) - 1)
    chosen = [i for i in inner if rng.random() < CHOSEN] or [rng.choice(inner)]
    target = tuple(ids[i] for i in chosen)
    for i in chosen:
        fate = rng.random()
        if fate < MASKED:
            ids[i] = int(tokenizer.mask_token_id)
        elif fate < MASKED + RANDOM:
            ids[i] = rng.randrange(len(tokenizer))
    hidden = Tokens(tuple(ids), example.sequences[0].token_type_ids)
    return replace(example, sequences=(hidden,), target=target, places=tuple((i, i) for i in chosen))


def _shown(example: Example) -> Example:
    """Put hidden pieces back."""
    ids = list(example.sequences[0].input_ids)
    for (place, _), piece in zip(example.places, example.target, strict=True):
        ids[place] = piece
    return replace(example, sequences=(Tokens(tuple(ids), example.sequences[0].token_type_ids),))
