"""The figures of the embedding table: the rows that occur, against the whole table as the HF Trainer steps on it.

    python benchmarks/rows.py

Both train XLM-R's shape, in turn, on the same batches of 30,000 different pieces; a ratio is that of medians of
seven. The peer does what the HF Trainer does in a step and no more: clip_grad_norm_, AdamW(fused=True), zero_grad.
It needs 6 GiB of memory. That both come to the same weights is shown in tests/train/test_rows.py.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import XLMRobertaConfig, XLMRobertaModel

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.model.rows import keep_rows
from xtr.train.optimise import BETAS, CLIP_NORM, EPSILON, make_optimizer, update

VOCABULARY, WIDTH, OCCURRING = 250_002, 768, 30_000
RATE, DECAY = 1e-5, 0.01
REPEATS = 7
SMALL_BODY, BASE = 1, 12
OPTIMISER_GOAL, STEP_GOAL = 2.3, 1.2
PEER = "whole table, HF Trainer's clip and fused AdamW"


@dataclass(frozen=True, eq=False)
class Side:
    """A model and its optimiser step."""

    model: XLMRobertaModel
    optimizer: torch.optim.AdamW
    update: Callable[[nn.Module, torch.optim.AdamW], None]

    def learn(self, ids: Tensor) -> tuple[float, float]:
        """Make one step; seconds of forward and backward, and of the optimiser."""
        began = time.perf_counter()
        hidden = self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        hidden.square().mean().backward()
        computed = time.perf_counter()
        self.update(self.model, self.optimizer)
        return computed - began, time.perf_counter() - computed

    @property
    def state_bytes(self) -> int:
        """Of a run's state: weights and moments."""
        moments = [each for state in self.optimizer.state.values() for each in state.values()]
        return sum(each.nbytes for each in (*self.model.state_dict().values(), *moments))


def both(layers: int, pieces: list[int]) -> tuple[Side, Side]:
    """Make the two sides; ours takes its rows from the peer's table, so that memory holds one."""
    whole = shaped(VOCABULARY, layers)
    rows = shaped(8, layers)
    rows.set_input_embeddings(whole.get_input_embeddings())
    assert keep_rows(rows, pieces)
    theirs = torch.optim.AdamW(groups(whole), lr=RATE, betas=BETAS, eps=EPSILON, fused=True)
    return Side(rows, make_optimizer(rows, weight_decay=DECAY), ours_updates), Side(
        whole, theirs, peer_updates
    )


def shaped(vocabulary: int, layers: int) -> XLMRobertaModel:
    config = XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    return XLMRobertaModel(config, add_pooling_layer=False)


def groups(model: nn.Module) -> list[dict[str, object]]:
    """Decay what the Trainer lets decay: all but biases and layer norms."""
    decaying, spared = (
        [p for p in model.parameters() if (p.dim() > 1) == matrix] for matrix in (True, False)
    )
    return [{"params": decaying, "weight_decay": DECAY}, {"params": spared, "weight_decay": 0.0}]


def ours_updates(model: nn.Module, optimizer: torch.optim.AdamW) -> None:
    update(model, optimizer, learning_rate=RATE)


def peer_updates(model: nn.Module, optimizer: torch.optim.AdamW) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    model.zero_grad()


def measured(layers: int, batch: tuple[int, int], what: str) -> Iterator[Figure]:
    """Compare steps of so many sequences and tokens, in turn."""
    random = torch.Generator().manual_seed(0)
    pieces = torch.randperm(VOCABULARY - 4, generator=random)[:OCCURRING] + 4
    ours, peer = both(layers, pieces.tolist())
    taken: dict[Side, list[tuple[float, float]]] = {ours: [], peer: []}
    for repeat in range(REPEATS + 1):
        ids = pieces[torch.randint(OCCURRING, batch, generator=random)]
        for side in (ours, peer) if repeat % 2 else (peer, ours):
            seconds = side.learn(ids)
            if repeat:  # the first makes the moments
                taken[side].append(seconds)
    optimiser = ratio([o for _, o in taken[peer]], [o for _, o in taken[ours]])
    yield compared(f"optimiser step, {what}", optimiser, OPTIMISER_GOAL)
    if layers == BASE:
        step = ratio([sum(each) for each in taken[peer]], [sum(each) for each in taken[ours]])
        yield compared(f"whole step of {batch[0]} x {batch[1]} tokens, {what}", step, STEP_GOAL)
        for name, side in (("some rows", ours), ("the whole table", peer)):
            yield Figure(f"a state of {name}, {what}", side.state_bytes / 1e9, "GB", "-", True)


def ratio(peer: list[float], ours: list[float]) -> float:
    return statistics.median(peer) / statistics.median(ours)


def compared(name: str, value: float, goal: float) -> Figure:
    return Figure(name, value, "x", f">= {goal}", value >= goal, PEER)


def main() -> None:
    torch.set_num_threads(2)
    shape = f"{VOCABULARY:,} x {WIDTH}"
    keep(
        "rows",
        "python benchmarks/rows.py",
        [
            *measured(SMALL_BODY, (51, 40), f"table {shape}, one layer"),
            *measured(BASE, (8, 40), "XLM-R base"),
        ],
    )


if __name__ == "__main__":
    main()
