"""This is where the search space is said in Optuna's words, and where its storage is opened."""

from __future__ import annotations

from pathlib import Path

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from xtr.spec.space import Choice, Dimension, Fixed, FloatRange, IntRange, LogFloatRange


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


def distribution(dimension: Dimension) -> BaseDistribution:
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
        case Fixed(value):
            return CategoricalDistribution((value,))
