"""cluster.yaml through the checks that `ray up` makes before it speaks to AWS."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.local import REPOSITORY
from xtr.search.cluster import HEAD_RESOURCE


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """What `ray up` makes of the file."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    config: dict[str, Any] = prepare_config(yaml.safe_load((REPOSITORY / "cluster.yaml").read_text()))
    validate_config(config)
    return config


def test_drivers_sit_on_a_head_without_cpu_that_is_never_on_spot(config: dict[str, Any]) -> None:
    head = config["available_node_types"][config["head_node_type"]]
    assert head["resources"]["CPU"] == 0
    assert head["resources"][HEAD_RESOURCE] >= 1
    assert head["max_workers"] == 0
    assert "InstanceMarketOptions" not in head["node_config"]


def test_gpu_workers_come_and_go_on_spot(config: dict[str, Any]) -> None:
    (worker,) = (
        kind for name, kind in config["available_node_types"].items() if name != config["head_node_type"]
    )
    assert worker["resources"]["GPU"] >= 1
    assert worker["min_workers"] == 0
    assert worker["max_workers"] == config["max_workers"] > 0
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert config["idle_timeout_minutes"] == 10


def test_every_machine_asks_for_the_token_and_the_dashboard_keeps_to_itself(config: dict[str, Any]) -> None:
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    for place in ("head", "worker"):
        (start,) = (each for each in config[f"{place}_start_ray_commands"] if "ray start" in each)
        assert start.startswith("export RAY_AUTH_MODE=token ")
    (head,) = (each for each in config["head_start_ray_commands"] if "ray start" in each)
    assert "--dashboard-host=127.0.0.1" in head


def test_every_machine_mounts_the_store_and_installs_this_repository(config: dict[str, Any]) -> None:
    for place in ("head", "worker"):
        commands = "\n".join(config[f"{place}_setup_commands"])
        assert "mount -t nfs4" in commands
        assert "/mnt/xtr" in commands
        assert 'pip install -q "$HOME/xtr[s3]"' in commands
        assert "constraints" not in commands
    for there, here in config["file_mounts"].items():
        assert there.startswith("~/xtr/") <= (REPOSITORY / here).exists(), here


def test_every_command_is_a_command(config: dict[str, Any]) -> None:
    commands = [each for name, value in config.items() if name.endswith("_commands") for each in value]
    assert commands
    for command in commands:
        subprocess.run(["bash", "-n", "-c", f"({command})"], check=True)  # Ray puts the brackets round it


def test_a_job_brings_all_code_and_leaves_runs_and_weights_at_home(tmp_path: Path) -> None:
    from ray._private.runtime_env.packaging import create_package

    code = [path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("xtr/**/*.py")]
    left = [
        "runs/stages/a/manifest.json",
        "best/xnli.yaml",
        "mlruns/mlflow.db",
        "data/x.tsv",
        "w.safetensors",
    ]
    for name in ("sweeps/demo.yaml", *code, *left):
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).touch()
    shutil.copy(REPOSITORY / ".rayignore", tmp_path / "here")
    create_package(str(tmp_path / "here"), tmp_path / "job.zip", include_gitignore=True)
    packed = {name for name in zipfile.ZipFile(tmp_path / "job.zip").namelist() if not name.endswith("/")}
    assert packed - {".rayignore"} == {"sweeps/demo.yaml", *code}
