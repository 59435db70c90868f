"""A stage without Ray: the command, the page's snippet and the function make what a sweep's trial makes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from xtr.errors import InputError
from xtr.model.world import World
from xtr.search.study import Job
from xtr.search.trial import perform
from xtr.spec.load import load_sweep
from xtr.spec.sweep import Pair, PerWorker
from xtr.stages.alone import Trial, make_alone, read_pair, read_params, settled_params
from xtr.stages.store import StageStore

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "one-machine.md").read_text(encoding="utf-8")
ABSENT = ("ray", "mlflow", "optuna", "pandas", "datasets", "scipy", "faiss")
PARAMS = {"intermediate.learning_rate": 3e-4, "target.epochs": 2}
TRIAL = Trial(Pair("squad_v1", "tydiqa"), PARAMS, seed=1)

WITHOUT = f"""
import sys
for name in {ABSENT!r}:
    sys.modules[name] = None  # as where it is not installed
"""


def snippet(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(snippet("yaml"))
    return path


def without_the_rest(folder: Path, code: str, *arguments: str) -> str:
    """Run code in a process in which the libraries of a sweep cannot be imported."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_below(root: Path) -> dict[str, dict[str, str]]:
    store = StageStore(root)
    manifests = [store.read(key) for key in sorted(store.keys())]
    return {each.key: each.files for each in manifests if each is not None}


@pytest.mark.slow
def test_what_is_made_without_ray_is_what_a_trial_of_the_sweep_makes(file: Path, tmp_path: Path) -> None:
    lines = without_the_rest(tmp_path, snippet("python")).splitlines()
    assert [line.split()[:2] for line in lines if str(tmp_path) in line][:2] == [
        ["train", "squad_v1"],
        ["train", "tydiqa"],
    ]
    alone = files_below(tmp_path / "runs")
    swept = load_sweep(file, [f"storage.root={tmp_path / 'swept'}"])
    report = perform(swept, Job(TRIAL.pair, 0, "search", PARAMS, 1, None))
    assert report["state"] == "complete", report
    made_by_trial = files_below(tmp_path / "swept")
    assert made_by_trial.items() <= alone.items(), "the same keys, the same bytes"
    assert len(made_by_trial) == 3, "the demo's encoder and two trainings"

    again = make_alone(swept, TRIAL, device="cpu")
    assert all(stage.reused for stage in again.stages)
    assert again.select["f1"] == report["score"]

    [line] = re.findall(r"^xtr (stage small.yaml .*)$", PAGE, re.MULTILINE)
    command = "from xtr.cli import main\nsys.argv[0] = 'xtr'\nmain()"
    document = json.loads(without_the_rest(tmp_path, command, *line.split(), "--device", "cpu", "--json"))
    assert all(stage["reused"] for stage in document["stages"])
    assert {stage["key"] for stage in document["stages"]} < alone.keys()
    assert document["stages"][1]["made"]["precision"] == "fp32"
    assert document["select"] == pytest.approx(again.select)
    assert any(stage["what"] == "evaluate tydiqa test xa" for stage in document["stages"])


def test_what_the_sweep_says_of_workers_does_not_count(
    file: Path, tmp_path: Path, encoder_folder: Path
) -> None:
    spec = load_sweep(file, [f"storage.root={tmp_path / 'runs'}", f"model.name={encoder_folder}"])
    compute = spec.compute.model_copy(update={"workers": 4, "per_worker": PerWorker(GPU=1)})
    made = make_alone(spec.model_copy(update={"compute": compute}), Trial(TRIAL.pair, PARAMS), device="cpu")
    assert [stage.made["workers"] for stage in made.stages] == [1, 1]
    assert [stage.made["device"] for stage in made.stages] == ["cpu", "cpu"]
    assert made.seed == spec.search.training_seed


@pytest.mark.parametrize(
    ("pair", "params", "told"),
    [
        ("squad_v2:tydiqa", [], "did you mean 'squad_v1:tydiqa'?"),
        ("squad_v1:tydiqa", ["target.epochs=2"], "param intermediate.learning_rate: this dimension varies"),
        ("squad_v1:tydiqa", ["target.epoch=2"], "did you mean 'target.epochs'?"),
        ("squad_v1:tydiqa", ["target.epochs=0"], "target.epochs cannot take this value"),
        ("squad_v1:tydiqa", ["target.epochs=two"], "not a value of a dimension"),
        ("tydiqa", ["target.epochs=1", "intermediate.epochs=2"], "this pair has no such stage"),
    ],
)
def test_a_trial_that_cannot_be_is_refused_in_words(
    pair: str, params: list[str], told: str, file: Path
) -> None:
    with pytest.raises(InputError) as refused:
        settled_params(load_sweep(file), Trial(read_pair(pair), read_params(params)))
    assert told in str(refused.value)


def test_what_the_file_fixes_and_what_it_leaves_to_the_stages_needs_no_value(file: Path) -> None:
    spec = load_sweep(file, ["search.space.target.epochs=3"])
    given = {"intermediate.learning_rate": 1e-4, "target.batch_size": 4}
    assert settled_params(spec, Trial(TRIAL.pair, given)) == {**given, "target.epochs": 3}
    assert settled_params(spec, Trial(read_pair("tydiqa"))) == {"target.epochs": 3}


def test_a_device_that_is_not_there_is_refused() -> None:
    assert World.here("cpu") == World(device="cpu")
    with pytest.raises(InputError, match="no such device"):
        World.here("tpu")
