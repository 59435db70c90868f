"""Adapters: what learns, what stays, and what is left when they are taken in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from xtr.errors import InputError
from xtr.model.encoder import load_encoder
from xtr.model.lora import put_on, take_in
from xtr.spec.settings import LoraSettings

IDS = torch.tensor([[0, 9, 8, 7, 2], [0, 5, 6, 2, 1]])


def weights_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed_by_steps(folder: Path, settings: LoraSettings, seed: int = 1) -> dict[str, torch.Tensor]:
    """Adapt, take a few steps, take the adapters in; return the weights that are others than before."""
    model = load_encoder(str(folder)).model.eval()
    before = weights_of(model)
    adapted = put_on(model, settings, seed=seed)
    learning = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.1)
    for _ in range(3):
        model(IDS).last_hidden_state.pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    trained = model(IDS).last_hidden_state.detach()
    take_in(adapted)
    after = weights_of(model)
    assert after.keys() == before.keys()
    assert torch.allclose(model(IDS).last_hidden_state, trained, atol=1e-5)
    return {name: after[name] for name in after if not torch.equal(after[name], before[name])}


def test_only_the_chosen_modules_change_and_the_plain_encoder_computes_the_same(encoder_folder: Path) -> None:
    assert {name.split(".", 2)[2] for name in changed_by_steps(encoder_folder, LoraSettings(rank=2))} == {
        f"{block}.attention.self.{module}.weight" for block in (0, 1) for module in ("query", "value")
    }


def test_only_the_chosen_layers_change(encoder_folder: Path) -> None:
    changed = changed_by_steps(encoder_folder, LoraSettings(rank=2, modules=("dense",), layers=(1,)))
    assert changed
    assert all(name.startswith("encoder.layer.1.") for name in changed)


def test_the_seed_decides_where_adapters_begin(encoder_folder: Path) -> None:
    one, same, other = (changed_by_steps(encoder_folder, LoraSettings(rank=2), seed) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (LoraSettings(modules=("query", "q_proj")), r"no linear layers.*\n.*q_proj"),
        (LoraSettings(layers=(0, 2)), "0 to 1"),
    ],
)
def test_what_the_encoder_does_not_have_is_refused(
    encoder_folder: Path, settings: LoraSettings, told: str
) -> None:
    model = load_encoder(str(encoder_folder)).model
    before = {name for name, _ in model.named_modules()}
    with pytest.raises(InputError, match=told):
        put_on(model, settings, seed=1)
    assert {name for name, _ in model.named_modules()} == before
