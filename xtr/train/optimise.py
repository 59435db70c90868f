"""This is where weights are updated: AdamW and gradient clipping. How the rate runs stands in `rates`.

Settings without a parameter are those of jiant's XTREME runs (jiant/shared/model_setup.py): no decay on biases
and layer norms, clip at 1, epsilon 1e-8; but for the betas 0.9 / 0.98, which are those of RoBERTa's fine-tuning
(fairseq, examples/roberta/README.glue.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from xtr.model.rows import OccurringRows
from xtr.train.sharding import gathered

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
    clip_grads_with_norm_(model.parameters(), CLIP_NORM, gradient_norm(model))
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def gradient_norm(model: nn.Module) -> Tensor:
    """Compute the norm of all gradients together, without waiting for the device.

    That of a table is summed up from those of its rows at their places in the whole table: so it is the same to
    the bit, whichever of the rows without a gradient have been left out.
    """
    tables = [each for each in model.modules() if isinstance(each, (nn.Embedding, OccurringRows))]
    trained = [table for table in tables if table.weight.grad is not None]
    by_row = {table.weight for table in trained}
    others = [p.grad for p in model.parameters() if p.grad is not None and p not in by_row]
    return gathered(get_total_norm([*others, *map(_row_norms, trained)]))


def _row_norms(table: nn.Embedding | OccurringRows) -> Tensor:
    assert table.weight.grad is not None
    norms: Tensor = torch.linalg.vector_norm(table.weight.grad, dim=1)
    if isinstance(norms, DTensor):  # summed up rank by rank, whatever is left out
        return norms
    return table.in_whole_table(norms) if isinstance(table, OccurringRows) else norms
