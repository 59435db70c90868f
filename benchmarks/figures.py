"""This is where a benchmark's figures are printed and kept: one JSON a benchmark, with date and hardware."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from xtr.stages.hardware import hardware_here

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """A measured value and the goal it is held against; beside a peer, the ratio to what the peer takes."""

    name: str
    value: float
    unit: str
    goal: str
    met: bool
    peer: str = ""


def keep(benchmark: str, command: str, figures: list[Figure]) -> None:
    """Print the figures as a table and write them under results/."""
    for figure in figures:
        verdict = "met" if figure.met else "MISSED"
        print(f"{figure.name:<58} {figure.value:>8.2f} {figure.unit:<7} goal {figure.goal:<14} {verdict}")
    document = {
        "schema_version": 1,
        "benchmark": benchmark,
        "command": command,
        "date": date.today().isoformat(),
        "hardware": hardware(),
        "figures": [asdict(figure) | _ratio(figure) for figure in figures],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{benchmark}.json").write_text(json.dumps(document, indent=1) + "\n")


def run_parts(benchmark: str, parts: Mapping[str, Callable[[Path], Iterable[Figure]]]) -> None:
    """Run the parts of a benchmark that the command line names, or all, each in a folder of its own."""
    for part in sys.argv[1:] or parts:
        if part not in parts:
            raise SystemExit(f"{benchmark} has no part {part!r}: {', '.join(parts)}")
        with tempfile.TemporaryDirectory(prefix="xtr-", ignore_cleanup_errors=True) as scratch:
            print(f"== {part}", flush=True)
            figures = list(parts[part](Path(scratch)))
        keep(f"{benchmark.replace('_', '-')}-{part}", f"python benchmarks/{benchmark}.py {part}", figures)


def _ratio(figure: Figure) -> dict[str, float]:
    return {"ratio": figure.value} if figure.peer else {}


def hardware() -> str:
    """Name the processor, count its cores, and name the GPU."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    cores = f"{len(os.sched_getaffinity(0))} cores of {names[0] if names else platform.processor()}"
    return f"{cores}, {hardware_here('cuda') or 'no GPU'}"
