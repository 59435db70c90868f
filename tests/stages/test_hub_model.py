"""An encoder from the hub: its revision is locked at first use and loaded from then on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.stub_hub import COMMIT, NEXT_COMMIT, StubHub

ROOT = Path(__file__).resolve().parents[2]
LOAD = """
import json, sys
from pathlib import Path
from tests.stages.sample import a_sweep
from xtr.errors import InputError
from xtr.model.encoder import load_encoder
from xtr.stages.path import Paths
from xtr.stages.run import Runner

runner = Runner(a_sweep(Path(sys.argv[1]), model="someone/tiny"))
start = Paths(runner.spec, runner.source).start
print(json.dumps([start.key, load_encoder(start.name, start.revision).hidden_size]))
"""


@pytest.mark.slow
def test_the_locked_revision_is_loaded_offline_too(encoder_folder: Path, tmp_path: Path) -> None:
    def load(offline: str) -> list[object]:
        done = subprocess.run(
            [sys.executable, "-c", LOAD, str(tmp_path / "runs")],
            env={
                **hub.environment(tmp_path / "home"),
                "PYTHONPATH": str(ROOT),
                "HF_HUB_OFFLINE": offline,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said: list[object] = json.loads(done.stdout)
        return said

    hub = StubHub()
    hub.serve("models", "someone/tiny", encoder_folder)
    with hub.running():
        first = load("0")
        assert first[0] == f"model:someone/tiny@{COMMIT}"
        hub.head["someone/tiny"] = NEXT_COMMIT
        hub.asked.clear()
        assert load("1") == first
        assert not hub.asked
