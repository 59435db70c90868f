"""xtr finds the best intermediate task, data size and hyper-parameters for zero-shot cross-lingual transfer."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xtr.api import best, evaluate, export, findings, load_sweep, open_sweep, plan, results, run

# A core that waits for its share of a sum must not spin for long: on a busy machine that costs several times it.
# Not to spin at all makes small sums wait for the scheduler instead: half as slow again on idle cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
__all__ = ["best", "evaluate", "export", "findings", "load_sweep", "open_sweep", "plan", "results", "run"]


def __getattr__(name: str) -> object:
    """Import the functions above when they are first asked for: the rooms below import this file, too."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("xtr.api"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
