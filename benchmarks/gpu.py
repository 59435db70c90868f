"""Training steps on a GPU beside a loop as the HF Trainer runs it: bf16, dynamic padding, fused AdamW.

    python benchmarks/gpu.py            # on a machine with torch, transformers and numpy, and xtr's source here
    python benchmarks/gpu.py --tiny     # the same on a CPU with tiny models, to see that it runs

XLM-R's shapes with random weights and random tokens, at lengths as MNLI and SQuAD have them. Both sides make the
same steps of 32 examples in turns; ours goes through `xtr.train.loop.train` as every stage does. Told are useful
tokens a second, padding left out, and the share of the card's bf16 peak that they need (6 x body parameters and
12 x layers x length x width a token), medians over the repeats.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from transformers import (
    XLMRobertaConfig,
    XLMRobertaForQuestionAnswering,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from benchmarks.figures import Figure, keep
from xtr.families.family import Example, Tokens
from xtr.families.pair import Pair
from xtr.families.span import Span
from xtr.model.heads import SentenceHead, TaskModel, TokenHead
from xtr.model.precision import settled
from xtr.model.world import World
from xtr.train.loop import Learner, Pause, Recipe, train
from xtr.train.step import Lesson

BATCH, PAD, CLASSES = 32, 1, 3
LEARNING_RATE, WEIGHT_DECAY = 1e-5, 0.01
TIME_LIMIT_S = 8 * 60
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""bf16 operations a second without sparsity, as NVIDIA's data sheets have them."""


@dataclass(frozen=True)
class Work:
    """A shape, lengths, and the ratio to the peer that is asked for."""

    name: str
    shape: dict[str, int]
    median: int
    spread: float
    longest: int
    spans: bool
    goal: float


LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
WORKS = (
    Work("large, MNLI lengths", LARGE, 36, 0.5, 128, spans=False, goal=2.2),
    Work("large, SQuAD lengths", LARGE, 178, 0.37, 384, spans=True, goal=2.0),
    Work("base, 32 x 40 tokens", BASE, 40, 0.0, 40, spans=False, goal=1.4),
)


class Side:
    """One of the two loops, its model on the device."""

    def __init__(self, work: Work, vocabulary: int, device: str) -> None:
        self.work, self.device = work, device
        config = XLMRobertaConfig(
            vocab_size=vocabulary,
            max_position_embeddings=514,
            type_vocab_size=1,
            pad_token_id=PAD,
            **work.shape,
        )
        torch.manual_seed(0)
        with torch.device(device):
            self.model: torch.nn.Module = self.built(config)

    def built(self, config: XLMRobertaConfig) -> torch.nn.Module:
        raise NotImplementedError

    def seconds(self, examples: Sequence[Example], warm: int) -> float:
        """Train on all examples, and time the steps after the first `warm`."""
        raise NotImplementedError

    def now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


class Ours(Side):
    def built(self, config: XLMRobertaConfig) -> TaskModel:
        width, spans = self.work.shape["hidden_size"], self.work.spans
        head = TokenHead(width, 2) if spans else SentenceHead(width, CLASSES)
        model = TaskModel(XLMRobertaModel(config, add_pooling_layer=False), head)
        model.precision = "bf16" if self.device == "cpu" else settled("auto", self.device)
        return model

    def seconds(self, examples: Sequence[Example], warm: int) -> float:
        times: list[float] = []

        def stop() -> bool:
            if len(times) < warm:
                times.append(self.now())
            return False

        lesson = Lesson("mnli", Span() if self.work.spans else Pair(), examples)
        tokenizer: Any = SimpleNamespace(pad_token_id=PAD)
        recipe = Recipe("mnli", 1, LEARNING_RATE, 1, BATCH, 0.1, WEIGHT_DECAY)
        with tempfile.TemporaryDirectory(prefix="xtr-") as folder:
            pause = Pause(Path(folder), 10**9, stop=stop)
            learner = Learner(self.model, tokenizer, (lesson,))  # type: ignore[arg-type]
            train(learner, recipe, pause=pause, score=lambda _: {}, world=World(device=self.device))
        return self.now() - times[-1]


