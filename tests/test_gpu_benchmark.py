"""The benchmark of a GPU runs on a processor with tiny models, without what a sweep needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GPU = Path(__file__).resolve().parents[1] / "benchmarks" / "gpu.py"
WITHOUT = f"""
import runpy, sys
for name in ("ray", "mlflow", "optuna", "pandas", "datasets", "pydantic", "faiss"):
    sys.modules[name] = None  # as where it is not installed
sys.argv = ["gpu.py", "--tiny"]
runpy.run_path({str(GPU)!r}, run_name="__main__")
"""


@pytest.mark.slow
def test_it_times_both_sides_of_every_shape() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.rsplit(maxsplit=2) for line in done.stdout.splitlines()]
    assert [unit for _, _, unit in lines] == ["x", "tok/s", "tok/s"] * 3
    assert all(float(value) > 0 for _, value, _ in lines)
