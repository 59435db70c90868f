"""This is where it is kept what a sweep has spent, and why its last run ended before its work did.

    sweeps/<name>/spent.jsonl    a line for every stage that a run of the sweep has computed
    sweeps/<name>/ended.json     by the budget or by Ctrl-C; absent while a run goes on and when all is done

Spending is noted when a stage ends or keeps its state; what a killed run did after that is nowhere known.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from xtr.analysis.tables import hours
from xtr.fingerprint import JSON, canonical_json
from xtr.spec.sweep import ComputeSpec, Prices, SweepSpec
from xtr.storage import append_line, read_lines, write_atomic

Limit = Literal["gpu_hours", "wall_hours", "money"]
SPENT, ENDED = "spent.jsonl", "ended.json"


@dataclass(frozen=True, slots=True)
class Spent:
    """Hours of GPUs and of CPU cores, over all workers and all runs of a sweep."""

    gpu_hours: float = 0.0
    cpu_hours: float = 0.0

    def money(self, prices: Prices) -> float:
        """What it cost, in the prices' currency."""
        return self.gpu_hours * prices.gpu_hour + self.cpu_hours * prices.cpu_hour

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.gpu_hours + other.gpu_hours, self.cpu_hours + other.cpu_hours)


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a run came to rest before its work was done: which limit of the budget, or Ctrl-C."""

    by: Literal["budget", "interrupt"]
    what: Limit | None = None
    limit: float | None = None
    spent: float | None = None


def spent_by(compute: ComputeSpec, seconds: float) -> Spent:
    """Turn seconds, summed over workers, into hours of what each worker holds."""
    worker = compute.per_worker
    return Spent(seconds * worker.GPU / 3600, seconds * worker.CPU / 3600)


def note_spent(folder: Path, what: Literal["run", "evaluate"], spent: Spent) -> None:
    """Add to what a sweep has spent."""
    append_line(folder / SPENT, canonical_json({"what": what, **asdict(spent)}))


def read_spent(folder: Path) -> Spent:
    """Sum up what a sweep has spent."""
    lines = [json.loads(line) for line in read_lines(folder / SPENT)]
    return sum((Spent(each["gpu_hours"], each["cpu_hours"]) for each in lines), Spent())


def write_ended(folder: Path, ended: Ended | None) -> None:
    """Keep why a run ended early; None forgets it."""
    if ended is None:
        (folder / ENDED).unlink(missing_ok=True)
    else:
        write_atomic(folder / ENDED, canonical_json(asdict(ended)))


def read_ended(folder: Path) -> Ended | None:
    """Read why the last run ended early; None where it did not, or goes on."""
    path = folder / ENDED
    return Ended(**json.loads(path.read_text())) if path.exists() else None


def spending_document(spec: SweepSpec, folder: Path) -> dict[str, JSON]:
    """Return both as JSON."""
    spent, ended = read_spent(folder), read_ended(folder)
    money = round(spent.money(spec.prices), 4)
    hours: dict[str, JSON] = {name: round(value, 6) for name, value in asdict(spent).items()}
    shown = None if ended is None else {k: v for k, v in asdict(ended).items() if v is not None}
    return {"spent": {**hours, "money": money, "currency": spec.prices.currency}, "ended": shown}


def spending_text(spec: SweepSpec, folder: Path) -> str:
    """Say both in words."""
    spent, ended = read_spent(folder), read_ended(folder)
    lines = [f"spent in all: {spent_text(spec, spent)}"]
    if ended is not None and ended.by == "budget":
        lines += [ended_text(spec, ended), next_text(ended, "xtr run FILE")]
    elif ended is not None:
        lines.append("the last run was interrupted; the same command goes on from there")
    return "\n".join(lines)


def spent_text(spec: SweepSpec, spent: Spent) -> str:
    """Say what was spent; GPUs and money only where there are any."""
    parts = [f"{hours(spent.gpu_hours)} of one GPU"] if spent.gpu_hours else []
    parts.append(f"{hours(spent.cpu_hours)} of one CPU core")
    money = spent.money(spec.prices)
    return ", ".join([*parts, *([f"{money:.2f} {spec.prices.currency}"] if money else [])])


def ended_text(spec: SweepSpec, ended: Ended) -> str:
    """Say which limit was reached."""
    assert ended.spent is not None
    assert ended.limit is not None
    unit = {
        "gpu_hours": "GPU hours are spent",
        "wall_hours": "hours have passed",
        "money": f"{spec.prices.currency} are spent",
    }[ended.what or "money"]
    return f"stopped by budget.{ended.what}: {ended.spent:.3g} of {ended.limit:.3g} {unit}"


def next_text(ended: Ended, command: str) -> str:
    """Name the command that goes on."""
    if ended.what == "wall_hours":
        return f"next: {command}    (each run has the whole time)"
    return f"next: {command} --set budget.{ended.what}={2 * max(ended.limit or 0, ended.spent or 0):.3g}"
