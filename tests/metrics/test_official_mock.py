"""The official scorer's own mock predictions, with the averages that it expects (evaluate_test.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared_data import SHARED_DATA, needs_shared_data
from xtr.analysis.official import score_folders

MOCK = SHARED_DATA / "xtreme_mock"
pytestmark = needs_shared_data("xtreme_mock")

EXPECTED = {
    "pawsx": 51.4286, "xnli": 30.6667, "panx": 57.5079, "udpos": 70.2175, "bucc2018": 55.0, "tatoeba": 53.6111,
}  # fmt: skip
ANSWERS = {"xquad": (77.2727, 79.9587), "mlqa": (57.1429, 81.7687), "tydiqa": (88.8889, 97.2222)}


def score(*arguments: str) -> dict[str, dict[str, dict[str, float]]]:
    folders = ("--predictions", str(MOCK / "predictions"), "--labels", str(MOCK / "labels"))
    done = subprocess.run(
        [sys.executable, "-m", "xtr", "score", *folders, "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    document: dict[str, dict[str, dict[str, float]]] = json.loads(done.stdout)
    return document


def test_the_command_gives_the_averages_of_the_official_scorer() -> None:
    document = score("--benchmark", "xtreme")
    for task, expected in EXPECTED.items():
        assert document["tasks"][task]["score"] == pytest.approx(expected, abs=1e-4), task
    for task, (exact_match, f1) in ANSWERS.items():
        assert document["tasks"][task]["exact_match"] == pytest.approx(exact_match, abs=1e-4), task
        assert document["tasks"][task]["f1"] == pytest.approx(f1, abs=1e-4), task
    tasks = [*EXPECTED.values(), *(sum(pair) / 2 for pair in ANSWERS.values())]
    assert document["overall"] == pytest.approx(sum(tasks) / 9, abs=1e-4)
    assert document["overall"] == pytest.approx(62.17, abs=5e-3)


def test_mewsli_x_gives_the_official_average(tmp_path: Path) -> None:
    for side in ("predictions", "labels"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "mewslix").symlink_to(MOCK / side / "mewslix")
    scores = score_folders(tmp_path / "predictions", tmp_path / "labels", "xtreme-r")
    assert scores.benchmark.tasks["mewslix"] == pytest.approx(14.3903, abs=1e-4)
    assert scores.benchmark.overall is None
