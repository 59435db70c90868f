"""Trunk and branch: each run comes to the bytes that it comes to alone, and no step is made twice."""

from __future__ import annotations

import json
import multiprocessing
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stages.trunk_sample import LENGTHS, WSD, Length, run_of, sizes_sweep
from xtr.stages.run import Runner
from xtr.stages.segments import Run, trained_steps
from xtr.stages.store import StageStore
from xtr.stages.training import count_examples

Build = Callable[..., Runner]
Results = dict[Length, tuple[dict[str, str], dict[str, Any]]]
"""By length: SHA-256 of every file, and the manifest's result."""


@pytest.fixture
def build(encoder_folder: Path, tmp_path: Path) -> Build:
    """Make a runner on a store of its own."""

    def build(store: str = "runs", **change: object) -> Runner:
        return Runner(sizes_sweep(tmp_path / store, str(encoder_folder), **change))  # type: ignore[arg-type]

    return build


@pytest.fixture(scope="module")
def independent(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What every length comes to by itself, in an empty store."""
    results: Results = {}
    for length in LENGTHS:
        root = tmp_path_factory.mktemp("alone")
        runner = Runner(sizes_sweep(root, str(encoder_folder), (length,)))
        runner.train(run_of(runner, length))
        assert kinds(runner.store) == ["train"]
        results |= results_of(runner, [length])
    assert len({files["encoder/model.safetensors"] for files, _ in results.values()}) == len(LENGTHS)
    return results


def results_of(runner: Runner, lengths: list[Length] | tuple[Length, ...]) -> Results:
    results: Results = {}
    for length in lengths:
        manifest = runner.store.open(run_of(runner, length).key)
        assert manifest is not None
        results[length] = manifest.files, dict(manifest.result)
    return results


def kinds(store: StageStore) -> list[str]:
    """The kinds of the stages that a store holds."""
    manifests = (store.root / "stages").glob("*/manifest.json")
    return sorted(json.loads(path.read_text())["recipe"]["kind"] for path in manifests)


def leftovers(store: StageStore) -> list[str]:
    """Trunks, and whatever else is kept of runs that have not finished."""
    states = [path.name for path in (store.root / "progress").glob("*")]
    return [kind for kind in kinds(store) if kind != "train"] + states


def counted(runner: Runner, lengths: tuple[Length, ...]) -> tuple[int, int]:
    stages = [run_of(runner, length) for length in lengths]
    counts = count_examples(stages, runner.store, runner.source)
    return trained_steps(Run(stage, n) for stage, n in zip(stages, counts, strict=True))


FEW: tuple[Length, ...] = ((0.25, 1), (0.25, 2), (1.0, 1), (1.0, 2))
SHUFFLED = list(LENGTHS)
random.Random(0).shuffle(SHUFFLED)


@pytest.mark.slow
@pytest.mark.parametrize(
    "order", [list(LENGTHS), list(LENGTHS)[::-1], SHUFFLED], ids=["ascending", "descending", "shuffled"]
)
def test_every_branch_equals_its_independent_run_in_any_order(
    order: list[Length], independent: Results, build: Build
) -> None:
    runner = build()
    outcomes = [runner.train(run_of(runner, length)) for length in order]
    assert results_of(runner, LENGTHS) == independent
    naive, shared = counted(runner, LENGTHS)
    assert naive == sum(outcome.result["steps"] for outcome in outcomes)
    assert shared == sum(outcome.steps for outcome in outcomes) < naive / 1.6
    assert leftovers(runner.store) == []


def test_a_branch_says_what_its_whole_path_took_and_spends_what_is_new(
    independent: Results, build: Build
) -> None:
    lengths: tuple[Length, ...] = ((0.5, 1), (1.0, 1))
    runner = build(lengths=lengths)
    half, whole = (runner.train(run_of(runner, length)) for length in lengths)
    assert (half.steps, half.result["steps"]) == (5, 5)
    assert (whole.steps, whole.result["steps"]) == (7, 10), (
        "the half's first three steps are those of the whole"
    )
    assert 0 < whole.tokens < whole.result["tokens"] == independent[1.0, 1][1]["tokens"]
    manifest = runner.store.read(run_of(runner, lengths[1]).key)
    assert manifest is not None
    assert 0 < whole.seconds < float(str(manifest.made["seconds"])), "the manifest's seconds cover the trunk"
    assert results_of(runner, lengths) == {length: independent[length] for length in lengths}


def test_a_trunk_is_kept_while_a_run_is_missing_and_no_longer(build: Build) -> None:
    lengths: tuple[Length, ...] = ((0.25, 1), (0.5, 1), (1.0, 1))
    runner = build(lengths=lengths)
    for length, left in zip(lengths[::-1], (["trunk", "trunk"], ["trunk"], []), strict=True):
        runner.train(run_of(runner, length))
        assert [kind for kind in kinds(runner.store) if kind == "trunk"] == left
    assert leftovers(runner.store) == []


def test_a_crash_between_publishing_and_tidying_is_made_good_by_the_next_run(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: tuple[Length, ...] = ((0.5, 1), (1.0, 1))
    runner = build(lengths=lengths)
    runner.train(run_of(runner, lengths[0]))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(StageStore, "remove", crash)
        runner.train(run_of(runner, lengths[1]))
    assert kinds(runner.store) == ["train", "train", "trunk"]
    assert runner.train(run_of(runner, lengths[0])).reused
    assert leftovers(runner.store) == []


@pytest.mark.parametrize("damage", ["removed", "cut short"])
def test_a_trunk_that_is_lost_is_computed_again(damage: str, independent: Results, build: Build) -> None:
    lengths: tuple[Length, ...] = ((0.5, 1), (1.0, 1))
    runner = build(lengths=lengths)
    runner.train(run_of(runner, lengths[0]))
    [trunk] = runner.trunks.of(run_of(runner, lengths[1]))
    [weights] = runner.store.folder(trunk.key).glob("*/weights.safetensors")
    if damage == "removed":
        runner.store.remove(trunk.key)
    else:
        weights.write_bytes(weights.read_bytes()[:-8])
    whole = runner.train(run_of(runner, lengths[1]))
    assert whole.steps == 10
    assert results_of(runner, lengths) == {length: independent[length] for length in lengths}
    assert leftovers(runner.store) == []


@pytest.mark.slow
@pytest.mark.parametrize("killed_after", [1, 6, 12])  # in the first trunk, in the second, in the first run
def test_a_kill_in_a_trunk_loses_the_steps_since_the_last_state_and_changes_nothing(
    killed_after: int, independent: Results, encoder_folder: Path, build: Build
) -> None:
    order = list(FEW)[::-1]
    runner = build(lengths=FEW)
    command = [sys.executable, "-m", "tests.stages.trunk_sample", str(encoder_folder), str(runner.root)]
    process = subprocess.run([*command, json.dumps(order), str(killed_after)], check=False)
    assert process.returncode == -9
    outcomes = [runner.train(run_of(runner, length)) for length in order]
    assert results_of(runner, FEW) == {length: independent[length] for length in FEW}
    _, shared = counted(runner, FEW)
    lost = killed_after + sum(outcome.steps for outcome in outcomes) - shared
    assert 1 <= lost <= 2, "a state is kept every two steps; the step of the kill had none yet"
    assert leftovers(runner.store) == []


@pytest.mark.slow
def test_two_processes_share_one_trunk_and_make_no_step_twice(
    independent: Results, encoder_folder: Path, build: Build, tmp_path: Path
) -> None:
    runner = build(lengths=FEW)
    orders = [list(FEW), list(FEW)[::-1]]
    context = multiprocessing.get_context("spawn")
    places = [tmp_path / str(i) for i in range(2)]
    workers = [
        context.Process(target=train_all, args=(str(encoder_folder), str(runner.root), order, place))
        for order, place in zip(orders, places, strict=True)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert results_of(runner, FEW) == {length: independent[length] for length in FEW}
    _, shared = counted(runner, FEW)
    assert sum(int(place.read_text()) for place in places) == shared
    assert leftovers(runner.store) == []


def train_all(encoder: str, root: str, order: list[Length], place: Path) -> None:
    """Train runs in an order and leave the number of steps that this process made."""
    runner = Runner(sizes_sweep(Path(root), encoder, FEW))
    place.write_text(str(sum(runner.train(run_of(runner, length)).steps for length in order)))


def test_a_leg_ends_where_it_is_asked_to_and_goes_on_to_the_same_bytes(
    independent: Results, build: Build
) -> None:
    lengths: tuple[Length, ...] = ((0.5, 1), (0.5, 3), (1.0, 3))
    runner = build(lengths=((0.5, 1), (0.5, 3), (1.0, 1), (1.0, 3)))
    leg = runner.train(run_of(runner, (0.5, 3)), until_epoch=1)
    assert leg.result["steps"] == leg.steps == 5
    assert [epoch["epoch"] for epoch in leg.result["epochs"]] == [1]
    assert runner.train(run_of(runner, (0.5, 3)), until_epoch=1).reused
    made = [runner.train(run_of(runner, length)).steps for length in lengths]
    assert made[1] == 10, "a run that is under way goes on by itself"
    assert results_of(runner, lengths) == {length: independent[length] for length in lengths}


def test_a_leg_begins_at_a_trunk_that_lies_behind_its_end(independent: Results, build: Build) -> None:
    lengths: tuple[Length, ...] = ((0.5, 2), (0.5, 3))
    runner = build(lengths=lengths)
    runner.train(run_of(runner, lengths[0]))
    leg = runner.train(run_of(runner, lengths[1]), until_epoch=1)
    assert leg.steps == 0
    assert leg.result["epochs"] == independent[0.5, 3][1]["epochs"][:1]
    runner.train(run_of(runner, lengths[1]))
    assert results_of(runner, lengths) == {length: independent[length] for length in lengths}
    assert leftovers(runner.store) == []


def test_a_branch_point_inside_the_warm_up_is_a_branch_point_like_any_other(build: Build) -> None:
    lengths: tuple[Length, ...] = ((0.25, 1), (0.5, 1), (1.0, 1))
    long = WSD.model_copy(update={"warmup_steps": 6})
    shared = build("shared", lengths=lengths, settings=long)
    for length in lengths:
        shared.train(run_of(shared, length))
        alone = build(f"alone-{length[0]}", lengths=(length,), settings=long)
        alone.train(run_of(alone, length))
        assert results_of(shared, [length]) == results_of(alone, [length])


@pytest.mark.parametrize("task", ["squad_v1", "mlm", "mnli@en,xa", "squad_qa_retrieval"])
def test_windows_of_a_row_languages_and_masks_keep_the_beginning(task: str, build: Build) -> None:
    lengths: tuple[Length, ...] = ((0.25, 1), (1.0, 1), (0.25, 2), (1.0, 2))
    settings = WSD.model_copy(update={"max_rows": 32, "max_length": 16})
    change = {"task": task, "settings": settings}
    runner = build("shared", lengths=lengths, **change)
    outcomes = [runner.train(run_of(runner, length, task)) for length in lengths]
    assert sum(each.steps for each in outcomes) < sum(each.result["steps"] for each in outcomes)
    for length in lengths:
        alone = build(f"alone-{length}", lengths=(length,), **change)
        assert (
            alone.train(run_of(alone, length, task)).result
            == runner.train(run_of(runner, length, task)).result
        )
        keys = [(each.store, run_of(each, length, task).key) for each in (runner, alone)]
        files = [store.open(key) for store, key in keys]
        assert files[0] is not None
        assert files[1] is not None
        assert files[0].files == files[1].files
    assert leftovers(runner.store) == []


def test_windows_count_as_examples_and_fewer_rows_give_the_first_of_them(build: Build) -> None:
    settings = WSD.model_copy(update={"max_rows": 32, "max_length": 16})
    runner = build(task="squad_v1", settings=settings)
    stages = [run_of(runner, (fraction, 1), "squad_v1") for fraction in (0.25, 0.5, 1.0)]
    counts = count_examples(stages, runner.store, runner.source)
    assert counts == sorted(counts)
    assert counts[-1] > 32, "some rows have several windows"
    assert counts == [count_examples([stage], runner.store, runner.source)[0] for stage in stages]


def test_a_mixture_trains_under_wsd_by_itself(build: Build) -> None:
    lengths: tuple[Length, ...] = ((0.1, 1), (0.25, 1))
    runner = build(task="mnli+csqa", lengths=lengths)
    for length in lengths:
        outcome = runner.train(run_of(runner, length, "mnli+csqa"))
        assert outcome.steps == outcome.result["steps"]
    assert kinds(runner.store) == ["train", "train"]
