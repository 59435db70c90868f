"""Sharded training: ranks that hold a part of the model each come to what ranks come to that hold all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor

from tests.train.learners import make_learner, make_mixture, make_xl, one_step, run, select_scorer, weights
from tests.train.test_rows import pieces_of
from tests.train.test_workers import N_ROWS, SMALL, on_two_ranks
from xtr.data.demo.source import DemoSource
from xtr.errors import Drained
from xtr.evaluate.predict import run_examples
from xtr.model.encoder import blocks_of
from xtr.model.heads import TaskModel
from xtr.model.lora import put_on, take_in
from xtr.model.rows import keep_rows, restore_rows
from xtr.model.world import World
from xtr.spec.settings import LoraSettings
from xtr.spec.sweep import Sharding
from xtr.train.loop import Learner, Recipe, decay_of_run
from xtr.train.optimise import gradient_norm
from xtr.train.sharding import choose, cut
from xtr.train.step import MICRO_BATCH_TOKENS, prepare, step_loss

TASKS = {
    "rows": "udpos",
    "ranking": "squad_qa_retrieval",
    "whole table": "mlm+mnli",
    "adapters of an XL": "mnli",
}


@contextmanager
def prepared(
    what: str, recipe: Recipe, encoder_folder: Path, demo: DemoSource, world: World
) -> Iterator[Learner]:
    """Make a learner as a stage does and, where the weights are in the end, a plain encoder of it again."""
    folder = encoder_folder if what != "adapters of an XL" else make_xl(encoder_folder)
    learner = make_mixture(folder, demo, tuple(TASKS[what].split("+")), N_ROWS)
    encoder = learner.model.encoder
    if what == "adapters of an XL":
        adapted = put_on(encoder, LoraSettings(rank=2, alpha=4, modules=("query", "value")), seed=1)
        yield learner
        if world.leads:
            take_in(adapted)
    elif what == "whole table":
        yield learner
    else:
        assert keep_rows(encoder, pieces_of(learner, demo))
        yield learner
        if world.leads:
            restore_rows(encoder, decay=decay_of_run(learner, recipe))


def train_once(
    what: str,
    world: World,
    encoder_folder: Path,
    demo: DemoSource,
    states: Path,
    *,
    stop_after: int | None = None,
) -> tuple[Learner, list[list[object]]]:
    """Train, and check on the way that what is scored is what was asked for."""
    recipe, n_scored, n_steps = replace(SMALL, task=TASKS[what]), [0], [0]

    def stop() -> bool:
        n_steps[0] += 1
        return n_steps[0] == stop_after

    def score(model: TaskModel) -> dict[str, float]:
        n_scored[0] += 1
        in_parts = [isinstance(each, DTensor) for each in model.parameters()]
        assert in_parts == [world.sharded] * len(in_parts)
        return scorer(model)

    with prepared(what, recipe, encoder_folder, demo, world) as learner:
        scorer = select_scorer(learner, demo, TASKS[what].split("+")[0])
        if stop_after is not None:
            with pytest.raises(Drained, match=f"after step {stop_after}"):
                run(learner, score, states, recipe=recipe, world=world, stop=stop)
            return learner, []
        progress = run(learner, score, states, recipe=recipe, world=world)
    assert bool(n_scored[0]) == (world.leads or world.sharded)
    return learner, [[epoch.loss, epoch.scores] for epoch in progress.epochs]


def keep(name: str, learner: Learner, epochs: list[list[object]], folder: Path) -> None:
    save_file(weights(learner), folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(epochs))


def work(world: World, encoder_folder: Path, demo: DemoSource, folder: Path) -> None:
    """What each rank does: everything with a whole model, then with a part of it, then with both in turn."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=world.rank, world_size=world.size
    )
    MICRO_BATCH_TOKENS["cpu"] = 30  # so that the ranks of a step need different numbers of passes
    whole, parts = replace(world, sharded=False), replace(world, sharded=True)
    runs: list[tuple[str, str, World | None, World]] = [
        (f"{what}, {name}", what, None, ranks)
        for what in TASKS
        for name, ranks in (("whole", whole), ("parts", parts))
    ]
    runs += [
        ("whole table, then parts", "whole table", whole, parts),
        ("whole table, then whole", "whole table", parts, whole),
    ]
    for name, what, first, ranks in runs:
        states = folder / f"states {name}"
        if first is not None:
            train_once(what, first, encoder_folder, demo, states, stop_after=4)
            torch.distributed.barrier()
        learner, epochs = train_once(what, ranks, encoder_folder, demo, states)
        if world.leads:
            keep(name, learner, epochs, folder)
        torch.distributed.barrier()
    assert_norms_are_equal(parts, encoder_folder, demo)
    assert_no_block_is_kept(parts, encoder_folder, demo)
    assert_scoring_may_come_first(parts, encoder_folder, demo)
    torch.distributed.destroy_process_group()