class Peer(Side):
    def built(self, config: XLMRobertaConfig) -> torch.nn.Module:
        config.num_labels = 2 if self.work.spans else CLASSES
        kind = XLMRobertaForQuestionAnswering if self.work.spans else XLMRobertaForSequenceClassification
        return kind(config)

    def seconds(self, examples: Sequence[Example], warm: int) -> float:
        model, start = self.model.train(), 0.0
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
        )
        n_steps = len(examples) // BATCH
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
        order = random.Random(1).sample(range(len(examples)), len(examples))
        for step in range(n_steps):
            if step == warm:
                start = self.now()
            chosen = [examples[i] for i in order[step * BATCH : (step + 1) * BATCH]]
            inputs = {name: tensor.to(self.device) for name, tensor in self.collated(chosen).items()}
            with torch.autocast(self.device, torch.bfloat16):
                loss = model(**inputs).loss
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        return self.now() - start

    def collated(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        longest = max(example.length for example in examples)
        ids = torch.full((len(examples), longest), PAD)
        for i, example in enumerate(examples):
            ids[i, : example.length] = torch.tensor(example.sequences[0].input_ids)
        inputs = {"input_ids": ids, "attention_mask": (ids != PAD).long()}
        targets = torch.tensor([example.target for example in examples])
        if self.work.spans:
            return {**inputs, "start_positions": targets[:, 0], "end_positions": targets[:, 1]}
        return {**inputs, "labels": targets[:, 0]}


def examples_of(work: Work, n: int, vocabulary: int) -> list[Example]:
    """Draw lengths log-normally, tokens and targets evenly."""
    rng = np.random.default_rng(0)
    lengths = np.clip(work.median * np.exp(work.spread * rng.standard_normal(n)), 8, work.longest).astype(int)
    examples = []
    for i, length in enumerate(lengths.tolist()):
        ids = tuple(rng.integers(5, vocabulary, length).tolist())
        target = (1, length - 2) if work.spans else (i % CLASSES,)
        places = tuple((0, 1) for _ in ids) if work.spans else ()
        examples.append(Example(i, (Tokens(ids),), target, places))
    return examples


def operations(examples: Sequence[Example], shape: dict[str, int]) -> float:
    """Count what forward and backward of these examples' own tokens need."""
    width, layers = shape["hidden_size"], shape["num_hidden_layers"]
    body = layers * (4 * width * width + 2 * width * shape["intermediate_size"])
    return float(sum(6 * body * each.length + 12 * layers * width * each.length**2 for each in examples))


def measured(work: Work, n_steps: int, vocabulary: int, device: str, until: float) -> list[Figure]:
    """Let both sides take turns, ours first and last alike, and say what each came to."""
    warm = n_steps // 4
    examples = examples_of(work, n_steps * BATCH, vocabulary)
    sides = {"peer": Peer(work, vocabulary, device), "ours": Ours(work, vocabulary, device)}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(5):
        for name in sorted(sides, reverse=bool(turn % 2)):
            taken[name].append(sides[name].seconds(examples, warm))
        if time.monotonic() > until:
            break
    share = (n_steps - warm) / n_steps
    n_tokens = share * sum(example.n_tokens for example in examples)
    ratio = statistics.median(p / o for p, o in zip(taken["peer"], taken["ours"], strict=True))
    name = f"{work.name}, {len(taken['ours'])} repeats"
    peer = "a loop as the HF Trainer's: bf16, dynamic padding"
    figures = [Figure(f"{name}: ratio", ratio, "x", f">= {work.goal}", ratio >= work.goal, peer)]
    card = torch.cuda.get_device_name() if device == "cuda" else ""
    peak = next((value for known, value in PEAKS.items() if known in card), None)
    for side, seconds in taken.items():
        rate = n_tokens / statistics.median(seconds)
        figures.append(Figure(f"{name}: {side}", rate, "tok/s", "told", met=True))
        if peak is not None:
            mfu = 100 * share * operations(examples, work.shape) / statistics.median(seconds) / peak
            goal = 35.0 if work.spans and side == "ours" else 0.0
            told = f">= {goal:g}" if goal else "told"
            figures.append(Figure(f"{name}: {side}, MFU", mfu, "%", told, mfu >= goal))
    return figures


def main() -> None:
    tiny = "--tiny" in sys.argv[1:]
    if not tiny and not torch.cuda.is_available():
        print("not measured: there is no GPU here; --tiny shows on a CPU that it runs")
        return
    began, figures = time.monotonic(), []
    torch.set_num_threads(2)
    for number, work in enumerate(WORKS):
        until = began + TIME_LIMIT_S * (number + 1) / len(WORKS)
        if tiny:
            small = Work(work.name, TINY, work.median, work.spread, work.longest, work.spans, 0.0)
            figures += measured(small, n_steps=4, vocabulary=500, device="cpu", until=0.0)
        else:
            figures += measured(work, n_steps=40, vocabulary=250_002, device="cuda", until=until)
            torch.cuda.empty_cache()
    if tiny:
        for figure in figures:
            print(f"{figure.name:<58} {figure.value:>10.2f} {figure.unit}")
    else:
        keep("gpu", "python benchmarks/gpu.py", figures)


if __name__ == "__main__":
    main()
