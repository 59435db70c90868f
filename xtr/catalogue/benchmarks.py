"""The benchmarks and their groups of tasks (google-research/xtreme, evaluate.py).

benchmark_languages(XQUAD, "xtreme-r")    -> the eleven of XTREME, and ro
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xtr.catalogue.languages import LANGUAGES
from xtr.catalogue.task import Task

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


def benchmark_languages(task: Task, benchmark: str) -> tuple[str, ...]:
    """List the languages in which a benchmark scores a task; none where it does not count the task."""
    if not any(task.name in group for group in BENCHMARKS[benchmark].values()):
        return ()
    return task.all_languages if benchmark == "xtreme-r" else task.languages


def counted_languages(task: Task, benchmark: str, at_hand: Iterable[str]) -> tuple[str, ...]:
    """Keep the languages that a benchmark averages over.

    Those of the demo world, which nobody speaks, count too, and so do all of a task that the benchmark has not.
    """
    languages = tuple(at_hand)
    counted = benchmark_languages(task, benchmark)
    if not counted:
        return languages
    return tuple(language for language in languages if language in counted or language not in LANGUAGES)
