"""The figures of mining: both directions from one pass of tiles, against two flat FAISS searches.

    python benchmarks/mining.py [vectors a side, 20000 otherwise]

All mine the same vectors with the same margins, in turn; a ratio is that of medians of five. Pairs are compared
as sets, as FAISS's sums in float32 order nearly equal scores at will. Without instructions for bfloat16
(avx512_bf16 or AMX) the figure of bfloat16 is missed: there, xtr mines in float32.
"""

from __future__ import annotations

import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.families.bothways import Near, closest_both_ways
from xtr.families.mining import NEIGHBOURS, pairs_by_margin
from xtr.families.neighbours import closest

WIDTH = 1024
REPEATS = 5
GOALS = {"float32": 1.5, "bfloat16": 2.5}
PEER = "two searches of FAISS IndexFlatIP"

Pairs = list[tuple[float, int, int]]


def corpora(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw two sides, half of each translations of each other at cosines about 0.7."""
    random = torch.Generator().manual_seed(0)
    x, y = (functional.normalize(torch.randn(n, WIDTH, generator=random), dim=-1) for _ in range(2))
    y[: n // 2] += x[torch.randperm(n, generator=random)[: n // 2]]
    return x, functional.normalize(y, dim=-1)


def two_searches(x: torch.Tensor, y: torch.Tensor) -> tuple[Near, Near]:
    """Search each direction on its own, as XTREME does."""
    return closest(x, y, NEIGHBOURS), closest(y, x, NEIGHBOURS)


def holds(fact: bool) -> tuple[float, str, str, bool]:
    """Show a fact as a figure's value, unit, goal and verdict."""
    return float(fact), "", "1", fact


def resident() -> float:
    """Tell how much memory this process holds, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def extra_memory(work: Callable[[], object]) -> float:
    """Tell by how much the memory held has grown at most while the work went on, in MiB."""
    before, peak, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak.append(resident() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(peak)


def main() -> None:
    """Time the three in turn, compare their pairs, and keep the ratios."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    x, y = corpora(n)
    ways: dict[str, Callable[[], tuple[Near, Near]]] = {
        PEER: lambda: two_searches(x, y),
        "float32": lambda: closest_both_ways(x, y, NEIGHBOURS, dtype=torch.float32),
        "bfloat16": lambda: closest_both_ways(x, y, NEIGHBOURS, dtype=torch.bfloat16),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    mined: dict[str, Pairs] = {}
    for _ in range(REPEATS):
        for name, search in ways.items():
            started = time.perf_counter()
            mined[name] = pairs_by_margin(*search())
            seconds[name].append(time.perf_counter() - started)
        print({name: round(each[-1], 2) for name, each in seconds.items()}, flush=True)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    expected = {pair[1:] for pair in mined[PEER]}
    figures = [
        Figure(
            "mined from one pass: tiles' type does not matter", *holds(mined["float32"] == mined["bfloat16"])
        )
    ]
    for name, goal in GOALS.items():
        ratio = medians[PEER] / medians[name]
        memory = extra_memory(ways[name])
        what = f"{n} x {n} x {WIDTH} in {name}"
        figures += [
            Figure(f"mining {what}", ratio, "x", f"at least {goal}", ratio >= goal, PEER),
            Figure(
                f"mining {what}: the peer's pairs", *holds({pair[1:] for pair in mined[name]} == expected)
            ),
            Figure(f"mining {what}: more memory", memory, "MiB", "under 500", memory < 500),
        ]
    keep("mining", f"python benchmarks/mining.py {n}", figures)


if __name__ == "__main__":
    main()
