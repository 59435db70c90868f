"""This is where stages get their price: tokens, seconds, bytes and money.

    costs.training_tokens(stage)                  -> 31_504: what its manifest will say, or near it
    costs.training_seconds(stage, 31_504)         -> 14.2

Rates are those of earlier stages from the same encoder on the same hardware; else a rough table. What begins with
a checkpoint of another size takes as much longer as it has more arithmetic.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from xtr.analysis.planning.guesses import Guesses
from xtr.analysis.planning.sizes import Sizes
from xtr.catalogue.lookup import find_task
from xtr.catalogue.throughput import (
    BYTES,
    CPU_CORE,
    DEVICES,
    SHAPES,
    STATE_BYTES,
    UNKNOWN_GPU,
    UNKNOWN_SHAPE,
    Device,
    Shape,
    device_named,
    shape_of,
)
from xtr.spec.sweep import Prices, SweepSpec
from xtr.stages.hardware import hardware_here
from xtr.stages.index import Entry
from xtr.stages.stage import EvaluateStage, PretrainStage, Start, TrainStage
from xtr.train.batches import Member, Schedule

FORWARD = 3
"""Scoring runs forward alone, a third of training's arithmetic, so it reads as many times more tokens a second."""

PRETRAINING_SECONDS = 60
"""Of the demo world's own encoder at scale 1."""


