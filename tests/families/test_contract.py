"""The contract of a family, kept by all on the demo world's rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from tests.families.perfect import (
    SEARCHING,
    TASKS,
    TRAINED,
    as_batch,
    demo_rows,
    gold,
    right_outputs,
    unlabelled,
)
from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.data.readers import READERS
from xtr.evaluate.predict import predict
from xtr.families.family import HeadSettings, collate, split_outputs
from xtr.families.registry import FAMILIES, family_of
from xtr.model.encoder import Encoder
from xtr.model.heads import TaskModel

CPU = torch.device("cpu")
LENGTHS = (8, 11, 16, 128)
every_task = pytest.mark.parametrize("name", TASKS)
every_family = pytest.mark.parametrize("name", (*TASKS, *SEARCHING))
every_trained_task = pytest.mark.parametrize("name", TRAINED)
every_length = pytest.mark.parametrize("max_length", LENGTHS)


def test_the_suite_knows_every_family() -> None:
    assert {find_task(name).family for name in (*TASKS, *SEARCHING, "mlm")} == set(FAMILIES)


@every_family
@every_length
def test_encoding_keeps_the_length_and_every_row(
    name: str, max_length: int, demo: DemoSource, tokenizer: PreTrainedTokenizerFast
) -> None:
    task, rows = find_task(name), demo_rows(demo, name)
    examples = family_of(task).encode(rows, task, tokenizer, max_length)
    assert {example.row for example in examples} == set(range(len(rows)))
    assert max(example.length for example in examples) <= max_length
    for example in examples:
        for sequence in example.sequences:
            assert sequence.input_ids[0] == tokenizer.cls_token_id
            assert sequence.input_ids[-1] == tokenizer.sep_token_id


@every_family
def test_rows_without_labels_give_the_same_sequences_and_no_targets(
    name: str, demo: DemoSource, tokenizer: PreTrainedTokenizerFast
) -> None:
    task, rows = find_task(name), demo_rows(demo, name)
    family = family_of(task)
    hidden = [unlabelled(row) for row in rows]
    examples = family.encode(rows, task, tokenizer, 16)
    blind = family.encode(hidden, task, tokenizer, 16)
    assert [each.sequences for each in blind] == [each.sequences for each in examples]
    assert [each.places for each in blind] == [each.places for each in examples]
    assert not any(each.target for each in blind)
    assert all(family.labelled(row) for row in rows)
    assert not any(family.labelled(row) for row in hidden)


@every_task
@every_length
def test_a_model_that_is_always_right_predicts_the_gold_and_scores_one(
    name: str, max_length: int, demo: DemoSource, tokenizer: PreTrainedTokenizerFast
) -> None:
    task, rows = find_task(name), demo_rows(demo, name)
    family = family_of(task)
    examples = family.encode(rows, task, tokenizer, max_length)
    predictions = family.decode(right_outputs(name, rows, examples), examples, rows, task)
    if task.family != "span" or max_length >= 16:  # an answer can be longer than the smallest windows
        assert predictions == [gold(row) for row in rows]
        scores = family.score(rows, predictions, task, "en")
        assert scores == dict.fromkeys(task.metrics, 1.0)
    assert len(predictions) == len(rows)


@every_family
def test_predictions_come_back_from_json_as_they_were(name: str, demo: DemoSource, encoder: Encoder) -> None:
    task, rows = find_task(name), demo_rows(demo, name)
    family = family_of(task)
    model = TaskModel(encoder.model, family.head(encoder, task, HeadSettings()))
    predictions = predict(model, encoder.tokenizer, task, rows, max_length=32, batch_size=8)
    written = [json.dumps(each) for each in predictions]
    assert [family.prediction(json.loads(each)) for each in written] == predictions


@every_trained_task
def test_the_loss_falls_as_the_right_answers_rise(
    name: str, demo: DemoSource, tokenizer: PreTrainedTokenizerFast
) -> None:
    task, rows = find_task(name), demo_rows(demo, name)
    family = family_of(task)
    examples = family.encode(rows, task, tokenizer, 32)
    right = right_outputs(name, rows, examples)
    losses = [
        float(family.loss(as_batch(name, [rise * output for output in right]), examples))
        for rise in (0, 1, 5, 40)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[1] > losses[2]
    assert losses[3] == pytest.approx(0, abs=1e-4)


@every_trained_task
def test_the_loss_of_a_batch_is_the_sum_over_its_examples_and_padding_gets_no_gradient(
    name: str, demo: DemoSource, tokenizer: PreTrainedTokenizerFast
) -> None:
    task, rows = find_task(name), demo_rows(demo, name)
    family = family_of(task)
    examples = family.encode(rows, task, tokenizer, 16)
    random = torch.Generator().manual_seed(0)
    outputs = [torch.randn(output.shape, generator=random) for output in right_outputs(name, rows, examples)]
    batch = as_batch(name, outputs).requires_grad_()
    whole = family.loss(batch, examples)
    torch.autograd.backward(whole)
    alone = [
        float(family.loss(as_batch(name, [output]), [each]))
        for output, each in zip(outputs, examples, strict=True)
    ]
    assert whole.item() == pytest.approx(sum(alone), rel=1e-5)
    assert batch.grad is not None
    if batch.dim() == 3:
        for gradient, example in zip(batch.grad, examples, strict=True):
            assert not gradient[example.length :].any()


def test_an_undecided_model_loses_the_logarithm_of_the_number_of_answers(
    demo: DemoSource, tokenizer: PreTrainedTokenizerFast
) -> None:
    for name, n_answers in (("mnli", 3), ("csqa", 5), ("copa", 2), ("udpos", 17), ("panx", 7)):
        task, rows = find_task(name), demo_rows(demo, name)
        family = family_of(task)
        examples = family.encode(rows, task, tokenizer, 32)
        zeros = as_batch(name, [0 * output for output in right_outputs(name, rows, examples)])
        n_items = sum(family.n_items(example) for example in examples)
        assert float(family.loss(zeros, examples)) / n_items == pytest.approx(math.log(n_answers), rel=1e-5)


@every_family
def test_padding_does_not_change_what_the_model_says(name: str, demo: DemoSource, encoder: Encoder) -> None:
    task, rows = find_task(name), demo_rows(demo, name)
    family = family_of(task)
    torch.manual_seed(0)
    model = TaskModel(encoder.model, family.head(encoder, task, HeadSettings())).eval()
    examples = family.encode(rows, task, encoder.tokenizer, 128)
    assert len({example.length for example in examples}) > 1
    with torch.inference_mode():
        together = split_outputs(model(collate(examples, encoder.tokenizer, CPU)), examples)
        for example, output in zip(examples, together, strict=True):
            alone = split_outputs(model(collate([example], encoder.tokenizer, CPU)), [example])[0]
            assert output.shape == alone.shape
            assert torch.allclose(output, alone, atol=1e-5)


def read_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def read_tags(text: str) -> list[tuple[str, ...]]:
    """As `read_tag` of XTREME's evaluate.py: a sentence ends at its blank line, the last one too."""
    sentences: list[tuple[str, ...]] = []
    words: list[str] = []
    for line in read_lines(text):
        if line:
            words.append(line)
        else:
            sentences.append(tuple(words))
            words = []
    return sentences


