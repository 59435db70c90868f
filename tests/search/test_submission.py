"""What a job takes along, and what is refused before a cluster is asked; tests/cluster runs real jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.sweeps import GOOD, write
from xtr.errors import InputError
from xtr.search.submission import pack, submit

CLUSTER = "http://127.0.0.1:9"
SHARED = GOOD.replace("root: runs", "root: /shared/runs")


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.setenv(name, "")


def refused(file: Path, *overrides: str, address: str | None = CLUSTER) -> dict[str, str]:
    """Place and words of everything that is said."""
    with pytest.raises(InputError) as caught:
        submit(file, overrides, address)
    return {problem.where: f"{problem.what}; {problem.hint}" for problem in caught.value.problems}


def test_files_keep_their_places_beside_one_another(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    write(tmp_path, GOOD, "base.yaml")
    write(tmp_path, "not of this sweep", "other.yaml")
    sweep = write(tmp_path / "mine", "extends: ../base.yaml\nname: mine")
    into = tmp_path / "packed"
    assert pack(sweep, into) == Path("mine/sweep.yaml")
    copies = {path.relative_to(into): path.read_text() for path in into.rglob("*.yaml")}
    assert copies == {Path("base.yaml"): GOOD, Path("mine/sweep.yaml"): sweep.read_text()}


def test_what_only_this_machine_has_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    text = GOOD + (
        f"tracking: {{uri: sqlite:///mine.db}}\ndata: {{source: official, official_root: {tmp_path}/../"
        f"{tmp_path.name}/data}}\n"
    )
    assert set(refused(write(tmp_path, text))) == {"storage.root", "tracking.uri"}
    said = refused(write(tmp_path, GOOD))
    assert "--set storage.root=/mnt/xtr/runs" in said["storage.root"]


def test_a_folder_from_here_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    file = write(tmp_path, SHARED + "data: {source: official, official_root: data}\n")
    assert set(refused(file, "model.name=./mine")) == {"data.official_root", "model.name"}


def test_a_wrong_sweep_is_refused_at_once(tmp_path: Path) -> None:
    said = refused(write(tmp_path, SHARED.replace("xnli", "xnly")))
    assert any("unknown task" in words for words in said.values())


def test_variables_may_be_the_clusters_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONLY_THERE", raising=False)
    file = write(tmp_path, GOOD.replace("root: runs", 'root: "env:ONLY_THERE/runs"'))
    assert set(refused(file)) == {"--address"}, "the file is good, and nobody answers"


def test_who_names_no_cluster_is_told_how(tmp_path: Path) -> None:
    file = write(tmp_path, SHARED)
    assert (
        "--address http" in refused(file, address=None)["--address or RAY_API_SERVER_ADDRESS or RAY_ADDRESS"]
    )
