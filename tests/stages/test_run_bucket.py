"""The runner on a bucket: machines that share nothing else go on with each other's runs, to the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.buckets import Place, a_place
from tests.stages.sample import a_sweep
from tests.stages.test_run import evaluations, files_of, target_stage
from xtr.model.world import World
from xtr.spec.sweep import StorageSpec
from xtr.stages.drain import NEVER, Drain
from xtr.stages.run import Runner

pytestmark = pytest.mark.usefixtures("s3")


class Machines:
    """Runners of one sweep on machines of which each has its own cache."""

    def __init__(self, folder: Path, encoder: Path) -> None:
        self.folder = folder
        self.place: Place = a_place("bucket", folder)
        self.spec = a_sweep(folder / "runs", str(encoder))

    def on(self, name: str) -> Runner:
        storage = StorageSpec(root=self.place.root, cache=str(self.folder / name))
        return Runner(self.spec.model_copy(update={"storage": storage}))

    @property
    def on_a_folder(self) -> Runner:
        return Runner(self.spec)


@pytest.fixture
def machines(tmp_path: Path, encoder_folder: Path) -> Machines:
    return Machines(tmp_path, encoder_folder)


def test_what_one_machine_paused_another_finishes_and_a_third_scores(machines: Machines) -> None:
    expected = machines.on_a_folder
    stage = target_stage(expected, "csqa")
    whole = expected.train(stage)
    first = machines.on("first").train(stage, until_epoch=1)
    assert machines.place.names(f"progress/{stage.key}"), "the state is in the bucket when the leg ends"
    second = machines.on("second")
    again = second.train(stage, until_epoch=1)
    assert again.reused
    assert again.result == first.result
    rest = second.train(stage)
    assert rest.steps == 2, "neither the intermediate stage nor the first epoch is trained again"
    assert rest.result == whole.result
    assert files_of(second, stage) == files_of(expected, stage)
    assert machines.place.names("progress") == set()
    third = machines.on("third")
    assert third.train(stage).reused
    asked = evaluations(third, stage, ("en", "xa"))
    scores = [outcome.scores for outcome in third.evaluate(asked)]
    assert scores == [outcome.scores for outcome in expected.evaluate(asked)]
    assert [outcome.reused for outcome in machines.on("fourth").evaluate(asked)] == [True, True]
    assert machines.place.names("leases") == machines.place.names("partial") == set()


def test_a_stage_that_was_damaged_in_the_bucket_is_trained_again_to_the_same_files(
    machines: Machines,
) -> None:
    runner = machines.on("first")
    stage = target_stage(runner)
    first = runner.train(stage)
    manifest = runner.store.read(stage.key)
    assert manifest is not None
    content = f"stages/{stage.key}/{manifest.placed['folder']}/encoder/model.safetensors"
    machines.place.harm(content, lambda weights: weights[:-1] + bytes([weights[-1] ^ 1]))
    for machine in ("first", "second"):
        again = machines.on(machine).train(stage)
        assert again.reused == (machine == "second")
        assert again.result == first.result
        assert files_of(machines.on(machine), stage) == manifest.files
    assert len(machines.place.names("quarantine")) == 1


def test_a_parent_that_is_bad_in_the_bucket_is_found_before_it_is_used(machines: Machines) -> None:
    runner = machines.on("first")
    stage = target_stage(runner, "csqa")
    parent = stage.parent
    runner.train(parent)  # type: ignore[arg-type]
    manifest = runner.store.read(parent.key)
    assert manifest is not None
    content = f"stages/{parent.key}/{manifest.placed['folder']}/encoder/config.json"
    machines.place.harm(content, lambda config: config + b" ")
    outcome = machines.on("second").train(stage)
    assert outcome.steps == 8, "both were trained"
    assert len(machines.place.names("quarantine")) == 1


def test_a_rank_that_does_not_lead_puts_no_old_state_beside_the_leader_s(
    machines: Machines, tmp_path: Path
) -> None:
    from xtr.stages.training import TrainJob, train_once

    class LeaderSaves(Drain):
        """While this rank makes its step, the leading one saves a state of a later step."""

        def stops_steps(self) -> bool:
            bucket = machines.place.on("leader").bucket
            assert bucket is not None
            for name in bucket.names(progress):
                bucket.move(f"{progress}/{name}", f"{progress}/step-0000003.later")
            return False

    runner = machines.on("leader")
    stage = target_stage(runner)
    progress = f"progress/{stage.key}"
    runner.train(stage, until_epoch=1)
    job = TrainJob(machines.on("follower").spec, stage, str(tmp_path), LeaderSaves(NEVER.path))
    assert train_once(job, World(rank=1)).step == 4
    assert machines.place.names(progress) == {"step-0000003.later"}


def test_a_machine_that_prepared_nothing_encodes_a_split_once(machines: Machines) -> None:
    def encoded(runner: Runner) -> dict[str, int]:
        return {
            path.parent.name: path.stat().st_ino for path in runner.root.glob("data/encoded/*/manifest.json")
        }

    runner = machines.on("first")
    runner.train(target_stage(runner, "mnli"))
    kept = encoded(runner)
    assert kept, "the split that is selected on is read whole"
    again = machines.on("first")
    again.train(target_stage(again, "mnli>squad_v1"))
    assert kept.items() <= encoded(again).items()
    assert machines.place.names("data/encoded") == set()
    on_a_folder = machines.on_a_folder
    on_a_folder.train(target_stage(on_a_folder, "mnli"))
    assert encoded(on_a_folder) == {}, "there xtr data prepare reaches all machines"
