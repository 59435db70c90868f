"""A sweep's files are found wherever one names another, and so are the variables that they read."""

from __future__ import annotations

from pathlib import Path

from tests.spec.sweeps import GOOD, write
from xtr.spec.parts import files_of


def test_everything_that_a_sweep_is_written_in_is_listed_once(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    base = write(tmp_path, GOOD + "prices: prices.yaml\n", "base.yaml")
    prices = write(tmp_path, "gpu_hour: 2", "prices.yaml")
    tasks = write(tmp_path / "mine", "tasks: []", "tasks.yaml")
    sweep = write(
        tmp_path / "mine",
        "extends: ../base.yaml\nname: mine\ncatalogue: [tasks.yaml, tasks.yaml]\n"
        'model: {name: "env:MODEL/large"}\ndata: {source: official, official_root: "env:DATA"}\n'
        'description: "a new env: mine"\n',
    )
    assert [each.resolve() for each in files_of(sweep)] == [sweep, base, tasks, prices]
    assert files_of(prices) == (prices,)
