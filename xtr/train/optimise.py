"""This is where weights are updated: AdamW and gradient clipping. How the rate runs stands in `rates`.

Settings without a parameter are those of jiant's XTREME runs (jiant/shared/model_setup.py): no decay on biases
and layer norms, clip at 1, betas 0.9 / 0.98, epsilon 1e-8.
"""

from __future__ import annotations

import torch
from torch import nn

CLIP_NORM = 1.0
BETAS = (0.9, 0.98)
EPSILON = 1e-8


def make_optimizer(model: nn.Module, *, weight_decay: float) -> torch.optim.AdamW:
    """Make a fused AdamW whose decay spares vectors (biases and layer norms)."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)


def update(model: nn.Module, optimizer: torch.optim.AdamW, *, learning_rate: float) -> None:
    """Clip, step, and forget the gradients."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
