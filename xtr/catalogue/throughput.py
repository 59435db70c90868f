"""How large encoders are and how fast they train, as facts for plans: rough, and replaced by what was measured.

    SHAPES["xlm-roberta-large"].tokens_per_second(DEVICES["A100"], "bf16")     -> about 34,400
    SHAPES["xlm-roberta-large"].tokens_per_second(DEVICES["A100"], "fp32")     -> about 4,300

Arithmetic of training is 6 operations a token and body parameter (forward 2, backward 4); the embedding table is
looked up. In float32 a GPU's rate is the one without tensor cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xtr.errors import suggest

Computed = Literal["fp32", "bf16"]
OPERATIONS = 6
BYTES = 4
"""Of a weight as it is stored."""

STATE_BYTES = 12
"""Of a weight in the state of a run: itself and AdamW's two moments."""


USED: Mapping[Computed, float] = {"fp32": 0.4, "bf16": 0.2}
"""Shares of a GPU's peak that fine-tuning reaches, as guesses: small steps keep tensor cores waiting."""


@dataclass(frozen=True, slots=True)
class Device:
    """What computes.

    Attributes:
        tflops: operations a second, in 10^12, by what it can compute in: of a GPU at its peak, of a CPU what one
            core reaches.
        used: share of them that fine-tuning reaches.
        ceiling: tokens a second that no encoder passes, as calls and the optimiser take longer than the
            arithmetic of a small one.
    """

    name: str
    tflops: Mapping[Computed, float]
    used: Mapping[Computed, float]
    source: str
    ceiling: float = 50_000

    def computes_in(self, asked: str) -> Computed:
        """Say what `stages.precision` comes to here: `auto` is bf16 where the device has it."""
        return "bf16" if asked != "fp32" and "bf16" in self.tflops else "fp32"


@dataclass(frozen=True, slots=True)
class Shape:
    """An encoder's dimensions, as its config.json names them."""

    layers: int
    hidden: int
    feed_forward: int
    vocabulary: int
    positions: int = 514
    tokenizer_bytes: int = 0
    source: str = "its config.json"
    unused_positions: int = 0

    @property
    def longest(self) -> int:
        """Longest input in tokens; RoBERTa and its kin count positions from behind the padding id."""
        return self.positions - self.unused_positions

    @property
    def body(self) -> int:
        """Parameters that every token meets: attention, feed-forward, biases and norms."""
        h, f = self.hidden, self.feed_forward
        return self.layers * (4 * h * h + 2 * h * f + 9 * h + f)

    @property
    def parameters(self) -> int:
        """All parameters, tables and pooler included."""
        h = self.hidden
        return self.body + (self.vocabulary + self.positions + 3) * h + h * h + h

    def tokens_per_second(self, device: Device, precision: Computed) -> float:
        """Estimate how many tokens one worker trains on in a second."""
        return min(
            device.ceiling,
            device.tflops[precision] * 1e12 * device.used[precision] / (OPERATIONS * self.body),
        )


_XLMR = "Conneau et al. 2020 and Goyal et al. 2021; dimensions of the published configurations"
_XLMR_TOKENIZER = 14_200_000  # tokenizer.json and sentencepiece model, roughly

SHAPES: Mapping[str, Shape] = {
    "xlm-roberta-base": Shape(12, 768, 3072, 250_002, 514, _XLMR_TOKENIZER, _XLMR, 2),
    "xlm-roberta-large": Shape(24, 1024, 4096, 250_002, 514, _XLMR_TOKENIZER, _XLMR, 2),
    "xlm-roberta-xl": Shape(36, 2560, 10_240, 250_880, 514, _XLMR_TOKENIZER, _XLMR, 2),
    "xlm-roberta-xxl": Shape(48, 4096, 16_384, 250_880, 514, _XLMR_TOKENIZER, _XLMR, 2),
    "bert-base-multilingual-cased": Shape(12, 768, 3072, 119_547, 512, 3_000_000, "Devlin et al. 2019"),
    "demo": Shape(2, 96, 384, 1_500, 130, 100_000, "xtr/train/pretrain.py", 2),
    "demo-small": Shape(2, 48, 192, 1_500, 130, 100_000, "xtr/train/pretrain.py", 2),
}
"""By the last part of the hub's name (`FacebookAI/xlm-roberta-base`)."""

UNKNOWN_SHAPE = "xlm-roberta-base"

_PEAKS: Mapping[str, Mapping[Computed, float]] = {
    "H200": {"fp32": 67.0, "bf16": 989.0},
    "H100": {"fp32": 67.0, "bf16": 989.0},
    "A100": {"fp32": 19.5, "bf16": 312.0},
    "L40S": {"fp32": 91.6, "bf16": 362.0},
    "L4": {"fp32": 30.3, "bf16": 121.0},
    "A10G": {"fp32": 31.2, "bf16": 70.0},
    "V100": {"fp32": 15.7},
    "T4": {"fp32": 8.1},
}
"""Of NVIDIA's data sheets, without sparsity."""

DEVICES: Mapping[str, Device] = {
    name: Device(name, peaks, USED, "NVIDIA's data sheet") for name, peaks in _PEAKS.items()
}
"""By the word that the driver's name of the GPU holds: `NVIDIA H200`, `NVIDIA A100-SXM4-80GB`."""

UNKNOWN_GPU = "A100"
CPU_CORE = Device(
    "a CPU core",
    {"fp32": 0.075},
    {"fp32": 1.0},
    "75 GFLOP/s in matrix products on two cores of an AMD EPYC; the demo's encoder reached 5 to 11 thousand",
    ceiling=8_000,
)


def shape_of(name: str) -> Shape | None:
    """Find a published encoder by its hub id, or the demo world's own; `someone/demo` is neither."""
    last = name.rpartition("/")[2]
    return None if last.startswith("demo") and last != name else SHAPES.get(last)


def meant(name: str) -> str:
    """Say which published encoder was probably meant: `did you mean 'xlm-roberta-base'?`, or nothing."""
    return "" if shape_of(name) else suggest(name.rpartition("/")[2], SHAPES)


def device_named(name: str) -> Device | None:
    """Find a GPU by the name that its driver gives."""
    words = name.replace("-", " ").split()
    return next((device for word, device in DEVICES.items() if word in words), None)
