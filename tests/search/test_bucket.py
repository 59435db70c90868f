"""A sweep whose storage is a bucket: killed on one machine, finished on a second, read on others."""

from __future__ import annotations

import json
import os
import re
import signal
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.buckets import BUCKET
from tests.search.test_sweep import Place, leaderboard_of
from xtr.storage.workplace import workplace

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("s3")]


@dataclass(frozen=True)
class Machines:
    """Machines that share nothing but a bucket; each is a folder and a cache of its own."""

    folder: Path
    root: str

    def at(self, name: str) -> Place:
        os.environ["XTR_CACHE"] = str(self.cache(name))
        folder = self.folder / name
        return Place(folder) if folder.exists() else Place.make(folder)

    def cache(self, name: str) -> Path:
        return self.folder / f"cache-{name}"

    @property
    def run(self) -> tuple[str, ...]:
        pairs = "pairs={intermediate: [squad_v1], target: [tydiqa]}"
        return ("run", "small.yaml", "--set", f"storage.root={self.root}", "--set", pairs)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    return Machines(tmp_path_factory.mktemp("machines"), f"s3://{BUCKET}/{uuid.uuid4().hex}")


@pytest.fixture(scope="module")
def finished(machines: Machines) -> str:
    """What the second machine says at the end of the sweep that the first one was killed in."""
    process = machines.at("first").start(*machines.run)
    assert process.stdout is not None
    for line in process.stdout:
        if " f1 " in line:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    before = workplace(machines.root).store.folders_with("stages", "manifest.json")
    assert before
    machines.cache("first").rename(machines.folder / "gone")  # what outlives its driver may still write there
    said = machines.at("second").xtr(*machines.run)
    assert before < workplace(machines.root).store.folders_with("stages", "manifest.json")
    return said


def test_another_machine_with_an_empty_cache_trains_nothing_and_says_the_same(
    machines: Machines, finished: str
) -> None:
    again = machines.at("third").xtr(*machines.run)
    assert "this run made 0 training steps" in again
    assert leaderboard_of(again) == leaderboard_of(finished)
    assert f"--root {machines.root}" in again


def test_a_sweep_in_a_bucket_is_read_from_anywhere(machines: Machines, finished: str) -> None:
    assert finished
    place, there = machines.at("fourth"), ("--root", machines.root)
    assert "small" in place.xtr("status", "small", *there)
    rows = json.loads(place.xtr("best", "small", *there, "--json"))["rows"]
    assert {row["intermediate"] for row in rows} == {"none", "squad_v1"}
    assert "small" in place.xtr("best", "smal", *there, code=2), "the sweeps there are named"
    scored = place.xtr("evaluate", "small", *there)
    assert re.search(r"after +en +xa +xb +xc +xd +mean +gap", scored)
    predictions = Path(re.search(r"prediction files: (.+)", scored)[1])  # type: ignore[index]
    assert list(predictions.rglob("test-xc.json"))
    place.xtr("export", "small", *there, "--to", "best")
    assert "f1" in (place.folder / "best" / "tydiqa.yaml").read_text()


def test_what_is_owed_is_counted_against_the_bucket(machines: Machines, finished: str) -> None:
    assert finished
    plan = json.loads(machines.at("sixth").xtr("plan", *machines.run[1:], "--json"))
    assert plan["owed"] == 0
    for counts in plan["stages"].values():
        assert counts["distinct"] == counts["stored"]


def test_a_bucket_that_is_not_there_is_refused_before_any_work(machines: Machines) -> None:
    place = machines.at("seventh")
    for command in (("run", "small.yaml", "--set", "storage.root=s3://absent/runs"),
                    ("status", "small", "--root", "s3://absent/runs")):  # fmt: skip
        said = place.xtr(*command, code=2)
        assert "there is no such bucket" in said
        assert "Traceback" not in said
