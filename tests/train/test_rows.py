"""Training the rows that occur comes to the same as training the whole table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.train.learners import (
    RECIPE,
    make_learner,
    make_mixture,
    run,
    same_bits,
    select_scorer,
    weights,
)
from tests.train.test_workers import on_two_ranks
from xtr.catalogue.lookup import find_task
from xtr.data.demo.source import DemoSource
from xtr.errors import Drained
from xtr.model.heads import TaskModel
from xtr.model.rows import keep_rows, restore_rows
from xtr.model.world import World
from xtr.train.loop import Learner, Recipe, decay_of_run
from xtr.train.progress import MOMENTS, WEIGHTS, Progress
from xtr.train.rates import linear_schedule

THREE = replace(RECIPE, epochs=3)
EXACT = replace(THREE, weight_decay=0.0)
DECAYING = replace(THREE, weight_decay=0.1)


def pieces_of(learner: Learner, demo: DemoSource) -> set[int]:
    """What the lessons and the select rows hold, and the special pieces."""
    texts = []
    for lesson in learner.lessons:
        task = find_task(lesson.name)
        rows = demo.rows(task, "select", "en")
        texts += [*lesson.examples, *lesson.family.encode(rows, task, learner.tokenizer, 24)]
    read = {piece for each in texts for sequence in each.sequences for piece in sequence.input_ids}
    return read | set(learner.tokenizer.all_special_ids)


def table_of(learner: Learner) -> Tensor:
    weight = learner.model.encoder.get_input_embeddings().weight  # type: ignore[operator]
    assert isinstance(weight, Tensor)
    return weight.detach()


@contextmanager
def only_rows(learner: Learner, demo: DemoSource, recipe: Recipe) -> Iterator[None]:
    """Train the rows that occur, and put them back."""
    pieces = pieces_of(learner, demo)
    encoder = learner.model.encoder
    assert keep_rows(encoder, pieces)
    yield
    restore_rows(encoder, decay=decay_of_run(learner, recipe))


def trained(
    learner: Learner, demo: DemoSource, folder: Path, recipe: Recipe, *, rows: bool, name: str = "mnli"
) -> tuple[Progress, dict[str, Tensor]]:
    recipe, scorer = replace(recipe, task=name), select_scorer(learner, demo, name.split("+")[0])
    if not rows:
        progress = run(learner, scorer, folder, recipe=recipe)
    else:
        with only_rows(learner, demo, recipe):
            progress = run(learner, scorer, folder, recipe=recipe)
    return progress, weights(learner)


def learner_of(name: str, encoder_folder: Path, demo: DemoSource) -> Learner:
    if "+" in name:
        return make_mixture(encoder_folder, demo, tuple(name.split("+")), 9)
    return make_learner(encoder_folder, demo, name, dropout=0.1)


@pytest.mark.parametrize(
    "name", ["mnli", "csqa", "squad_v1", "udpos", "squad_qa_retrieval", "udpos+mnli", "squad_v1+csqa"]
)
def test_the_rows_that_occur_are_trained_to_the_same_bits(
    name: str, encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    runs = [
        trained(
            learner_of(name, encoder_folder, demo), demo, tmp_path / str(rows), EXACT, rows=rows, name=name
        )
        for rows in (False, True)
    ]
    (expected, whole), (progress, kept) = runs
    assert progress.epochs == expected.epochs
    assert len(progress.epochs) == 3
    assert same_bits(kept, whole)


def test_gradients_are_clipped_where_bits_are_compared(
    encoder_folder: Path, demo: DemoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for norm in (1.0, 1e9):
        monkeypatch.setattr("xtr.train.optimise.CLIP_NORM", norm)
        learner = learner_of("mnli", encoder_folder, demo)
        ends.append(trained(learner, demo, tmp_path / str(norm), EXACT, rows=True)[1])
    assert not same_bits(*ends)


def test_rows_that_occur_nowhere_decay_in_one_go(
    encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    ends = []
    for rows in (False, True):
        learner = learner_of("mnli", encoder_folder, demo)
        start, pieces = table_of(learner).clone(), pieces_of(learner, demo)
        ends.append(trained(learner, demo, tmp_path / str(rows), DECAYING, rows=rows)[1])
    whole, kept = ends
    [name] = [each for each in whole if whole[each].shape == start.shape]
    assert same_bits(
        {each: kept[each] for each in kept if each != name},
        {each: whole[each] for each in whole if each != name},
    )
    assert torch.equal(kept[name][sorted(pieces)], whole[name][sorted(pieces)])
    nowhere = [row for row in range(len(start)) if row not in pieces]
    assert len(nowhere) > 50
    rates = [linear_schedule(step, n_steps=12, warmup_fraction=0.1, peak=1e-3) for step in range(12)]
    expected = start[nowhere].double() * math.prod(1 - rate * DECAYING.weight_decay for rate in rates)
    assert (start[nowhere] - expected).abs().max() > 1e-5, "forgetting the decay would show"
    assert torch.allclose(kept[name][nowhere].double(), expected, rtol=0, atol=1e-7)
    # The whole table's twelve steps round twelve times.
    assert torch.allclose(whole[name][nowhere].double(), expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize("step", [1, 4, 9])
def test_a_run_on_some_rows_goes_on_to_the_same_bits(
    step: int, encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    whole = learner_of("mnli", encoder_folder, demo)
    expected = trained(whole, demo, tmp_path / "whole", EXACT, rows=False)
    stopped, answers = learner_of("mnli", encoder_folder, demo), iter([False] * (step - 1) + [True])
    with only_rows(stopped, demo, EXACT), pytest.raises(Drained):
        run(stopped, select_scorer(stopped, demo), tmp_path, recipe=EXACT, stop=lambda: next(answers))
    again = learner_of("mnli", encoder_folder, demo)
    progress, end = trained(again, demo, tmp_path, EXACT, rows=True)
    assert progress.epochs == expected[0].epochs
    assert same_bits(end, expected[1])


def bytes_of(folder: Path) -> int:
    [state] = folder.glob("step-*")
    return sum((state / name).stat().st_size for name in (WEIGHTS, MOMENTS))


def test_a_state_shrinks_with_the_table(encoder_folder: Path, demo: DemoSource, tmp_path: Path) -> None:
    learner = learner_of("mnli", encoder_folder, demo)
    pieces = pieces_of(learner, demo)
    n_pieces, width = table_of(learner).shape
    run(learner, select_scorer(learner, demo), tmp_path / "whole", after_epoch=1)
    learner = learner_of("mnli", encoder_folder, demo)
    with only_rows(learner, demo, RECIPE):
        run(learner, select_scorer(learner, demo), tmp_path / "rows", after_epoch=1)
    saved = bytes_of(tmp_path / "whole") - bytes_of(tmp_path / "rows")
    assert saved == pytest.approx(
        3 * 4 * (n_pieces - len(pieces)) * width - 8 * len(pieces), abs=300
    )  # headers


def never_scored(_: TaskModel) -> dict[str, float]:
    return {}


@pytest.mark.parametrize("other", ["whole", "as many rows"])
def test_a_state_of_other_rows_is_not_gone_on_from(
    other: str, encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    expected = learner_of("mnli", encoder_folder, demo)
    with only_rows(expected, demo, EXACT):
        run(expected, never_scored, tmp_path / "expected", recipe=EXACT)

    stranger = learner_of("mnli", encoder_folder, demo)
    if other == "as many rows":
        pieces = pieces_of(stranger, demo)
        absent = max(set(range(len(table_of(stranger)))) - pieces)
        unread = max(
            pieces - {p for each in stranger.lessons[0].examples for p in each.sequences[0].input_ids}
        )
        assert keep_rows(stranger.model.encoder, pieces - {unread} | {absent})
    run(stranger, never_scored, tmp_path / "run", recipe=EXACT, after_epoch=1)

    learner = learner_of("mnli", encoder_folder, demo)
    with only_rows(learner, demo, EXACT):
        progress = run(learner, never_scored, tmp_path / "run", recipe=EXACT)
    assert progress.step == 12
    assert same_bits(weights(learner), weights(expected))


def test_a_state_of_some_rows_is_not_gone_on_from_with_the_whole_table(
    encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    some = learner_of("mnli", encoder_folder, demo)
    with only_rows(some, demo, DECAYING):
        run(some, never_scored, tmp_path / "run", recipe=DECAYING, after_epoch=1)
    ends = []
    for folder in ("run", "alone"):
        learner = learner_of("mnli", encoder_folder, demo)
        run(learner, never_scored, tmp_path / folder, recipe=DECAYING)
        ends.append(weights(learner))
    assert same_bits(*ends)


def on_a_rank(world: World, encoder_folder: Path, demo: DemoSource, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=world.rank, world_size=world.size
    )
    for rows in (False, True):
        learner = make_learner(encoder_folder, demo, n_rows=9, dropout=0.1)
        scorer = select_scorer(learner, demo)
        if rows:
            with only_rows(learner, demo, EXACT):
                run(learner, scorer, folder / "rows", recipe=EXACT, world=world)
        else:
            run(learner, scorer, folder / "whole", recipe=EXACT, world=world)
        save_file(weights(learner), folder / f"{rows}{world.rank}.safetensors")
        torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_train_the_same_rows_to_the_same_bits(
    encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    on_two_ranks(on_a_rank, lambda world: (world, encoder_folder, demo, tmp_path))
    whole, *others = (
        load_file(tmp_path / f"{name}.safetensors") for name in ("False0", "False1", "True0", "True1")
    )
    assert all(same_bits(each, whole) for each in others)
