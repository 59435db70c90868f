"""Storage roots that hold the tiny demo world and its encoder already."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cluster.local import run_arguments, spec_of


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage root with the demo world and its encoder, to begin from."""
    from xtr.stages.path import Paths
    from xtr.stages.run import Runner

    spec = spec_of(run_arguments(tmp_path_factory.mktemp("world")))
    runner = Runner(spec)
    runner.ensure_start(Paths(spec, runner.source).start)
    return runner.root


@pytest.fixture
def shared(world: Path, tmp_path: Path) -> Path:
    """The storage root of the sweep on the cluster."""
    return Path(shutil.copytree(world, tmp_path / "shared"))


@pytest.fixture
def lone(world: Path, tmp_path: Path) -> Path:
    """The storage root of the same trials with one worker."""
    return Path(shutil.copytree(world, tmp_path / "lone"))
