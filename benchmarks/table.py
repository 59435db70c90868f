"""All figures that were kept, as one table: what was measured, its goal, when, and on what.

    python benchmarks/table.py

A benchmark that has left nothing under results/ is told as not measured.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import RESULTS
from xtr.analysis.tables import columns

HEADER = ("benchmark", "figure", "value", "unit", "goal", "met", "date", "hardware")


def kept() -> Iterator[tuple[str, ...]]:
    """Yield a row a figure."""
    for path in sorted(RESULTS.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        for each in document.get("figures", ()):
            met = "yes" if each["met"] else "NO"
            value, goal = f"{each['value']:.2f}", each["goal"]
            yield (
                path.stem,
                each["name"],
                value,
                each["unit"],
                goal,
                met,
                document["date"],
                document["hardware"],
            )


def not_measured() -> Iterator[tuple[str, ...]]:
    """Yield a row for each benchmark that keeps figures and has left none."""
    there = {path.stem for path in RESULTS.glob("*.json")}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        name = path.stem.replace("_", "-")
        text = path.read_text(encoding="utf-8")
        keeps = path.stem != "figures" and re.search(r"\b(keep|run_parts)\(", text)
        if keeps and not any(each == name or each.startswith(f"{name}-") for each in there):
            yield (name, "not measured", "", "", "", "", "", "")


if __name__ == "__main__":
    print(columns(HEADER, [*kept(), *not_measured()]))
