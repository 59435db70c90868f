"""Commands that answer at once import none of the heavy libraries; a driver leaves torch to what computes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DEMO = str(ROOT / "sweeps" / "demo.yaml")
HEAVY = ("torch", "ray", "transformers", "datasets", "mlflow", "optuna", "pandas", "scipy", "faiss")

RUNNER = """
import json, sys
from pathlib import Path
from xtr.cli import main

report, *sys.argv[1:] = sys.argv[1:]
code = 0
try:
    main()
except SystemExit as stop:
    code = stop.code or 0
Path(report).write_text(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["submit", "--help"],
        ["init"],
        ["validate", DEMO],
        ["schema"],
        ["plan", DEMO],
        ["plan", DEMO, "--json"],
        ["tasks"],
        ["tasks", "xnli"],
        ["tasks", "--json"],
        ["store", "ls", "--root", "."],
        ["score", "--predictions", "own/labels", "--labels", "labels"],
    ],
    ids=lambda arguments: " ".join(Path(each).name for each in arguments),
)
def test_it_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    for path in arguments:
        if path.endswith("labels") and not path.startswith("-"):  # `score` is given two folders of this shape
            (tmp_path / path / "bucc2018").mkdir(parents=True, exist_ok=True)
            for language in ("de", "fr", "ru", "zh"):
                (tmp_path / path / "bucc2018" / f"test-{language}.tsv").write_text("x-1\ten-1\n")
    report = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(report), *arguments],
        cwd=tmp_path,  # where no sweep has been run
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert report.exists(), done.stderr
    said = json.loads(report.read_text())
    assert said["code"] == 0, done.stderr
    assert done.stdout
    assert [name for name in HEAVY if name in said["modules"]] == []


def test_who_drives_a_sweep_waits_for_no_torch() -> None:
    names = ("xtr.search.sweep", "xtr.search.trial", "xtr.search.searcher")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {', '.join(names)}; print(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    loaded = done.stdout.split()
    assert set(names) <= set(loaded)
    assert {"torch", "transformers"}.isdisjoint(loaded)
