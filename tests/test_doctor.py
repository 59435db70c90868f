"""`xtr doctor` tells what is so, and the next step where it is not well; it makes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.spec.sweeps import GOOD, load_text
from xtr.doctor import Check, examine, examined_text, required, unmet
from xtr.search.cluster import reach


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def checks(folder: Path, more: str = "") -> dict[str, Check]:
    text = GOOD.replace("storage: {root: runs}\n", more).replace("[xnli, tatoeba]", "[xnli]")
    spec = load_text(folder, text)
    return {check.name: check for check in examine(spec)}


def test_the_command_says_that_all_is_well_and_makes_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "xtr", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    names = ["python", "packages", "device", "ray", "storage", "tracking", "hub", "model", "data"]
    assert [check["name"] for check in document["checks"]] == names
    assert {check["state"] for check in document["checks"]} == {"ok"}
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_well_is_told_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "official").mkdir()
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    found = checks(
        tmp_path,
        "storage: {root: file/runs}\ndata: {source: official, official_root: official}\n"
        'tracking: {uri: "http://me:secret@127.0.0.1:1"}\n',
    )
    assert [name for name, check in found.items() if check.state == "fail"] == ["storage", "data"]
    assert found["ray"].state == found["tracking"].state == "warn"
    assert "xtr submit" in found["ray"].next
    assert "mnli train en" in found["data"].what
    assert found["data"].next.startswith("xtr tasks mnli")
    text = examined_text(list(found.values()))
    assert text.endswith("2 failed, 2 to look at")
    assert "secret" not in text
    assert "me:***@127.0.0.1" in text
    assert "its password stands in the sweep file" in text


def test_a_password_from_the_environment_is_where_it_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "http://me:secret@127.0.0.1:1"
    monkeypatch.setenv("TRACKER", uri)
    found = checks(tmp_path, f"tracking: {{uri: {uri!r}}}\n")["tracking"]
    assert "http://me:***@127.0.0.1:1" in found.what
    assert "stands in the sweep file" not in found.what


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_worker_that_asks_for_a_gpu_finds_none(tmp_path: Path) -> None:
    found = checks(tmp_path, "compute: {per_worker: {GPU: 1}}\n")["device"]
    assert (found.state, found.next) == ("fail", "--set compute.per_worker.GPU=0")


def test_who_reads_the_hub_offline_is_warned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert checks(tmp_path)["hub"].state == "ok"
    assert checks(tmp_path, "data: {source: hub}\n")["hub"].state == "warn"


def test_an_encoder_is_looked_for_and_a_slip_of_the_pen_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))

    def model(name: str) -> Check:
        spec = load_text(tmp_path, GOOD.replace("{name: demo}", f"{{name: {name}}}"))
        return next(check for check in examine(spec) if check.name == "model")

    assert model("demo").state == "ok"
    slip = model("FacebookAI/xlm-roberta-bas")
    assert (slip.state, slip.what[:26]) == ("fail", "FacebookAI/xlm-roberta-bas")
    assert slip.next.startswith("did you mean 'xlm-roberta-base'?")
    (tmp_path / "here").mkdir()
    assert (model("here").state, model("here").next) == ("fail", "config.json and weights")
    (tmp_path / "here/config.json").touch()
    (tmp_path / "here/model.safetensors").touch()
    assert model("here").state == "ok"


def test_data_one_folder_deeper_are_found(tmp_path: Path) -> None:
    files = tmp_path / "up" / "official" / "squad"
    files.mkdir(parents=True)
    for part in ("train", "dev"):
        (files / f"{part}-v1.1.json").touch()
    pairs = "pairs: {intermediate: [squad_v1], target: [xnli]}\nsearch: {}\n"
    text = "version: 1\nname: deeper\nmodel: {name: demo}\n" + pairs
    spec = load_text(tmp_path, text + "data: {source: official, official_root: up}\n")
    [data] = [check for check in examine(spec) if check.name == "data"]
    assert data.state == "fail"
    assert data.next == "--set data.official_root=up/official, which has 2 of 4 splits"


def test_packages_are_held_against_the_ranges() -> None:
    texts = ["pydantic>=2", "numpy>=99", "no-such-package<2", "s3fs>=9999; extra == 's3'"]
    assert [(each.name, have) for each, have in unmet(required(texts, extra=""))] == [
        ("numpy", __import__("numpy").__version__),
        ("no-such-package", None),
    ]
    assert "s3fs" in [each.name for each, _ in unmet(required(texts, extra="s3"))]


def test_a_cluster_that_does_not_answer_is_not_waited_for() -> None:
    with pytest.raises(OSError, match="no answer within 1 s"):
        reach("127.0.0.1:1", seconds=1)