class Costs:
    """Prices of one sweep's stages.

    Args:
        earlier: what earlier stages from this encoder took.
        measure: the command that measures rates.
    """

    def __init__(
        self,
        spec: SweepSpec,
        start: Start,
        sizes: Sizes,
        earlier: Sequence[Entry],
        guesses: Guesses,
        measure: str,
    ) -> None:
        self.spec = spec
        self.start = start
        self.sizes = sizes
        self.guesses = guesses
        self.measure = measure
        self._earlier = {each.key: each for each in earlier}
        self._tokens: dict[tuple[object, ...], int] = {}
        self._shapes: dict[str, Shape] = {}

    # -- tokens ----------------------------------------------------------------------------------------

    def training_tokens(self, stage: TrainStage) -> int:
        """Count what a stage trains on over all its epochs, padding left out: recorded, counted or estimated."""
        done = self._earlier.get(stage.key)
        if done is not None:
            return done.tokens
        settings, mixture = stage.settings, stage.settings.mixture.model_dump_json()
        parts = tuple(
            (
                part.name,
                stage.share_of(part),
                *(
                    getattr(part.settings, each)
                    for each in ("fraction", "examples", "max_rows", "max_length")
                ),
            )
            for part in stage.parts
        )
        asked = (parts, settings.epochs, settings.batch_size, mixture, stage.seed)
        if asked not in self._tokens:
            self._tokens[asked] = self._count(stage)
        return self._tokens[asked]

    def _count(self, stage: TrainStage) -> int:
        passes = [self.sizes.one_pass(part, stage.seed) for part in stage.parts]
        settings = stage.settings
        if not stage.is_mixture:
            return round(settings.epochs * passes[0].tokens)
        members = tuple(
            Member(part.name, each.examples, stage.share_of(part))
            for part, each in zip(stage.parts, passes, strict=True)
        )
        mixture = settings.mixture
        schedule = Schedule(
            members, settings.batch_size, 1, stage.seed, mixture.sampling, mixture.cap, mixture.temperature
        )
        share = [  # how many passes over a member one epoch makes
            quota / -(-each.examples // settings.batch_size)
            for quota, each in zip(schedule.quotas, passes, strict=True)
        ]
        return round(settings.epochs * sum(s * each.tokens for s, each in zip(share, passes, strict=True)))

    # -- seconds ---------------------------------------------------------------------------------------

    @property
    def device(self) -> str:
        """What stages train on."""
        return "cuda" if self.spec.compute.per_worker.GPU else "cpu"

    def training_seconds(self, stage: TrainStage, tokens: float) -> float:
        """Estimate how long the workers of one trial train on so many tokens."""
        return self._times(stage) * tokens / (self.rate(stage.task) * self.spec.compute.workers)

    def evaluation_seconds(self, stage: EvaluateStage) -> float:
        """Estimate how long one worker scores."""
        per_row = self._seconds_per_row.get(stage.task)
        if per_row is not None:
            rows = self.sizes.rows(find_task(stage.task), stage.split, stage.language)
            rows = rows if stage.max_rows is None else min(rows, stage.max_rows)
            return self._times(stage) * per_row * rows
        return self._times(stage) * self.scoring_seconds(stage.task, self.sizes.scored_tokens(stage))

    def scoring_seconds(self, task: str, tokens: float) -> float:
        """Estimate how long one worker reads so many tokens without learning from them."""
        return tokens / (FORWARD * self.rate(task))

    def _times(self, stage: TrainStage | EvaluateStage) -> float:
        """Say how many times as long as the sweep's encoder a stage's encoder takes."""
        own, under = self.shape, self.shape_under(stage)
        return under.body / own.body if self._rates else self._guessed(own) / self._guessed(under)

    def start_seconds(self) -> float:
        """Estimate how long the encoder that everything begins with takes to make."""
        return PRETRAINING_SECONDS * self.start.scale if isinstance(self.start, PretrainStage) else 0.0

    def rate(self, task: str) -> float:
        """Tokens that one worker trains on in a second: of this task, of any, or by the rough table."""
        if self._rates:
            return self._rates.get(task, self._rates[""])
        return self._rough_rate

    @property
    def rate_source(self) -> str:
        """Where the rates come from."""
        if self._rates:
            hardware, n = self._remembered[0].hardware, len(self._remembered)
            return f"measured on {n} {'stage' if n == 1 else 'stages'}, {hardware}"
        return "a guess"

    @cached_property
    def _remembered(self) -> list[Entry]:
        """Earlier training on one kind of hardware: this machine's, else what has trained on most tokens."""
        trained = [
            each
            for each in self._earlier.values()
            if each.kind == "train" and each.device == self.device and each.tokens and each.seconds
        ]
        by_hardware: dict[str, int] = {}
        for each in trained:
            by_hardware[each.hardware] = by_hardware.get(each.hardware, 0) + each.tokens
        here = hardware_here(self.device)
        chosen = here if here in by_hardware else max(by_hardware, key=by_hardware.__getitem__, default="")
        return [each for each in trained if each.hardware == chosen]

    @cached_property
    def _rates(self) -> Mapping[str, float]:
        """Tokens a second on one worker by task; of all together under the empty name."""
        tokens: dict[str, int] = {}
        seconds: dict[str, float] = {}
        for each in self._remembered:
            for name in (each.task, ""):
                tokens[name] = tokens.get(name, 0) + each.tokens
                seconds[name] = seconds.get(name, 0.0) + each.worker_seconds
        return {name: tokens[name] / seconds[name] for name in tokens}

    @cached_property
    def _seconds_per_row(self) -> Mapping[str, float]:
        rows: dict[str, int] = {}
        seconds: dict[str, float] = {}
        for each in self._earlier.values():
            if each.kind == "evaluate" and each.device == self.device and each.rows:
                rows[each.task] = rows.get(each.task, 0) + each.rows
                seconds[each.task] = seconds.get(each.task, 0.0) + each.seconds
        return {task: seconds[task] / rows[task] for task in rows}

    @cached_property
    def _rough_rate(self) -> float:
        device, cores = self._assumed_device, 1 if self.device == "cuda" else self.spec.compute.per_worker.CPU
        precision = device.computes_in(self.spec.stages.precision)
        rate, used = cores * self._guessed(self.shape), device.used[precision]
        share = f", {precision}; that {100 * used:.0f} % of it is reached is a guess" if used < 1 else ""
        self.guesses.note(
            "tokens per second on one worker",
            f"{rate:,.0f}",
            f"{self.spec.model.name} on {device.name}, never measured; {device.source}{share}",
            self.measure,
        )
        return rate

    def _guessed(self, shape: Shape) -> float:
        """Guess how many tokens a second one GPU, or one core, trains an encoder on."""
        device = self._assumed_device
        return shape.tokens_per_second(device, device.computes_in(self.spec.stages.precision))

    @cached_property
    def _assumed_device(self) -> Device:
        if self.device == "cpu":
            return CPU_CORE
        return device_named(hardware_here("cuda")) or DEVICES[UNKNOWN_GPU]

    # -- bytes and money -------------------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """The dimensions of the sweep's encoder."""
        return self._shape(self.start)

    def shape_under(self, stage: TrainStage | EvaluateStage) -> Shape:
        """The dimensions of the encoder that a stage's path begins with: the sweep's, or a checkpoint's."""
        parent = stage.parent
        while isinstance(parent, TrainStage):
            parent = parent.parent
        return self._shape(parent)

    def _shape(self, start: Start) -> Shape:
        """Read an encoder's config.json where that is at hand, else take what is published."""
        if start.key not in self._shapes:
            self._shapes[start.key] = self._find_shape(start)
        return self._shapes[start.key]

    def _find_shape(self, start: Start) -> Shape:
        own = [self.sizes.root / "stages" / start.key / "encoder"]  # of the demo world
        for folder in own if isinstance(start, PretrainStage) else encoder_folders(start.name):
            if (folder / "config.json").exists():
                return _read_shape(folder)
        known = shape_of(start.name)
        if known is None:
            self.guesses.note(
                "size of the encoder",
                f"that of {UNKNOWN_SHAPE}",
                f"{start.name} is not at hand and not in the catalogue",
                self.sizes.prepare,
            )
        return known or SHAPES[UNKNOWN_SHAPE]

    def stage_bytes(self, stage: TrainStage | EvaluateStage | None) -> int:
        """Of a finished training stage: weights in float32, and the tokenizer; None takes the sweep's encoder."""
        shape = self.shape if stage is None else self.shape_under(stage)
        return BYTES * shape.parameters + shape.tokenizer_bytes

    @property
    def state_bytes(self) -> int:
        """Of a run's state: weights and AdamW's moments."""
        return STATE_BYTES * self.shape.parameters

    def money(self, gpu_hours: float, cpu_hours: float) -> float | None:
        """Return what so many hours cost; None where the sweep names no prices."""
        prices: Prices = self.spec.prices
        if not (prices.gpu_hour or prices.cpu_hour):
            return None
        return gpu_hours * prices.gpu_hour + cpu_hours * prices.cpu_hour


def encoder_folders(name: str) -> list[Path]:
    """Where an encoder's config.json may lie on this machine: in its own folder, or in the hub's cache."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    snapshots = cache / f"models--{name.replace('/', '--')}" / "snapshots"
    return [Path(name).expanduser(), *(snapshots.glob("*") if snapshots.is_dir() else ())]


def _read_shape(folder: Path) -> Shape:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = [*folder.glob("tokenizer*.json"), *folder.glob("*.model"), *folder.glob("*.txt")]
    return Shape(
        layers=int(config["num_hidden_layers"]),
        hidden=int(config["hidden_size"]),
        feed_forward=int(config["intermediate_size"]),
        vocabulary=int(config["vocab_size"]),
        positions=int(config["max_position_embeddings"]),
        tokenizer_bytes=sum(path.stat().st_size for path in tokenizer),
    )
