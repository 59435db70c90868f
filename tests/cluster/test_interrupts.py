"""A run that is asked to end: 130, one line that says how to go on, and no Ray left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.local import clean_environment, descendants, processes, run_arguments, started, until
from xtr.analysis.trials import read_trials

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("send", "number"),
    [
        pytest.param(os.killpg, signal.SIGINT, id="Ctrl-C in a terminal"),
        pytest.param(os.kill, signal.SIGTERM, id="kill"),
    ],
)
def test_a_run_that_is_asked_to_end_says_how_to_go_on(
    send: Callable[[int, int], None], number: signal.Signals, shared: Path
) -> None:
    command = run_arguments(shared, search__trials_per_pair=400)
    folder = shared / "sweeps" / "demo"
    with started(command, clean_environment()) as sweep:
        until(
            "a finished trial", lambda: [r for r in read_trials(folder) if r.value is not None], seconds=120
        )
        family = descendants(sweep.pid)
        send(sweep.pid, number)
        output, _ = sweep.communicate(timeout=60)

    assert sweep.returncode == 130, output
    assert output.endswith("interrupted; the same command goes on from here\n")
    assert "Traceback" not in output
    assert "SIGTERM" not in output
    until("the end of Ray", lambda: not family & processes().keys(), seconds=20)
    assert not (folder / "driver.lease").exists()
