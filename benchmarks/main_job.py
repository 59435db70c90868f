"""The main job's figures: how long the demo takes, what a rerun costs, what a kill loses.

    python benchmarks/main_job.py [command-line] [demo] [kill]

Every part calls xtr as a user does, in a folder of its own.
"""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, run_parts

SWEEPS = Path(__file__).parent.parent / "sweeps"
XTR = [sys.executable, "-m", "xtr"]
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_"))} | {
    "HF_HUB_OFFLINE": "1"
}


def xtr(folder: Path, *arguments: str) -> tuple[str, float]:
    """Run a command in a folder; return what it printed and the seconds it took."""
    started = time.monotonic()
    result = subprocess.run(
        [*XTR, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise SystemExit(
            f"xtr {' '.join(arguments)} ended with {result.returncode}\n{result.stdout}{result.stderr}"
        )
    return result.stdout, time.monotonic() - started


def command_line(folder: Path) -> list[Figure]:
    """Time the commands that must answer at once; medians of seven."""
    demo = str(SWEEPS / "demo.yaml")
    figures = []
    for name, arguments in {
        "--help": ["--help"],
        "validate": ["validate", demo],
        "plan": ["plan", demo],
    }.items():
        seconds = statistics.median(xtr(folder, *arguments)[1] for _ in range(7))
        figures.append(Figure(f"xtr {name}", seconds, "s", "under 0.5", seconds < 0.5))
    return figures


def demo(folder: Path) -> list[Figure]:
    """Time the demo from nothing, then again."""
    demo_file = str(SWEEPS / "demo.yaml")
    out, run_s = xtr(folder, "run", demo_file)
    text, evaluate_s = xtr(folder, "evaluate", "demo")
    _, best_s = xtr(folder, "best", "demo")
    _, export_s = xtr(folder, "export", "demo", "--to", "best")
    total = run_s + evaluate_s + best_s + export_s
    again, again_s = xtr(folder, "run", demo_file)
    same = leaderboard(out) == leaderboard(again)
    print(out, text, sep="\n")
    return [
        Figure(
            "make demo after installation: run, evaluate, best, export",
            total,
            "s",
            "at most 240",
            total <= 240,
        ),
        Figure("the demo again", again_s, "s", "under 30", again_s < 30),
        Figure("the demo again: training steps", steps(again), "steps", "0", steps(again) == 0),
        Figure("the demo again: same leaderboard, byte for byte", float(same), "", "1", same),
    ]


def kill(folder: Path) -> list[Figure]:
    """Kill the driver in the middle of the demo, run the same command, compare with an undisturbed run."""
    whole, killed = folder / "whole", folder / "killed"
    for place in (whole, killed):
        place.mkdir()
    demo_file = str(SWEEPS / "demo.yaml")
    undisturbed, _ = xtr(whole, "run", demo_file)
    n_trials = len(re.findall(r"^\d\d:\d\d ", undisturbed, re.MULTILINE))
    process = subprocess.Popen(
        [*XTR, "run", demo_file], cwd=killed, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += bool(re.match(r"\d\d:\d\d ", line))
        if seen == n_trials // 2:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = manifests(killed)
    resumed, _ = xtr(killed, "run", demo_file)
    after = manifests(killed)
    redone = sum(after.get(key) != born for key, born in before.items())
    same = leaderboard(undisturbed) == leaderboard(resumed)
    return [
        Figure(
            f"killed after {seen} of {n_trials} results: finished stages done again",
            redone,
            "",
            "0",
            redone == 0,
        ),
        Figure("killed and resumed: same leaderboard, byte for byte", float(same), "", "1", same),
    ]


def leaderboard(output: str) -> str:
    return output[output.index("leaderboard of") : output.index("this run made")]


def steps(output: str) -> int:
    found = re.search(r"this run made (\d+) training steps", output)
    assert found is not None
    return int(found[1])


def manifests(folder: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("runs/stages/*/manifest.json")}


PARTS = {"command-line": command_line, "demo": demo, "kill": kill}

if __name__ == "__main__":
    run_parts("main_job", PARTS)
