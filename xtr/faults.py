"""This is where a run can be made to die at a chosen place, to prove that it goes on from there.

    XTR_FAULT=store.before_manifest:2:kill XTR_FAULT_DIR=/tmp/faults xtr run sweep.yaml

kills the process that comes second to where a stage's manifest is about to be written. Off unless XTR_FAULT is
set. Several faults stand in one variable, by comma. Hits are counted in XTR_FAULT_DIR, over all processes and
restarts of a run, so each fault strikes once: the same command, given again, passes that place.

Actions: `kill` (SIGKILL to the process itself), `killdriver` (to the process named by XTR_FAULT_DRIVER), `stop`
(SIGSTOP: the process stands still until somebody ends it) and `raise` (a RuntimeError).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from xtr.errors import InputError, Problem, suggest

POINTS: Mapping[str, str] = {
    "text.before_rename": "storage/files.py",
    "text.after_rename": "storage/files.py",
    "line.before_write": "storage/files.py",
    "text.opened": "storage/files.py",
    "text.before_fsync": "storage/files.py",
    "store.before_manifest": "storage/posix.py",
    "store.before_rename": "storage/posix.py",
    "store.published": "stages/store.py",
    "store.progress_removed": "stages/store.py",
    "store.workspace_made": "stages/store.py",
    "lease.claimed": "storage/lease.py",
    "lease.between_beats": "storage/lease.py",
    "state.folder_made": "train/state.py",
    "state.weights_written": "train/state.py",
    "state.before_rename": "train/state.py",
    "state.before_others_go": "train/state.py",
    "train.step_done": "train/loop.py",
    "study.before_report": "search/record.py",
    "study.after_report": "search/record.py",
    "study.before_tell": "search/record.py",
    "study.after_tell": "search/record.py",
    "study.before_tell_pruned": "search/study.py",
    "study.before_add_trial": "search/record.py",
    "study.after_add_trial": "search/record.py",
    "book.before_trials_file": "search/book.py",
    "driver.leased": "search/sweep.py",
    "driver.spec_written": "search/sweep.py",
    "driver.before_fit": "search/sweep.py",
    "driver.after_fit": "search/sweep.py",
    "driver.suggest": "search/searcher.py",
    "driver.trial_complete": "search/searcher.py",
    "trial.before_report": "search/trial.py",
    "trial.between_stages": "search/trial.py",
    "evaluation.between_stages": "stages/evaluating.py",
    "evaluation.before_publish": "stages/evaluating.py",
}
"""Every fault point and the module that it lies in."""

SCHEDULE, FOLDER, DRIVER = "XTR_FAULT", "XTR_FAULT_DIR", "XTR_FAULT_DRIVER"
STRUCK = "struck"
"""The file that says which faults have struck, a line each: point, hit, action and process id."""


def fault(point: str) -> None:
    """Let a scheduled fault strike here.

    Raises:
        InputError: the schedule in XTR_FAULT cannot be read.
        RuntimeError: it is this point's turn, and the action is `raise`.
    """
    schedule = os.environ.get(SCHEDULE)
    if schedule:
        _strike(point, _parse(schedule))


def _strike(point: str, schedule: Mapping[tuple[str, int], str]) -> None:
    if all(point != each for each, _ in schedule):
        return
    folder = Path(os.environ[FOLDER])
    folder.mkdir(parents=True, exist_ok=True)
    hit = _append(folder / point, b".")
    action = schedule.get((point, hit))
    if action is not None:
        _append(folder / STRUCK, f"{point} {hit} {action} {os.getpid()}\n".encode())
        ACTIONS[action](point)


def _append(path: Path, content: bytes) -> int:
    """Append in one write, and say at which byte it ended: no two writers get the same answer."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, content)
        return os.lseek(descriptor, 0, os.SEEK_CUR)
    finally:
        os.close(descriptor)


@lru_cache
def _parse(schedule: str) -> Mapping[tuple[str, int], str]:
    """Read `point:hit:action,...`; hits count from 1."""
    faults: dict[tuple[str, int], str] = {}
    problems = []
    for entry in schedule.split(","):
        point, _, rest = entry.partition(":")
        hit, _, action = rest.partition(":")
        if point not in POINTS:
            problems.append(Problem("no such fault point", SCHEDULE, point, hint=suggest(point, POINTS)))
        elif not (hit.isascii() and hit.isdigit() and int(hit)) or action not in ACTIONS:
            allowed = f"{point}:HIT:ACTION, HIT from 1, ACTION one of {', '.join(ACTIONS)}"
            problems.append(Problem("a fault is written otherwise", SCHEDULE, entry, allowed))
        else:
            faults[point, int(hit)] = action
    if not os.environ.get(FOLDER):
        problems.append(Problem("faults need a folder to count hits in", FOLDER, "nothing", "a folder"))
    if problems:
        raise InputError(problems)
    return faults


def _kill(_point: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_driver(_point: str) -> None:
    os.kill(int(os.environ[DRIVER]), signal.SIGKILL)


def _stop(_point: str) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _raise(point: str) -> None:
    raise RuntimeError(f"a fault was asked for at {point}")


ACTIONS: Mapping[str, Callable[[str], None]] = {
    "kill": _kill,
    "killdriver": _kill_driver,
    "stop": _stop,
    "raise": _raise,
}
