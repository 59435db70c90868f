"""What a choice keeps of a prompt that is too long."""

from __future__ import annotations

from transformers import PreTrainedTokenizerFast

from xtr.catalogue.lookup import find_task
from xtr.data.rows import ChoiceRow
from xtr.families.choice import Choice

COSMOS = find_task("cosmosqa")


def texts(tokenizer: PreTrainedTokenizerFast, row: ChoiceRow, max_length: int) -> list[str]:
    (example,) = Choice().encode([row], COSMOS, tokenizer, max_length)
    assert example.length <= max_length
    return [tokenizer.decode(sequence.input_ids, skip_special_tokens=True) for sequence in example.sequences]


def test_a_long_prompt_loses_its_beginning_and_keeps_its_question(tokenizer: PreTrainedTokenizerFast) -> None:
    story = " ".join(f"a{n}" for n in range(60))
    whole = tokenizer("b1 b2", add_special_tokens=False)["input_ids"]
    row = ChoiceRow("0", f"{story} b1 b2", ("b3", "b4"), 0)
    (example,) = Choice().encode([row], COSMOS, tokenizer, 24)
    assert example.length <= 24
    for sequence in example.sequences:
        ids = list(sequence.input_ids)
        assert any(ids[i : i + len(whole)] == whole for i in range(len(ids)))
        first = tokenizer("a0", add_special_tokens=False)["input_ids"]
        assert ids[1 : 1 + len(first)] != first


def test_a_long_choice_leaves_the_prompt_half_of_the_room(tokenizer: PreTrainedTokenizerFast) -> None:
    row = ChoiceRow("0", "c d " * 40, ("e f " * 40, "g"), 0)
    long, short = texts(tokenizer, row, 24)
    assert long
    assert short


def test_a_prompt_that_fits_stays_whole(tokenizer: PreTrainedTokenizerFast) -> None:
    row = ChoiceRow("0", "a b", ("c", "d"), 0)
    (example,) = Choice().encode([row], COSMOS, tokenizer, 128)
    assert [list(s.input_ids) for s in example.sequences] == tokenizer(["a b"] * 2, ["c", "d"])["input_ids"]
