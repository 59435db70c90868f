"""This is where one continuation among several is chosen: CommonsenseQA, HellaSwag, COPA, XCOPA.

`<s> prompt </s></s> choice </s>` for every choice  ->  one score each  ->  softmax over the row's choices

What does not fit is cut from the front of the prompt, since what is asked stands at its end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from xtr.catalogue.task import Task
from xtr.data.rows import ChoiceRow
from xtr.families.family import Example, Family, HeadSettings, best_first, text_sequences
from xtr.metrics.accuracy import accuracy
from xtr.metrics.collapse import collapsed
from xtr.model.encoder import Encoder
from xtr.model.heads import SentenceHead


class Choice(Family[ChoiceRow, int]):
    """Multiple choice; a prediction is the index of a choice."""

    suffix = "jsonl"
    auto_class = "AutoModelForMultipleChoice"

    def encode(
        self,
        rows: Sequence[ChoiceRow],
        task: Task,
        tokenizer: PreTrainedTokenizerFast,
        max_length: int,
    ) -> list[Example]:
        """Make one example a row, with one sequence a choice."""
        choices = [choice for row in rows for choice in row.choices]
        prompts = _fitting([row.prompt for row in rows for _ in row.choices], choices, tokenizer, max_length)
        sequences = iter(text_sequences(tokenizer, prompts, choices, max_length))
        return [
            Example(i, tuple(next(sequences) for _ in row.choices), () if row.label is None else (row.label,))
            for i, row in enumerate(rows)
        ]

    def head(self, encoder: Encoder, task: Task, settings: HeadSettings) -> SentenceHead:
        """Make a head that gives each choice one score."""
        return SentenceHead(encoder.hidden_size, 1)

    def loss(self, outputs: Tensor, examples: Sequence[Example]) -> Tensor:
        """Sum the cross-entropy over rows; `outputs` is (all choices of all rows, 1)."""
        scores = torch.split(outputs.squeeze(-1), [len(example.sequences) for example in examples])
        padded = torch.nn.utils.rnn.pad_sequence(
            list(scores), batch_first=True, padding_value=torch.finfo(outputs.dtype).min
        )
        target = torch.tensor([example.target[0] for example in examples], device=outputs.device)
        return functional.cross_entropy(padded, target, reduction="sum")

    def decode(
        self,
        outputs: Sequence[Tensor],
        examples: Sequence[Example],
        rows: Sequence[ChoiceRow],
        task: Task,
    ) -> list[int]:
        """Take the choice with the highest score."""
        return [int(scores.squeeze(-1).argmax()) for scores in outputs]

    def rankings(self, outputs: Sequence[Tensor], task: Task) -> list[list[str]]:
        """Order the choices of each row, by number."""
        return [[str(i) for i in best_first(scores.squeeze(-1))] for scores in outputs]

    def score(
        self, rows: Sequence[ChoiceRow], predictions: Sequence[int], task: Task, language: str
    ) -> dict[str, float]:
        """Compute accuracy."""
        return {"accuracy": accuracy([row.label for row in rows], predictions)}

    def collapsed(self, rows: Sequence[ChoiceRow], predictions: Sequence[int]) -> bool:
        """Say whether one position is chosen in all rows: the first, where all choices score alike."""
        return collapsed((row.label for row in rows), predictions)

    def outcomes(
        self, rows: Sequence[ChoiceRow], predictions: Sequence[int], task: Task, language: str
    ) -> list[dict[str, float]]:
        """Give 1 to each right prediction, 0 to the others."""
        return [
            {"accuracy": float(row.label == choice)} for row, choice in zip(rows, predictions, strict=True)
        ]

    def prediction_file(self, rows: Sequence[ChoiceRow], predictions: Sequence[int]) -> str:
        """Write one JSON object a line, as XTREME-R reads XCOPA."""
        return "".join(json.dumps({"label": choice}) + "\n" for choice in predictions)

    def label_file(self, rows: Sequence[ChoiceRow]) -> str:
        """Write the gold as predictions are written."""
        return self.prediction_file(rows, [row.label or 0 for row in rows])

    def labelled(self, row: ChoiceRow) -> bool:
        """Say whether the right choice is known."""
        return row.label is not None


def _fitting(
    prompts: Sequence[str], choices: Sequence[str], tokenizer: PreTrainedTokenizerFast, max_length: int
) -> list[str]:
    """Cut prompts at their fronts so that each fits before its choice; a choice keeps half of the room at most."""
    room = max_length - tokenizer.num_special_tokens_to_add(pair=True)
    lengths = _lengths(prompts, tokenizer)
    rooms = [max(room - length, room // 2) for length in _lengths(choices, tokenizer)]
    return [
        prompt if length <= left else _end_of(prompt, left, tokenizer)
        for prompt, length, left in zip(prompts, lengths, rooms, strict=True)
    ]


def _lengths(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Count the tokens of texts, of equal texts once."""
    different = list(dict.fromkeys(texts))
    encoded = tokenizer(different, add_special_tokens=False)["input_ids"] if different else []
    known = {text: len(ids) for text, ids in zip(different, encoded, strict=True)}
    return [known[text] for text in texts]


def _end_of(prompt: str, n_tokens: int, tokenizer: PreTrainedTokenizerFast) -> str:
    """Keep the end of a prompt, at most so many tokens; where a cut word gives more, cut again."""
    while True:
        offsets = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        if len(offsets) <= n_tokens:
            return prompt
        prompt = prompt[max(offsets[len(offsets) - n_tokens][0], 1) :]
