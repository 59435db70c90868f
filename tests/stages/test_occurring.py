"""Stages train the rows that occur in their data, and leave the encoder that the whole table would have left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.stages.sample import SMALL, a_sweep
from xtr.model.encoder import load_encoder
from xtr.spec.sweep import Pair, TrainSettings
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.stage import TrainStage
from xtr.train.progress import WEIGHTS

Build = Callable[..., Runner]
TABLE = "encoder.embeddings.word_embeddings.weight"
EXACT = SMALL.model_copy(update={"weight_decay": 0.0, "max_rows": 8})


@pytest.fixture
def build(encoder_folder: Path, tmp_path: Path) -> Build:
    def build(store: str = "runs", settings: TrainSettings = EXACT) -> Runner:
        spec = a_sweep(tmp_path / store, str(encoder_folder))
        stages = spec.stages.model_copy(update={"intermediate": settings, "target": settings})
        return Runner(spec.model_copy(update={"stages": stages}))

    return build


def stages_of(runner: Runner, intermediate: str) -> list[TrainStage]:
    return list(Paths(runner.spec, runner.source).path(Pair(intermediate, "xnli"), {}, 1).training)


def files_of(runner: Runner, stage: TrainStage) -> Mapping[str, str]:
    manifest = runner.store.open(stage.key)
    assert manifest is not None
    return manifest.files


def table_in(runner: Runner, stage: TrainStage) -> Tensor:
    path = runner.store.folder(stage.key) / "encoder"
    weight = load_encoder(str(path)).model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return weight.detach()


def rows_in_state(runner: Runner, stage: TrainStage) -> int:
    """Rows of the table in the state that a first leg leaves."""
    runner.train(stage, until_epoch=1)
    [state] = runner.store.progress_folder(stage.key).glob("step-*")
    return len(load_file(state / WEIGHTS)[TABLE])


@pytest.fixture
def whole_tables(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From here on, no saving is worth it."""
    return lambda: monkeypatch.setattr("xtr.model.rows.WORTH", 2.0)


@pytest.mark.slow
@pytest.mark.parametrize("chain", ["squad_v1>csqa", "squad_v1+csqa", "squad_qa_retrieval"])
def test_a_chain_of_stages_comes_to_the_bytes_that_whole_tables_come_to(
    chain: str, build: Build, whole_tables: Callable[[], None]
) -> None:
    rows = build("rows")
    stages = stages_of(rows, chain)
    rows.train(stages[-1])
    whole_tables()
    whole = build("whole")
    whole.train(stages[-1])
    for stage in stages:
        assert files_of(rows, stage) == files_of(whole, stage)
        assert rows.train(stage).result == whole.train(stage).result


def test_with_decay_a_stage_comes_to_the_same_but_for_rounding(
    build: Build, encoder_folder: Path, whole_tables: Callable[[], None]
) -> None:
    settings = EXACT.model_copy(update={"weight_decay": 0.1})
    rows = build("rows", settings)
    [stage] = stages_of(rows, "none")
    rows.train(stage)
    whole_tables()
    whole = build("whole", settings)
    whole.train(stage)
    [head] = {name for name in files_of(rows, stage) if name.startswith("heads/")}
    assert files_of(rows, stage)[head] == files_of(whole, stage)[head]
    assert torch.allclose(table_in(rows, stage), table_in(whole, stage), rtol=0, atol=1e-7)
    start = load_encoder(str(encoder_folder)).model.get_input_embeddings().weight
    assert isinstance(start, Tensor)
    assert not torch.equal(table_in(rows, stage), start)


def test_a_leg_keeps_a_state_of_its_rows_and_the_next_goes_on_to_the_same_bytes(build: Build) -> None:
    legs, whole = build("legs"), build("whole")
    [stage] = stages_of(legs, "none")
    n_pieces = load_encoder(legs.spec.model.name).model.config.vocab_size
    assert rows_in_state(legs, stage) < n_pieces / 2
    legs.train(stage)
    whole.train(stage)
    assert len(table_in(legs, stage)) == n_pieces
    assert files_of(legs, stage) == files_of(whole, stage)


@pytest.mark.parametrize(
    ("intermediate", "settings"),
    [
        ("mlm", EXACT),
        ("squad_v1+mlm", EXACT),
        ("squad_v1", EXACT.model_copy(update={"schedule": "wsd", "warmup_steps": 1})),
    ],
)
def test_masked_language_models_and_runs_that_share_a_beginning_train_every_row(
    intermediate: str, settings: TrainSettings, build: Build
) -> None:
    runner = build(settings=settings)
    stage = stages_of(runner, intermediate)[0]
    assert rows_in_state(runner, stage) == load_encoder(runner.spec.model.name).model.config.vocab_size


def test_a_mixture_under_wsd_shares_no_beginning_and_trains_its_rows(build: Build) -> None:
    runner = build(settings=EXACT.model_copy(update={"schedule": "wsd", "warmup_steps": 1}))
    stage = stages_of(runner, "squad_v1+csqa")[0]
    assert rows_in_state(runner, stage) < load_encoder(runner.spec.model.name).model.config.vocab_size
