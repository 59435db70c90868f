"""This is where answers become plain text: aligned columns that fit a terminal and a job's log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from xtr.analysis.leaderboard import best_rows, leaderboard
from xtr.analysis.trials import TrialRow
from xtr.fingerprint import JSON
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec

SCHEMA_VERSION = 1


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align cells under their header: numbers to the right, words to the left."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    numeric = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in table
    )


def _is_number(cell: str) -> bool:
    return cell.strip("+-0123456789., %") == ""


def percent(value: float | None, *, signed: bool = False) -> str:
    """Write a share of 1 as points of 100, with one decimal; a dash for None."""
    if value is None:
        return "-"
    return f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"


def pair_name(pair: Pair) -> str:
    """Name a pair in words: `tydiqa after squad_v1`, `tydiqa alone`."""
    return (
        f"{pair.target} alone" if pair.intermediate == "none" else f"{pair.target} after {pair.intermediate}"
    )


def settings_text(params: dict[str, Value]) -> str:
    """Write settings on one line."""
    return ", ".join(f"{name}={value:g}" for name, value in sorted(params.items())) or "nothing to set"


def leaderboard_text(spec: SweepSpec, trials: Sequence[TrialRow]) -> str:
    """Write the leaderboard: every pair's score and transfer, then the best settings of each target."""
    rows = leaderboard(spec, trials)
    if not rows:
        return "no trial has finished yet"
    header = ("target", "intermediate", "score", "transfer", "same settings", "seeds", "best of n")
    cells = [
        (
            row.target,
            row.intermediate,
            percent(row.score),
            "baseline" if row.intermediate == "none" else percent(row.transfer, signed=True),
            "" if row.intermediate == "none" else percent(row.transfer_same_settings, signed=True),
            str(len(row.seeds)),
            f"{percent(row.expected_best)} of {row.expected_best_n}",
        )
        for row in rows
    ]
    best = [(row.target, row.intermediate, settings_text(row.config)) for row in best_rows(rows)]
    return "\n".join(
        [
            f"leaderboard of {spec.name}: select score of each pair's best settings, in points of 100",
            "",
            columns(header, cells),
            "",
            "best per target",
            columns(("target", "intermediate", "settings"), best),
        ]
    )


def status_document(spec: SweepSpec, trials: Sequence[TrialRow]) -> dict[str, JSON]:
    """Return a sweep's state as a JSON document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "sweep": spec.name,
        "trials": dict(Counter(row.state for row in trials)),
        "seconds": _spent(trials),
        "failed": [
            {"pair": pair_name(row.pair), "number": row.number, "error": str(row.detail.get("error", ""))}
            for row in _failed(trials)
        ],
    }


def status_text(spec: SweepSpec, trials: Sequence[TrialRow]) -> str:
    """Write how far each pair is, and what failed."""
    rows = []
    for pair in spec.pairs.pairs():
        own = [row for row in trials if row.pair == pair]
        states = Counter(row.state for row in own)
        best = max((row.value for row in own if row.value is not None), default=None)
        counts = [str(states.get(state, 0)) for state in ("complete", "pruned", "running")]
        failed = str(states.get("failed", 0) + states.get("diverged", 0))
        rows.append((pair_name(pair), *counts, failed, percent(best)))
    lines = [
        f"{spec.name}: {len(trials)} trials, {_spent(trials):.0f} s of training",
        "",
        columns(("pair", "complete", "stopped early", "running", "failed", "best"), rows),
    ]
    for row in _failed(trials):
        lines += [
            "",
            f"{pair_name(row.pair)} #{row.number} {row.state}:",
            str(row.detail.get("error", "")).strip(),
        ]
    return "\n".join(lines)


def _failed(trials: Sequence[TrialRow]) -> list[TrialRow]:
    return [row for row in trials if row.state in ("failed", "diverged")]


def _spent(trials: Sequence[TrialRow]) -> float:
    spent = [row.detail.get("seconds") for row in trials]
    return round(sum(float(each) for each in spent if isinstance(each, (int, float))), 3)
