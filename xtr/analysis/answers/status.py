"""This is where it is told how far a sweep is: trials by pair and state, scores so far, and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from xtr.analysis.answers.leaderboard import winners
from xtr.analysis.records.trials import TrialRow
from xtr.analysis.tables import columns, pair_name, percent
from xtr.fingerprint import JSON
from xtr.spec.sweep import SweepSpec

SCHEMA_VERSION = 1


def status_document(spec: SweepSpec, trials: Sequence[TrialRow]) -> dict[str, JSON]:
    """Return a sweep's state as a JSON document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "sweep": spec.name,
        "select_on": spec.search.select_on,
        "trials": dict(Counter(row.state for row in trials)),
        "seconds": _spent(trials),
        "failed": [
            {"pair": pair_name(row.pair), "number": row.number, "error": str(row.detail.get("error", ""))}
            for row in _failed(trials)
        ],
        "collapsed": [
            {"pair": pair_name(row.pair), "number": row.number, "tasks": list(row.collapsed)}
            for row in trials
            if row.collapsed
        ],
    }


def status_text(spec: SweepSpec, trials: Sequence[TrialRow], *, driven: bool = True) -> str:
    """Write how far each pair is, what failed, and each pair's score on the leaderboard as it stands.

    Args:
        driven: somebody runs the sweep at this moment; else what has begun is unfinished.
    """
    under_way = "running" if driven else "unfinished"
    rows, chosen = [], winners(spec, trials)
    for pair in spec.pairs.pairs():
        own = [row for row in trials if row.pair == pair]
        states = Counter(row.state for row in own)
        score = chosen[pair].score if pair in chosen else None
        counts = [str(states.get(state, 0)) for state in ("complete", "pruned", "running")]
        failed = str(states.get("failed", 0) + states.get("diverged", 0))
        rows.append((pair_name(pair), *counts, failed, percent(score)))
    lines = [
        f"{spec.name}: {len(trials)} trials, {_spent(trials):.0f} s of training",
        *spec.search.caveat,
        "",
        columns(("pair", "complete", "stopped early", under_way, "failed", "score"), rows),
    ]
    if driven and not trials:
        lines += ["", "it is run at this moment and has no trial yet: data and encoder come first"]
    collapsed = [row for row in trials if row.collapsed]
    if collapsed:
        lines += ["", f"{len(collapsed)} collapsed, to one class for all rows:"]
        lines += [
            f"{pair_name(row.pair)} #{row.number}: {', '.join(row.collapsed)} (seed {row.seed}, "
            f"select score {percent(row.value if row.value is not None else row.rung)})"
            for row in collapsed
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