READ_OFFICIALLY: dict[str, tuple[str, Callable[[str], object]]] = {
    "mnli": ("tsv", read_lines),
    "copa": ("jsonl", lambda text: [json.loads(line)["label"] for line in text.splitlines()]),
    "udpos": ("tsv", read_tags),
    "panx": ("tsv", read_tags),
    "squad_v1": ("json", json.loads),
    "tatoeba": ("tsv", lambda text: [int(line) for line in read_lines(text)]),
}


@pytest.mark.parametrize("name", READ_OFFICIALLY)
def test_the_official_scorer_reads_back_what_was_predicted(name: str, demo: DemoSource) -> None:
    suffix, read = READ_OFFICIALLY[name]
    task, rows = find_task(name), demo_rows(demo, name)
    family = family_of(task)
    predictions = [gold(row) for row in rows]
    expected: object = predictions
    if task.family == "span":
        expected = {row.id: answer.text for row, answer in zip(rows, predictions, strict=True)}
    assert family.suffix == suffix
    assert read(family.prediction_file(rows, predictions)) == expected


@pytest.mark.parametrize("name", [name for name in READ_OFFICIALLY if name != "squad_v1"])
def test_labels_are_written_as_perfect_predictions_are(name: str, demo: DemoSource) -> None:
    rows, family = demo_rows(demo, name), family_of(find_task(name))
    assert family.label_file(rows) == family.prediction_file(rows, [gold(row) for row in rows])


def test_the_labels_of_questions_are_squads_json_and_read_back_as_the_same_rows(
    demo: DemoSource, tmp_path: Path
) -> None:
    rows, family = demo_rows(demo, "squad_v1"), family_of(find_task("squad_v1"))
    (tmp_path / "labels.json").write_text(family.label_file(rows), encoding="utf-8")
    assert READERS["squad_json"]([tmp_path / "labels.json"], find_task("squad_v1"), "en") == rows


@every_task
def test_outcomes_of_rows_add_up_to_the_score(name: str, demo: DemoSource) -> None:
    task, rows = find_task(name), demo_rows(demo, name)
    family = family_of(task)
    predictions = [gold(row) for row in rows]
    predictions[: len(rows) // 2] = reversed(predictions[: len(rows) // 2])
    if task.family == "tagging":  # tags must keep to their own sentence
        predictions = [tuple(reversed(tags)) if i % 2 else tags for i, tags in enumerate(map(gold, rows))]
    outcomes = family.outcomes(rows, predictions, task, "en")
    totals = {key: sum(each[key] for each in outcomes) for key in outcomes[0]}
    scores = family.score(rows, predictions, task, "en")
    assert 0 < scores[task.metric] < 1
    if task.family == "tagging":
        assert scores["f1"] == pytest.approx(
            2 * totals["chunks_right"] / (totals["chunks_found"] + totals["chunks_gold"])
        )
        assert scores.get("accuracy", totals["words_right"] / totals["words"]) == pytest.approx(
            totals["words_right"] / totals["words"]
        )
    else:
        assert scores == {key: pytest.approx(total / len(rows)) for key, total in totals.items()}


@every_family
def test_capping_to_all_rows_changes_nothing(name: str, demo: DemoSource) -> None:
    rows = demo_rows(demo, name)
    assert family_of(find_task(name)).cap(rows, range(len(rows))) == list(rows)


@pytest.mark.parametrize(
    ("name", "one"), [("mnli", "neutral"), ("csqa", 0), ("udpos", "NOUN"), ("panx", "O")]
)
def test_families_with_a_closed_set_of_classes_see_that_one_is_predicted_throughout(
    name: str, one: str | int, demo: DemoSource
) -> None:
    rows = demo_rows(demo, name)
    family, right = family_of(find_task(name)), [gold(row) for row in rows]
    alike = [(one,) * len(each) if isinstance(each, tuple) else one for each in right]
    assert family.collapsed(rows, alike)
    assert not family.collapsed(rows, right)


@pytest.mark.parametrize("name", ["squad_v1", "tatoeba"])
def test_families_without_one_never_collapse(name: str, demo: DemoSource) -> None:
    rows = demo_rows(demo, name)
    assert not family_of(find_task(name)).collapsed(rows, [gold(rows[0])] * len(rows))
