"""Forgetting: which checkpoints are asked what, with whose head, and how it is told."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForMaskedLM

from tests.stages.sample import a_sweep
from xtr.analysis.answers.forgetting import links_text, planned_links
from xtr.analysis.answers.leaderboard import Point
from xtr.analysis.records.links import LinkRow, read_links, write_links
from xtr.catalogue.lookup import find_task
from xtr.errors import InputError
from xtr.families.registry import family_of
from xtr.model.encoder import load_encoder, save_encoder
from xtr.spec.sweep import EvaluateSettings, Pair
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.stage import EvaluateStage

EVERYTHING = EvaluateSettings(batch_size=8, max_rows=8, forgetting=True, layer=1)


def winner(intermediate: str, target: str, wins: bool = True) -> Point:
    return Point(Pair(intermediate, target), {}, 1, wins)


def runner_of(root: Path, model: Path, settings: EvaluateSettings = EVERYTHING) -> Runner:
    return Runner(a_sweep(root, str(model), evaluate=settings))


def test_every_checkpoint_of_a_path_is_asked_the_same(encoder_folder: Path, tmp_path: Path) -> None:
    runner = runner_of(tmp_path, encoder_folder)
    links = planned_links(runner.spec, runner.source, [winner("mnli>squad_v1", "xnli")], "test")
    assert list(dict.fromkeys((each.link, each.after) for each in links)) == [
        (0, "pretrained"),
        (1, "mnli"),
        (2, "mnli>squad_v1"),
        (3, "mnli>squad_v1>mnli"),
    ]
    asked = {
        link: [
            (each.stage.task, each.stage.split, each.stage.language) for each in links if each.link == link
        ]
        for link in range(4)
    }
    assert asked[0] == asked[1] == asked[2] == asked[3]
    assert {(task, split) for task, split, _ in asked[0]} == {
        ("tatoeba", "test"),
        ("bucc2018", "test"),
        ("mlm", "dev"),
    }
    assert [language for task, _, language in asked[0] if task == "mlm"] == ["en", "xa", "xb", "xc", "xd"]
    path = Paths(runner.spec, runner.source).path(Pair("mnli>squad_v1", "xnli"), {}, 1)
    parents = list(dict.fromkeys(each.stage.parent.key for each in links))
    assert parents == [path.start.key, *(stage.key for stage in path.training)]


def test_nothing_is_asked_by_default_and_a_list_is_taken_at_its_word(
    encoder_folder: Path, tmp_path: Path
) -> None:
    chosen = [winner("mnli", "tatoeba"), winner("squad_v1", "tatoeba", wins=False)]
    silent = runner_of(tmp_path, encoder_folder, EvaluateSettings())
    assert planned_links(silent.spec, silent.source, chosen, "test") == []
    named = runner_of(tmp_path, encoder_folder, EvaluateSettings(forgetting=("mlm",)))
    links = planned_links(named.spec, named.source, chosen, "test")
    assert {(each.link, each.stage.task) for each in links} == {(0, "mlm"), (1, "mlm")}


def loss_by_hand(runner: Runner, stage: EvaluateStage, output: Path) -> float:
    """Put the output layer of one language model on the encoder of a checkpoint, as transformers ties them."""
    where = (
        runner.store.folder(stage.parent.key) / "encoder" if runner.store.open(stage.parent.key) else output
    )
    encoder = load_encoder(str(where))
    model = AutoModelForMaskedLM.from_pretrained(output)
    model.roberta.load_state_dict(encoder.model.state_dict(), strict=False)
    task = find_task("mlm")
    rows = runner.source.rows(task, stage.split, stage.language)
    total, n_hidden = 0.0, 0
    examples = family_of(task).encode(rows, task, encoder.tokenizer, 512)
    for example in examples:
        ids = torch.tensor([example.sequences[0].input_ids])
        with torch.inference_mode():
            logits = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        places = torch.tensor([place for place, _ in example.places])
        total += float(
            functional.cross_entropy(logits[places], torch.tensor(example.target), reduction="sum")
        )
        n_hidden += len(example.target)
    return total / n_hidden


def test_the_loss_is_read_by_the_pretrained_model_s_own_output_layer(
    encoder_folder: Path, tmp_path: Path
) -> None:
    settings = EvaluateSettings(batch_size=8, forgetting=("mlm",))
    runner = runner_of(tmp_path, encoder_folder, settings)
    links = planned_links(runner.spec, runner.source, [winner("mnli", "tatoeba")], "test")
    asked = [each.stage for each in links if each.stage.language in ("en", "xd")]
    outcomes = runner.evaluate(asked)
    losses = [-math.log(outcome.scores["likelihood"]) for outcome in outcomes]
    for stage, loss in zip(asked, losses, strict=True):
        assert loss == pytest.approx(loss_by_hand(runner, stage, encoder_folder), abs=1e-3)
    assert losses[:2] != losses[2:]


def test_an_encoder_that_is_no_language_model_any_more_is_told_apart(
    encoder_folder: Path, tmp_path: Path
) -> None:
    save_encoder(load_encoder(str(encoder_folder)), tmp_path / "stripped")
    runner = runner_of(tmp_path / "runs", tmp_path / "stripped", EvaluateSettings(forgetting=("mlm",)))
    links = planned_links(runner.spec, runner.source, [winner("none", "tatoeba")], "test")
    with pytest.raises(InputError, match="without its language model's head"):
        runner.evaluate([links[0].stage])


def row(link: int, after: str, language: str, value: float, seed: int = 1) -> LinkRow:
    return LinkRow(
        "mnli", "tydiqa", seed, link, after, "mlm", "dev", language, "likelihood", math.exp(-value), 20
    )


def test_losses_are_told_in_nats_over_seeds_and_end_in_the_change() -> None:
    rows = [
        row(0, "pretrained", "en", 2.0),
        row(0, "pretrained", "xa", 2.5),
        row(1, "mnli", "en", 2.5),
        row(1, "mnli", "en", 3.5, seed=2),
        row(2, "mnli>tydiqa", "en", 1.5),
        row(2, "mnli>tydiqa", "xa", 3.5),
        replace(row(2, "mnli>tydiqa", "xa", 0.1), metric="accuracy"),
    ]
    title, *table = links_text(rows).splitlines()
    assert title == "mnli > tydiqa, link by link: mlm, loss in nats a hidden piece, lower is better"
    assert [line.split() for line in table] == [
        ["after", "en", "xa"],
        ["pretrained", "2.00", "2.50"],
        ["mnli", "3.00", "-"],
        ["mnli>tydiqa", "1.50", "3.50"],
        ["change", "-0.50", "+1.00"],
    ]
    assert links_text([]) == ""
    assert links_text(rows[:2]) == "", "one checkpoint has no slope"


def test_rows_are_kept_by_split_and_held_out_text_belongs_to_all(tmp_path: Path) -> None:
    found = LinkRow("mnli", "tydiqa", 1, 0, "pretrained", "tatoeba", "test", "xa", "accuracy", 0.5, 8)
    write_links(tmp_path, [found, row(0, "pretrained", "en", 2.0)], "test")
    on_dev = [replace(found, split="dev"), row(0, "pretrained", "en", 2.0)]
    write_links(tmp_path, on_dev, "dev")
    assert read_links(tmp_path) == [found, *on_dev]
