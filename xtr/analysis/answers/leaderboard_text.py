"""This is where the leaderboard is written for a terminal and a job's log."""

from __future__ import annotations

from collections.abc import Sequence

from xtr.analysis.answers.leaderboard import Row, best_rows, leaderboard
from xtr.analysis.records.trials import TrialRow
from xtr.analysis.tables import columns, pair_name, percent, settings_text
from xtr.catalogue.lookup import find_task
from xtr.spec.expressions import parse_intermediate, target_task
from xtr.spec.sweep import Pair, SweepSpec


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
            str(len(row.seeds)) if _is_trained(row) else "-",
            f"{percent(row.expected_best)} of {row.expected_best_n}",
        )
        for row in rows
    ]
    collapsed = [collapsed_text(row) for row in rows if row.collapsed]
    best = [(row.target, row.intermediate, settings_text(row.config)) for row in best_rows(rows)]
    return "\n".join(
        [
            f"leaderboard of {spec.name}: select score of each pair's best settings, in points of 100",
            *spec.search.caveat,
            "",
            columns(header, cells),
            *(["", "collapsed to one class for all rows", *collapsed] if collapsed else []),
            "",
            "best per target",
            columns(("target", "intermediate", "settings"), best),
        ]
    )


def collapsed_text(row: Row) -> str:
    """Say how many of a pair's trials collapsed, and whether its winner did."""
    told = f"{pair_name(Pair(row.intermediate, row.target))}: {row.collapsed} of {row.trials} trials"
    if not row.collapsed_seeds:
        return told
    seeds = ", ".join(map(str, row.collapsed_seeds))
    return f"{told}; its best settings collapsed, too, at seed{'s' * (len(row.collapsed_seeds) > 1)} {seeds}"


def _is_trained(row: Row) -> bool:
    """Say whether seeds make a difference: retrieval with an encoder as it is has none."""
    links = parse_intermediate(row.intermediate).links
    return bool(links) or find_task(target_task(row.target)).training_task is not None
