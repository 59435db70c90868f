"""Examples that were kept are those that encoding gives, for any choice of rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from tests.families.perfect import TRAINED, demo_rows, unlabelled
from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.families.encoded import EncodedSplit, write_examples
from xtr.families.registry import family_of

CHOSEN = (3, 0, 7)


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("max_length", [11, 128])
def test_kept_examples_are_those_of_the_chosen_rows(
    name: str, max_length: int, demo: DemoSource, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    task, rows = find_task(name), demo_rows(demo, name)
    family = family_of(task)
    assert family.encodes_rows_apart
    write_examples(family.encode(rows, task, tokenizer, max_length), len(rows), tmp_path)
    split = EncodedSplit(tmp_path)
    assert split.of_rows(range(len(rows))) == family.encode(rows, task, tokenizer, max_length)
    assert split.of_rows(CHOSEN) == family.encode([rows[i] for i in CHOSEN], task, tokenizer, max_length)


def test_segments_and_absent_labels_are_kept(
    demo: DemoSource, bert_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    task = find_task("mnli")
    rows = [unlabelled(row) for row in demo_rows(demo, "mnli")]
    examples = family_of(task).encode(rows, task, bert_tokenizer, 32)
    assert examples[0].sequences[0].token_type_ids is not None
    write_examples(examples, len(rows), tmp_path)
    assert list(EncodedSplit(tmp_path).of_rows(range(len(rows)))) == examples


def test_examples_out_of_the_order_of_their_rows_are_refused(
    demo: DemoSource, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    task, rows = find_task("mnli"), demo_rows(demo, "mnli")
    examples = family_of(task).encode(rows, task, tokenizer, 32)
    with pytest.raises(ValueError, match="order of their rows"):
        write_examples(examples[::-1], len(rows), tmp_path)
