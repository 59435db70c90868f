"""Preparing encodes once what workers then read, and changes no result."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stages.sample import a_sweep
from xtr.data.demo.source import DemoSource
from xtr.data.source import Source
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.encoding import Encoding, keep_encoded, open_encoded
from xtr.stages.path import Paths
from xtr.stages.prepare import prepare_data, prepared_text
from xtr.stages.run import Runner

pytestmark = pytest.mark.slow


def trained_files(spec: SweepSpec) -> dict[str, str]:
    runner = Runner(spec)
    stage = Paths(spec, runner.source).path(Pair("none", "xnli"), {}, seed=1).target
    assert stage is not None
    runner.train(stage)
    manifest = runner.store.read(stage.key)
    assert manifest is not None
    return manifest.files


def test_a_prepared_sweep_encodes_nothing_again_and_comes_to_the_same_bytes(
    encoder_folder: Path, tmp_path: Path
) -> None:
    spec, other = (a_sweep(tmp_path / name, model=str(encoder_folder)) for name in ("one", "other"))
    document = prepare_data(spec, lambda _: None)
    encoded = document["encoded"]
    assert isinstance(encoded, dict)
    assert encoded["new"] == encoded["splits"]
    again = prepare_data(spec, lambda _: None)
    assert isinstance(again["encoded"], dict)
    assert again["encoded"]["new"] == 0
    assert "splits are ready" in prepared_text(again)
    assert trained_files(spec) == trained_files(other)


def test_a_kept_split_that_was_changed_is_not_read(
    demo: DemoSource, encoder_folder: Path, tmp_path: Path
) -> None:
    from xtr.catalogue.lookup import find_task
    from xtr.model.encoder import load_tokenizer

    task, tokenizer = find_task("mnli"), load_tokenizer(str(encoder_folder))
    source: Source = demo
    encoding = Encoding(task, "rows", "model:a", 32)
    rows = source.rows(task, "train", "en")
    assert keep_encoded(tmp_path, encoding, rows, tokenizer)
    assert not keep_encoded(tmp_path, encoding, rows, tokenizer)
    file = encoding.folder(tmp_path) / "examples.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert open_encoded(tmp_path, encoding) is None
    assert keep_encoded(tmp_path, encoding, rows, tokenizer)
