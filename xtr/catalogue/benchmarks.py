"""The benchmarks and their groups of tasks (google-research/xtreme, evaluate.py).

benchmark_languages(XQUAD, "xtreme-r")    -> the eleven of XTREME, and ro
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from xtr.catalogue.task import Task

Benchmark = Literal["xtreme", "xtreme-r"]

XTREME: Mapping[str, tuple[str, ...]] = {
    "classification": ("xnli", "pawsx"),
    "tagging": ("udpos", "panx"),
    "qa": ("xquad", "mlqa", "tydiqa"),
    "retrieval": ("bucc2018", "tatoeba"),
}
XTREME_R: Mapping[str, tuple[str, ...]] = {
    "classification": ("xnli", "xcopa"),
    "tagging": ("udpos", "panx"),
    "qa": ("xquad", "mlqa", "tydiqa"),
    "retrieval": ("tatoeba", "mewslix", "lareqa"),
}
BENCHMARKS: Mapping[str, Mapping[str, tuple[str, ...]]] = {"xtreme": XTREME, "xtreme-r": XTREME_R}


def benchmark_languages(task: Task, benchmark: Benchmark) -> tuple[str, ...]:
    """List the languages in which a benchmark scores a task; none where it does not count the task."""
    if not any(task.name in group for group in BENCHMARKS[benchmark].values()):
        return ()
    return task.all_languages if benchmark == "xtreme-r" else task.languages
