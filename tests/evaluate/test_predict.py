"""Prediction: in row order whatever the batch size, and alone in its batches."""

from __future__ import annotations

import pytest
import torch

from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.evaluate.predict import predict, run_examples
from xtr.families.family import HeadSettings
from xtr.families.registry import family_of
from xtr.model.encoder import Encoder
from xtr.model.heads import TaskModel

TARGETS = ("xnli", "xcopa", "udpos", "panx", "xquad", "tatoeba")


def a_model(encoder: Encoder, name: str) -> TaskModel:
    torch.manual_seed(0)
    task = find_task(name)
    return TaskModel(encoder.model, family_of(task).head(encoder, task, HeadSettings()))


@pytest.mark.parametrize("name", TARGETS)
def test_outputs_come_in_the_order_of_the_examples_whatever_the_batch_size(
    name: str, demo: DemoSource, encoder: Encoder
) -> None:
    task, model = find_task(name), a_model(encoder, name)
    rows = demo.rows(task, "test", "xa")
    family = family_of(task)
    examples = family.encode(rows, task, encoder.tokenizer, 24)
    one_by_one = run_examples(model, family, encoder.tokenizer, examples, batch_size=1)
    for batch_size in (5, len(examples)):
        batched = run_examples(model, family, encoder.tokenizer, examples, batch_size=batch_size)
        assert len(batched) == len(examples)
        for one, other in zip(one_by_one, batched, strict=True):
            assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", TARGETS)
def test_every_row_gets_a_prediction_and_the_same_one_again(
    name: str, demo: DemoSource, encoder: Encoder
) -> None:
    task, model = find_task(name), a_model(encoder, name)
    rows = demo.rows(task, "test", "xa")
    model.train()
    first = predict(model, encoder.tokenizer, task, rows, max_length=24, batch_size=4)
    assert len(first) == len(rows)
    predict(model, encoder.tokenizer, task, demo.rows(task, "test", "xc"), max_length=24, batch_size=4)
    assert predict(model, encoder.tokenizer, task, rows, max_length=24, batch_size=4) == first


def test_a_batch_holds_nothing_but_the_rows_that_were_asked(demo: DemoSource, encoder: Encoder) -> None:
    task, model = find_task("xnli"), a_model(encoder, "xnli")
    seen: list[int] = []
    model.register_forward_pre_hook(lambda _module, arguments: seen.append(len(arguments[0]["input_ids"])))
    for language in ("xa", "xb"):
        rows = demo.rows(task, "test", language)[:10]
        predict(model, encoder.tokenizer, task, rows, max_length=24, batch_size=8)
    assert seen == [8, 2, 8, 2]
