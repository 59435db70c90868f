"""Fault points: each lies where the list says, strikes once over all processes, and costs nothing when off."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from xtr.errors import InputError
from xtr.faults import ACTIONS, FOLDER, POINTS, SCHEDULE, STRUCK, fault

XTR = Path(__file__).parents[2] / "xtr"
POINT = "store.before_manifest"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path / "faults"))
    return tmp_path / "faults"


def test_every_point_of_the_list_is_met_once_and_where_it_says() -> None:
    calls = Counter[tuple[str, str]]()
    for path in XTR.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "fault":
                [name] = [each.value for each in node.args if isinstance(each, ast.Constant)]
                calls[str(name), path.relative_to(XTR).as_posix()] += 1
    assert calls == Counter(POINTS.items())


def test_nothing_happens_and_nothing_is_written_when_it_is_off(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SCHEDULE, raising=False)
    fault(POINT)
    assert not folder.exists()


def test_a_fault_strikes_at_its_hit_and_never_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SCHEDULE, f"{POINT}:2:raise,text.opened:1:raise")
    fault(POINT)
    with pytest.raises(RuntimeError, match=POINT):
        fault(POINT)
    for _ in range(3):
        fault(POINT)
    assert (folder / STRUCK).read_text() == f"{POINT} 2 raise {os.getpid()}\n"


@pytest.mark.parametrize("action", ["kill", "killdriver"])
def test_hits_are_counted_over_processes_and_restarts(folder: Path, action: str) -> None:
    code = (
        "import os; os.environ['XTR_FAULT_DRIVER'] = str(os.getpid());"
        f"from xtr.faults import fault; fault({POINT!r}); fault({POINT!r})"
    )
    environment = os.environ | {SCHEDULE: f"{POINT}:4:{action}", FOLDER: str(folder)}
    codes = [subprocess.run([sys.executable, "-c", code], env=environment).returncode for _ in range(3)]
    assert codes == [0, -signal.SIGKILL, 0]


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("store.before_manifst:1:kill", "did you mean 'store.before_manifest'?"),
        (f"{POINT}:0:kill", "HIT from 1"),
        (f"{POINT}:one:kill", "HIT from 1"),
        (f"{POINT}:1:explode", ", ".join(ACTIONS)),
        (POINT, "HIT from 1"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_schedule_that_cannot_be_read_is_refused(
    schedule: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SCHEDULE, schedule)
    with pytest.raises(InputError) as refused:
        fault(POINT)
    assert told in str(refused.value)


def test_a_schedule_without_a_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setenv(SCHEDULE, f"{POINT}:7:kill")
    with pytest.raises(InputError, match=FOLDER):
        fault(POINT)
