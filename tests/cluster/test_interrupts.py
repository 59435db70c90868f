"""A run that is asked to end keeps what it has, says how to go on, leaves no Ray behind, and comes to the same."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.local import clean_environment, descendants, processes, run_arguments, started, until
from xtr.analysis.records.trials import read_trials
from xtr.search.ending import DRAINING

pytestmark = pytest.mark.slow

Send = Callable[[int, int], None]


def one_long_training(root: Path) -> list[str]:
    """A trial of `none` and one of `csqa`, and no state is kept on the way unless somebody asks.

    Whichever stage is under way first, it is long enough not to be finished before it hears that it was asked.
    """
    return run_arguments(
        root,
        search__space="{}",
        search__early_stopping="null",
        search__trials_per_pair=1,
        stages__intermediate__epochs=40,
        stages__target__epochs=40,
        compute__checkpoint_every_steps=10**6,
    )


def scores(root: Path) -> list[tuple[Any, ...]]:
    rows = read_trials(root / "sweeps" / "demo")
    return [(row.intermediate, row.phase, row.seed, row.state, row.value) for row in rows]


def states(root: Path) -> list[int]:
    """Steps at which unfinished trainings stand."""
    return [
        int(path.parent.name.removeprefix("step-")) for path in root.glob("progress/*/step-*/progress.json")
    ]


def finish(command: list[str]) -> None:
    with started(command, clean_environment()) as sweep:
        output, _ = sweep.communicate(timeout=900)
    assert sweep.returncode == 0, output


def interrupted(root: Path, send: Send, number: int, *, times: int = 1) -> str:
    """Start the run, ask it to end once a training is under way, and return what it said."""
    with started(one_long_training(root), clean_environment()) as sweep:
        until("a training", lambda: list((root / "leases").glob("*")), seconds=600)
        family = descendants(sweep.pid)
        send(sweep.pid, number)
        if times == 2:
            assert sweep.stdout is not None
            for line in sweep.stdout:
                if line == DRAINING.decode():
                    break
            send(sweep.pid, number)
        output, _ = sweep.communicate(timeout=600)
    assert sweep.returncode == 130, output
    assert output.endswith("interrupted; the same command goes on from here\n")
    assert "Traceback" not in output
    assert "SIGTERM" not in output
    until("the end of Ray", lambda: not family & processes().keys(), seconds=60)
    assert not (root / "sweeps" / "demo" / "driver.lease").exists()
    assert json.loads((root / "sweeps/demo/ended.json").read_text())["by"] == "interrupt"
    return output


def test_ctrl_c_keeps_every_training_s_state_and_the_same_command_goes_on_to_the_same(
    shared: Path, lone: Path
) -> None:
    output = interrupted(shared, os.killpg, signal.SIGINT)
    assert "Ctrl-C again stops at once" in output
    assert "kept unfinished" in output
    assert {row.state for row in read_trials(shared / "sweeps/demo")} == {"running"}
    kept = states(shared)
    assert kept
    assert all(step > 0 for step in kept)
    assert not list((shared / "leases").glob("*"))
    for root in (shared, lone):
        finish(one_long_training(root))
    assert scores(shared) == scores(lone)
    assert not states(shared)
    digests = [
        {
            path.parent.name: json.loads(path.read_text())["files"]
            for path in root.glob("stages/*/manifest.json")
        }
        for root in (shared, lone)
    ]
    assert digests[0] == digests[1], "the same bytes"
    assert not (shared / "sweeps/demo/ended.json").exists()


def test_a_kill_is_as_one_ctrl_c(shared: Path) -> None:
    output = interrupted(shared, os.kill, signal.SIGTERM)
    assert states(shared), output


def test_the_second_ctrl_c_stops_at_once(shared: Path) -> None:
    interrupted(shared, os.killpg, signal.SIGINT, times=2)
