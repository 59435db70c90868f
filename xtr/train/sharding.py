"""This is where a model that is too large for one device is cut into shards, one a rank, and put together again.

    sharded = cut(model, world)            the whole model stays on the machine, a shard of it lies on the device
    ...                                    train: a block is gathered while it computes, by torch's fully_shard
    gather(sharded, model, world)          the leading rank's model has learnt

Each rank holds an equal part of every weight, its gradient and its moments (FSDP; Zhao et al. 2023, arXiv
2304.11277). The mathematics is that of data-parallel training, but for the order of summation.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from xtr.model.encoder import blocks_of
from xtr.model.heads import TaskModel
from xtr.model.rows import OccurringRows
from xtr.model.world import World

if TYPE_CHECKING:  # who has a GPU and torch alone has no library for sweep files
    from xtr.spec.sweep import Sharding

LOG = logging.getLogger(__name__)

TRAINED_BYTES, FROZEN_BYTES = 18, 4
"""Of a weight in float32: itself, its gradient, AdamW's two moments and autocast's copy; or itself alone."""

MOST = 0.8
"""Share of a device's memory that these may take; activations and the exchange of gradients need the rest."""


def shards(asked: Sharding, model: nn.Module, world: World) -> bool:
    """Say whether the ranks hold a part of the model each, and log why; all ranks say the same."""
    needed = sum(
        weights.numel() * (TRAINED_BYTES if weights.requires_grad else FROZEN_BYTES)
        for weights in model.parameters()
    )
    device = torch.device(world.device)
    memory = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None
    used, reason = choose(asked, world.size, needed, memory)
    if world.size > 1:  # devices may differ
        any_rank = torch.tensor(int(used), device=device)
        torch.distributed.all_reduce(any_rank, op=torch.distributed.ReduceOp.MAX)
        used = bool(any_rank)
    LOG.info("%s: %s", "sharded" if used else "not sharded", reason)
    return used


def choose(asked: Sharding, n_ranks: int, needed: int, memory: int | None) -> tuple[bool, str]:
    """Say whether one rank wants shards, and why.

    Args:
        needed: bytes of all weights, gradients and moments.
        memory: bytes that its device has; None on a processor.
    """
    if n_ranks == 1:
        return False, "one worker has nobody to share with"
    if asked != "auto":
        return asked == "always", "it was asked for"
    if memory is None:
        return False, "auto shards on GPUs alone"
    sizes = f"weights, gradients and moments take {needed / 2**30:.1f} GiB, the GPU has {memory / 2**30:.1f}"
    return needed > MOST * memory, sizes


def cut(model: TaskModel, world: World) -> TaskModel:
    """Return the model cut into shards, of which this rank has one on its device.

    Each transformer block is gathered by itself, the embeddings and the heads together. The model that is given
    stays as it is on the leading rank; on the others its weights are given up, since nobody asks for them.
    """
    device = torch.device(world.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where fully_shard puts a shard
    mesh = init_device_mesh(device.type, (world.size,))
    sharded = _twin(model)
    warnings.filterwarnings("ignore", message=".*returned a view tensor")  # nobody writes into outputs
    # Nothing stays gathered between two passes, so that states and norms always see shards.
    shard = partial(fully_shard, mesh=mesh, reshard_after_forward=True)
    for block in blocks_of(sharded.encoder):
        if model.precision == "bf16":
            _shard_in_bfloat16(block, shard)
        else:
            shard(block)
    shard(sharded)
    if not world.leads:
        model.to("meta")
    return sharded


def _shard_in_bfloat16(block: nn.Module, shard: Callable[..., object]) -> None:
    """Have a block gathered in what it computes in, but for its norms, which compute in float32.

    If all were gathered in float32 autocast would cast it, and its copies of all blocks would stay from the
    forward pass to the backward one. Gradients are added up in float32.
    """
    for part in block.modules():
        if isinstance(part, (nn.LayerNorm, nn.RMSNorm)):
            shard(part)
    policy = MixedPrecisionPolicy(torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False)
    shard(block, mp_policy=policy)


@torch.no_grad()
def gather(sharded: TaskModel, model: TaskModel, world: World) -> None:
    """Give the leading rank's whole model what the shards have learnt; every rank takes part."""
    for whole, learnt in zip(model.parameters(), sharded.parameters(), strict=True):
        if learnt.requires_grad:
            weights = gathered(learnt)
            if world.leads:
                whole.copy_(weights)


def gathered(tensor: Tensor) -> Tensor:
    """Return a whole tensor; where it is sharded every rank takes part."""
    whole: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return whole


def parted(whole: Tensor, like: Tensor) -> Tensor:
    """Return this rank's part of a whole tensor that every rank has, cut as another one is."""
    if not isinstance(like, DTensor):
        return whole
    return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)


def bytes_held(sharded: nn.Module) -> int:
    """Count the bytes of those trained weights that lie on this rank."""
    trained = (weights for weights in sharded.parameters() if weights.requires_grad)
    return sum((each.to_local() if isinstance(each, DTensor) else each).nbytes for each in trained)


def _twin(model: TaskModel) -> TaskModel:
    """Copy a model without copying its weights: the copy's stand in the same memory until they are cut."""
    known: dict[int, object] = {
        id(weights): nn.Parameter(weights.detach(), requires_grad=weights.requires_grad)
        for weights in model.parameters()
    }
    tables = [module.table for module in model.modules() if isinstance(module, OccurringRows)]
    return copy.deepcopy(model, known | {id(table): table for table in tables})