def assert_norms_are_equal(ranks: World, encoder_folder: Path, demo: DemoSource) -> None:
    """Adam hides what a wrong norm would do to gradients that are clipped."""
    alone, shared = (make_learner(encoder_folder, demo, "udpos") for _ in range(2))
    batch = alone.lessons[0].examples
    one_step(alone, batch)
    model = cut(shared.model, ranks)
    step_loss(model, prepare(model, shared.tokenizer, shared.lessons[0], batch, ranks), ranks)
    assert float(gradient_norm(model)) == pytest.approx(float(gradient_norm(alone.model)), rel=1e-5)


def assert_no_block_is_kept(ranks: World, encoder_folder: Path, demo: DemoSource) -> None:
    """In bfloat16, too, a block's weights are given up between the forward and the backward pass."""
    learner = make_learner(encoder_folder, demo, "udpos")
    learner.model.precision = "bf16"
    of_blocks = {
        each.shape
        for block in blocks_of(learner.model.encoder)
        for each in block.parameters()
        if each.dim() > 1
    }
    model, saved = cut(learner.model, ranks), list[torch.Tensor]()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() == 2 and {tensor.shape, tensor.T.shape} & of_blocks:
            saved.append(tensor)
        return tensor

    step = prepare(model, learner.tokenizer, learner.lessons[0], learner.lessons[0].examples[:8], ranks)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(step.passes[0].inputs, 0).sum()
    assert saved and all(each.untyped_storage().size() == 0 for each in saved), "what was gathered is freed"
    loss.backward()
    assert all(each.grad is None or each.grad.dtype == torch.float32 for each in model.parameters())


def assert_scoring_may_come_first(ranks: World, encoder_folder: Path, demo: DemoSource) -> None:
    """A run that goes on at the end of an epoch is scored before it makes a step."""
    learner = make_learner(encoder_folder, demo, "udpos")
    lesson, model = learner.lessons[0], cut(learner.model, ranks)
    run_examples(model, lesson.family, learner.tokenizer, lesson.examples[:4], batch_size=4)
    model.train()
    step_loss(model, prepare(model, learner.tokenizer, lesson, lesson.examples[:8], ranks), ranks)


@pytest.fixture(scope="module")
def ran(encoder_folder: Path, demo: DemoSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sharded")
    make_xl(encoder_folder)
    on_two_ranks(work, lambda world: (world, encoder_folder, demo, folder))
    return folder


def assert_same(folder: Path, name: str, other: str) -> None:
    ours, theirs = (load_file(folder / f"{each}.safetensors") for each in (name, other))
    assert ours.keys() == theirs.keys()
    for weight, expected in theirs.items():
        if not weight.endswith("key.bias"):  # its gradient is nought: Adam makes its rounding noise a step
            torch.testing.assert_close(ours[weight], expected, rtol=0, atol=1e-5)
    epochs, expected_epochs = (json.loads((folder / f"{each}.json").read_text()) for each in (name, other))
    for (loss, scores), (expected_loss, expected_scores) in zip(epochs, expected_epochs, strict=True):
        assert loss == pytest.approx(expected_loss, abs=1e-5)
        assert scores == pytest.approx(expected_scores, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("what", TASKS)
def test_ranks_with_a_part_of_the_model_train_what_ranks_with_all_of_it_train(what: str, ran: Path) -> None:
    assert_same(ran, f"{what}, parts", f"{what}, whole")


@pytest.mark.slow
@pytest.mark.parametrize("then", ["parts", "whole"])
def test_a_state_is_gone_on_from_whether_the_model_was_sharded_or_not(then: str, ran: Path) -> None:
    assert_same(ran, f"whole table, then {then}", "whole table, whole")


@pytest.mark.slow
def test_two_ranks_with_a_part_each_train_what_one_process_trains(
    ran: Path, encoder_folder: Path, demo: DemoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MICRO_BATCH_TOKENS, "cpu", 30)
    learner, epochs = train_once("rows", World(), encoder_folder, demo, tmp_path)
    keep("alone", learner, epochs, ran)
    assert_same(ran, "rows, parts", "alone")


GIB = 2**30


@pytest.mark.parametrize(
    ("asked", "n_ranks", "memory", "used"),
    [
        ("auto", 2, 80 * GIB, False),
        ("auto", 2, 24 * GIB, True),
        ("auto", 2, None, False),
        ("auto", 1, 24 * GIB, False),
        ("never", 2, 24 * GIB, False),
        ("always", 2, None, True),
        ("always", 1, None, False),
    ],
)
def test_a_model_is_sharded_where_it_does_not_fit_or_it_is_asked_for(
    asked: Sharding, n_ranks: int, memory: int | None, used: bool
) -> None:
    chosen, reason = choose(asked, n_ranks, 52 * GIB, memory)
    assert chosen == used
    assert asked != "auto" or n_ranks == 1 or ("52.0 GiB" if memory else "GPU") in reason
