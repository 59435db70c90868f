"""A small sweep dies ten times, at ten places and in three ways, and comes out as if nobody had disturbed it.

`make chaos` draws a hundred such deaths. Here one sweep suffers ten, at one, two and three trials at once in turn:
real Ray, real SIGKILL, the same command again, and half a line in journal and trials after each kill.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHAOS = Path(__file__).parents[2] / "benchmarks" / "chaos.py"
FAULTS = (
    "driver.leased:1:kill",
    "driver.spec_written:2:stop",
    "study.after_add_trial:2:kill",
    "store.before_manifest:1:kill",  # a trial's process: Tune starts the trial again
    "state.before_rename:4:killdriver",
    "store.before_rename:3:stop",
    "study.after_report:1:kill",
    "store.published:7:killdriver",
    "study.before_tell:7:stop",
    "book.before_trials_file:10:kill",
)


def test_a_sweep_that_dies_ten_times_ends_as_one_that_nobody_disturbed(tmp_path: Path) -> None:
    command = [sys.executable, str(CHAOS), "--schedule", ",".join(FAULTS), "--folder", str(tmp_path)]
    command += ["--agents", "0"]  # Ray ends its agents a minute after a kill; make chaos waits for them
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert (tmp_path / "kills.jsonl").exists(), ended.stdout
    verdict = json.loads((tmp_path / "kills.jsonl").read_text())
    assert verdict["wrong"] == []
    assert {line.rsplit(" ", 1)[0].replace(" ", ":") for line in verdict["struck"]} == set(FAULTS)
    assert ended.returncode == 0, ended.stdout
