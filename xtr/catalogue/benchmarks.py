"""The benchmarks and their groups of tasks (google-research/xtreme, evaluate.py)."""

from __future__ import annotations

from collections.abc import Mapping

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
