"""This is where an encoder learns by low-rank adapters alone: LoRA (Hu et al. 2021, arXiv 2106.09685), by PEFT.

    adapted = put_on(encoder.model, LoraSettings(rank=16), seed=1)   -> all else in the encoder is frozen
    ...                                                                 train; states hold the adapters alone
    take_in(adapted)                                                 -> a plain encoder, W + (alpha / rank) B A

So what a stage leaves is an encoder like any other: the next stage may train all of it, or adapt it anew.
"""

from __future__ import annotations

import torch
from torch import nn

from xtr.errors import InputError, Problem
from xtr.spec.settings import LoraSettings

ADAPTER = "lora"


def put_on(encoder: nn.Module, settings: LoraSettings, *, seed: int) -> nn.Module:
    """Give the chosen linear layers adapters, in place, and freeze everything else in the encoder.

    Returns:
        What `take_in` wants.

    Raises:
        InputError: the encoder has no such modules, or no such layers.
    """
    from peft import LoraConfig, LoraModel

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.modules),
        layers_to_transform=None if settings.layers is None else list(settings.layers),
    )
    _check(encoder, settings)
    torch.manual_seed(seed)
    return LoraModel(encoder, config, ADAPTER)


def take_in(adapted: nn.Module) -> None:
    """Add the adapters to the weights that they stand beside, in place, and take them away."""
    adapted.merge_and_unload()  # type: ignore[operator]


def _check(encoder: nn.Module, settings: LoraSettings) -> None:
    linear = {name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    names = sorted({name.rpartition(".")[2] for name in linear})
    missing = [each for each in settings.modules if each not in names]
    if missing:
        raise InputError(
            Problem(
                "the encoder has no linear layers of this name",
                where="lora.modules",
                received=", ".join(missing),
                allowed=", ".join(names),
            )
        )
    n_layers = int(encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    beyond = [number for number in settings.layers or () if number >= n_layers]
    if beyond:
        raise InputError(
            Problem(
                "the encoder has no such layers",
                where="lora.layers",
                received=", ".join(map(str, beyond)),
                allowed=f"0 to {n_layers - 1}",
            )
        )
