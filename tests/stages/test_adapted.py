"""Stages that train adapters leave plain encoders, keep small states, and go on where they stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.stages.sample import SMALL, a_sweep
from xtr.model.encoder import load_encoder
from xtr.spec.settings import LoraSettings
from xtr.spec.sweep import Pair
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.stage import TrainStage

ADAPTED = SMALL.model_copy(update={"lora": LoraSettings(rank=2, layers=(1,))})


def a_run(root: Path, encoder: Path) -> tuple[Runner, TrainStage]:
    spec = a_sweep(root, str(encoder))
    spec = spec.model_copy(update={"stages": spec.stages.model_copy(update={"target": ADAPTED})})
    runner = Runner(spec)
    stage = Paths(spec, runner.source).path(Pair("none", "pawsx"), {}, 1).target
    assert stage is not None
    return runner, stage


def weights(runner: Runner, stage: TrainStage) -> Mapping[str, torch.Tensor]:
    return dict(load_encoder(str(runner.store.checked(stage.key) / "encoder")).model.named_parameters())


def test_the_next_stage_finds_a_plain_encoder(encoder_folder: Path, tmp_path: Path) -> None:
    runner, stage = a_run(tmp_path, encoder_folder)
    runner.train(stage)
    before, after = dict(load_encoder(str(encoder_folder)).model.named_parameters()), weights(runner, stage)
    assert {name for name in after if not torch.equal(after[name], before[name])} == {
        f"encoder.layer.1.attention.self.{module}.weight" for module in ("query", "value")
    }
    assert stage.recipe["settings"]["lora"]["rank"] == 2  # type: ignore[index, call-overload]


def test_a_paused_run_keeps_what_learns_and_goes_on_to_the_same_bytes(
    encoder_folder: Path, tmp_path: Path
) -> None:
    paused, stage = a_run(tmp_path / "paused", encoder_folder)
    paused.train(stage, until_epoch=1)
    [state] = paused.store.progress_folder(stage.key).glob("step-*")
    kept = load_file(state / "weights.safetensors")
    assert all("lora" in name or name.startswith("heads.") for name in kept)
    paused.train(stage)
    whole, same = a_run(tmp_path / "whole", encoder_folder)
    whole.train(same)
    assert same.key == stage.key
    ours, theirs = weights(paused, stage), weights(whole, same)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
