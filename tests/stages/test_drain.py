"""Coming to rest: what runs finishes its step or its stage, nothing new starts, and the next run goes on."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.stages.sample import a_sweep
from tests.stages.test_run import files_of, target_stage
from xtr.errors import Drained
from xtr.stages.drain import NEVER, Drain
from xtr.stages.run import Outcome, Runner
from xtr.storage.lease import Lease
from xtr.storage.posix import PosixStorage


@pytest.fixture
def drain(tmp_path: Path) -> Drain:
    drain = Drain(tmp_path / "sweep" / "drain")
    drain.open()
    return drain


class AfterSteps(Drain):
    """Asked to stop after so many steps."""

    def __init__(self, path: Path, n: int) -> None:
        super().__init__(path)
        self.left = n

    def stops_steps(self) -> bool:
        self.left -= 1
        return self.left == 0


def test_nobody_is_asked_for_anything_until_somebody_asks(drain: Drain) -> None:
    for each in (drain, NEVER, Drain(drain.path.with_name("never opened"))):
        each.before_work()
        assert not each.stops_steps()


def test_a_stage_s_end_is_waited_for_and_a_step_s_end_only_where_it_is_urgent(drain: Drain) -> None:
    drain.ask("stage")
    there = pickle.loads(pickle.dumps(Drain(drain.path)))
    with pytest.raises(Drained):
        there.before_work()
    assert not there.stops_steps()
    drain.ask("step")
    drain.ask("stage")
    assert Drain(drain.path).stops_steps(), "what was urgent stays so"
    drain.open()
    Drain(drain.path).before_work()
    assert not Drain(drain.path).stops_steps(), "a new run forgets what an earlier one was asked for"


def test_nothing_new_is_computed_but_what_is_there_is_read(
    drain: Drain, encoder_folder: Path, tmp_path: Path
) -> None:
    runner = Runner(a_sweep(tmp_path / "runs", str(encoder_folder)), drain)
    stage, chain = target_stage(runner), target_stage(runner, "mnli")
    first = runner.train(stage)
    drain.ask("stage")
    assert runner.train(stage).result == first.result
    with pytest.raises(Drained):
        runner.train(chain)
    with pytest.raises(Drained):
        runner.train(chain, until_epoch=1)
    assert len(list((runner.root / "stages").iterdir())) == 1
    assert not list((runner.root / "leases").iterdir())


def test_who_waits_for_another_s_stage_leaves(drain: Drain, encoder_folder: Path, tmp_path: Path) -> None:
    runner = Runner(a_sweep(tmp_path / "runs", str(encoder_folder)), drain)
    stage = target_stage(runner)
    held = Lease.claim(PosixStorage(runner.root), f"leases/{stage.key}")
    assert held is not None
    drain.ask("stage")
    with held, pytest.raises(Drained):
        runner.train(stage)


def test_a_training_that_is_stopped_after_a_step_goes_on_to_the_same_bits(
    encoder_folder: Path, tmp_path: Path
) -> None:
    whole = Runner(a_sweep(tmp_path / "whole", str(encoder_folder)))
    stage = target_stage(whole)
    expected = whole.train(stage)

    told: list[Outcome] = []
    spec = a_sweep(tmp_path / "stopped", str(encoder_folder))
    stopped = Runner(spec, AfterSteps(tmp_path / "drain", 2), told.append)
    with pytest.raises(Drained, match="step 2 of 4"):
        stopped.train(stage)
    assert [(each.key, each.steps, each.reused) for each in told] == [(stage.key, 2, False)]
    assert told[0].seconds > 0
    assert not stopped.store.has(stage.key)
    assert not list((stopped.root / "leases").iterdir())
    rest = Runner(spec).train(stage)
    assert rest.steps == 2
    assert rest.result == expected.result
    assert files_of(stopped, stage) == files_of(whole, stage)
