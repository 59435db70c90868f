"""This is where the search space is said in Optuna's words, and where its storage is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from xtr.spec.budget import pair_dimensions
from xtr.spec.space import Choice, Fixed, FloatRange, IntRange, LogFloatRange, Pool, Searched, Value
from xtr.spec.sweep import Pair, SweepSpec

Params = dict[str, Value]


def open_storage(path: Path) -> BaseStorage:
    """Open the sweep's journal, after cutting off a line that a crash has torn.

    The caller holds the sweep's lease, so a lock left behind belongs to nobody.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if path.exists():
        with path.open("r+b") as file:  # cut in place: writing it anew could lose it all to the next crash
            file.truncate(file.read().rfind(b"\n") + 1)
    return JournalStorage(JournalFileBackend(str(path)))


def distribution(dimension: Searched) -> BaseDistribution:
    """Say a dimension in Optuna's words."""
    match dimension:
        case Choice(choices):
            return CategoricalDistribution(choices)
        case IntRange(low, high):
            return IntDistribution(low, high)
        case FloatRange(low, high):
            return FloatDistribution(low, high)
        case LogFloatRange(low, high):
            return FloatDistribution(low, high, log=True)
        case Pool(settings):
            return CategoricalDistribution(tuple(range(len(settings))))
        case Fixed(value):
            return CategoricalDistribution((value,))


class PairSpace:
    """What a pair searches: every value by its own name for the sweep, a pool's settings by number for Optuna.

    Attributes:
        fixed: values that do not vary.
        free: what varies, as Optuna names it.
        names: the dotted names of all that varies.
    """

    def __init__(self, spec: SweepSpec, pair: Pair) -> None:
        self.dimensions = pair_dimensions(spec, pair)
        self.fixed: Params = {n: each.value for n, each in self.dimensions.items() if isinstance(each, Fixed)}
        self.free = {n: each for n, each in self.dimensions.items() if not isinstance(each, Fixed)}
        self.distributions = {name: distribution(each) for name, each in self.free.items()}
        self.pools = {name: each for name, each in self.free.items() if isinstance(each, Pool)}
        self.names = frozenset(self.free.keys() - self.pools.keys()).union(
            *(pool.settings[0] for pool in self.pools.values())
        )

    @property
    def is_finite(self) -> bool:
        """Whether its points can be counted."""
        return all(each.is_finite for each in self.free.values())

    def told(self, params: Mapping[str, Value]) -> Params:
        """Say as Optuna is told it what varies of some values."""
        told: Params = {name: value for name, value in params.items() if name in self.free}
        for name, pool in self.pools.items():
            own = {key: value for key, value in params.items() if key in pool.settings[0]}
            number = pool.find(own) if own else None
            if number is not None:
                told[name] = number
        return told

    def meant(self, told: Mapping[str, Value]) -> Params:
        """Say by their own names what Optuna was told, in the order of the space."""
        params: Params = {}
        for name in self.free:
            if name in self.pools and name in told:
                params |= self.pools[name].settings[int(told[name])]
            elif name in told:
                params[name] = told[name]
        return params
