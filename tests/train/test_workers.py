"""Data-parallel training: two workers come to what one comes to, but for the order of summation."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.train.learners import RECIPE, make_learner, make_mixture, run, same_bits, select_scorer, weights
from xtr.data.demo.source import DemoSource
from xtr.errors import Drained
from xtr.model.world import World
from xtr.spec.sweep import ComputeSpec, PerWorker
from xtr.train.distributed import needs_workers
from xtr.train.loop import Recipe
from xtr.train.step import MICRO_BATCH_TOKENS

# 9 sentences in steps of 4: the last step has one sentence for two workers.
N_ROWS = 9
SMALL = replace(RECIPE, learning_rate=1e-4)
WSD = replace(
    SMALL, course="wsd", warmup_steps=2, decay_fraction=0.5
)  # 6 steps, an epoch and the trunk have 3


def work(
    task: str, recipe: Recipe, world: World, encoder_folder: Path, demo: DemoSource, folder: Path
) -> None:
    """What each worker runs."""
    torch.set_num_threads(1)
    rank, size = world.rank, world.size
    if size > 1:
        rendezvous = f"file://{folder}/rendezvous"
        torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=size)
    MICRO_BATCH_TOKENS["cpu"] = 30  # so that the ranks of a step need different numbers of forward passes
    names = tuple(task.split("+"))
    learner = make_mixture(encoder_folder, demo, names, N_ROWS)
    scorer = select_scorer(learner, demo, names[0])
    recipe = replace(recipe, task=task)
    if recipe.course == "wsd":  # the trunk first; each worker goes on from its state
        run(learner, scorer, folder / "run", recipe=recipe, world=world, after_step=3)
        if size > 1:  # the leading one has kept the state
            torch.distributed.barrier()
    progress = run(learner, scorer, folder / "run", recipe=recipe, world=world)
    save_file(weights(learner), folder / f"rank{rank}.safetensors")
    epochs = [[epoch.loss, epoch.scores] for epoch in progress.epochs]
    (folder / f"rank{rank}.json").write_text(json.dumps(epochs))
    if size > 1:
        torch.distributed.destroy_process_group()


def on_two_ranks(target: Callable[..., None], arguments: Callable[[World], tuple[object, ...]]) -> None:
    """Run a function in a process for each of two ranks, and wait for both to succeed."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=target, args=arguments(World(rank, 2)), daemon=True) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0


@pytest.mark.parametrize(
    ("task", "recipe"),
    [("udpos", SMALL), ("squad_qa_retrieval", SMALL), ("udpos+mnli", SMALL), ("udpos", WSD)],
    ids=["udpos", "squad_qa_retrieval", "udpos+mnli", "wsd"],
)
def test_two_workers_train_what_one_trains(
    task: str,
    recipe: Recipe,
    encoder_folder: Path,
    demo: DemoSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MICRO_BATCH_TOKENS, "cpu", MICRO_BATCH_TOKENS["cpu"])  # put back after the test
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    work(task, recipe, World(), encoder_folder, demo, one)
    on_two_ranks(work, lambda world: (task, recipe, world, encoder_folder, demo, two))

    alone, leader, follower = (
        load_file(path)
        for path in (one / "rank0.safetensors", two / "rank0.safetensors", two / "rank1.safetensors")
    )
    for name in alone:
        assert torch.equal(leader[name], follower[name]), name
        if not name.endswith("key.bias"):  # its gradient is nought: Adam makes its rounding noise a step
            # Half a step: where a gradient is nearly nought, Adam makes steps of the order of summation.
            assert torch.allclose(leader[name], alone[name], rtol=0, atol=SMALL.learning_rate / 2), name
    expected, led, followed = (
        json.loads(path.read_text()) for path in (one / "rank0.json", two / "rank0.json", two / "rank1.json")
    )
    for (loss, scores), (led_loss, led_scores), (followed_loss, followed_scores) in zip(
        expected, led, followed, strict=True
    ):
        assert led_loss == pytest.approx(loss, abs=1e-4)
        assert followed_loss == pytest.approx(loss, abs=1e-4)
        assert led_scores == pytest.approx(scores, abs=1e-4)
        assert followed_scores == {}, "only the leading worker scores"


def stopped_work(world: World, encoder_folder: Path, demo: DemoSource, folder: Path) -> None:
    """Stop after two steps at the leading rank's word alone, then go on to the end."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=world.rank, world_size=world.size
    )
    answers = iter([False, True])

    def stop() -> bool:
        assert world.leads, "only the leading rank is asked"
        return next(answers)

    learner = make_learner(encoder_folder, demo)
    with pytest.raises(Drained, match="after step 2"):
        run(learner, select_scorer(learner, demo), folder / "run", world=world, stop=stop)
    torch.distributed.barrier()
    learner = make_learner(encoder_folder, demo)
    progress = run(learner, select_scorer(learner, demo), folder / "run", world=world)
    assert len(progress.epochs) == RECIPE.epochs
    save_file(weights(learner), folder / f"rank{world.rank}.safetensors")
    torch.distributed.barrier()
    learner = make_learner(encoder_folder, demo)
    run(learner, select_scorer(learner, demo), folder / "whole", world=world)
    save_file(weights(learner), folder / f"whole{world.rank}.safetensors")
    torch.distributed.destroy_process_group()


def test_workers_stop_together_and_go_on_to_the_same_bits(
    encoder_folder: Path, demo: DemoSource, tmp_path: Path
) -> None:
    on_two_ranks(stopped_work, lambda world: (world, encoder_folder, demo, tmp_path))
    for rank in (0, 1):
        stopped, whole = (load_file(tmp_path / f"{name}{rank}.safetensors") for name in ("rank", "whole"))
        assert same_bits(stopped, whole)


def test_one_cpu_worker_trains_in_the_trial_s_own_process() -> None:
    assert not needs_workers(ComputeSpec())
    assert needs_workers(ComputeSpec(workers=2))
    assert needs_workers(ComputeSpec(per_worker=PerWorker(GPU=1)))
