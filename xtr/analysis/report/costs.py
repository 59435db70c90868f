"""This is where it stands what a sweep has cost, what sharing stages saved, and what failed and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from xtr.analysis.records.references import stage_keys
from xtr.analysis.records.spending import spent_text
from xtr.analysis.records.trials import TrialRow
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.section import Cell, Column, Section, Table, counted
from xtr.catalogue.lookup import find_task
from xtr.spec.expressions import parse_intermediate

FAILED = ("failed", "diverged")


def costs(gathered: Gathered) -> Section:
    """Add up what was spent and saved."""
    words = [f"Spent by all runs of the sweep together: {spent_text(gathered.spec, gathered.spent)}."]
    tables = [table for table in [_stages(gathered)] if table.rows]
    if tables:
        words.append(_saved(gathered))
    failures = _failures(gathered)
    if failures.rows:
        tables.append(failures)
    else:
        words.append("No trial has failed.")
    unsaid = (
        [] if tables or not gathered.trials else ["The trials do not say which stages they walked through."]
    )
    walked = {key for row in gathered.trials if row.state == "complete" for key in stage_keys(row)}
    gone = len(walked - gathered.stages.keys())
    if gone:
        told = f"{counted(gone, 'stage')} of the {len(walked):,} that finished trials walked through"
        unsaid.append(f"{told} are not in the store any more: their tokens are not counted.")
    return Section("cost", "Cost, reuse and failures", tuple(words), tuple(tables), unsaid=tuple(unsaid))


def _asked(gathered: Gathered) -> Counter[str]:
    """Count how often trials asked for each stage."""
    return Counter(key for row in gathered.trials for key in stage_keys(row))


def _stages(gathered: Gathered) -> Table:
    asked = _asked(gathered)
    roles = _roles(gathered)
    rows: list[tuple[Cell, ...]] = []
    for kind in dict.fromkeys(roles.values()):
        keys = [key for key in asked if roles[key] == kind]
        entries = [gathered.stages[key] for key in keys if key in gathered.stages]
        alone = sum(asked[each.key] * each.tokens for each in entries)
        trained = sum(each.tokens for each in entries)
        hours = sum(each.worker_seconds for each in entries) / 3600
        n_asked = sum(asked[key] for key in keys)
        rows.append((kind, n_asked, len(keys), len(entries), alone, trained, round(hours, 3)))
    if len(rows) > 1:
        rows.append(("all", *(sum(row[i] for row in rows) for i in range(1, 7))))  # type: ignore[misc]
    columns = (
        Column("stage"),
        *(
            Column(name, "count")
            for name in ("asked", "distinct", "stored", "tokens alone", "tokens trained")
        ),
        Column("worker hours", "number"),
    )
    caption = (
        "Stages that trials asked for, how many differ, how many are stored, and the tokens that they were "
        "trained on: alone, had each trial trained its own, and once each."
    )
    return Table("stages", caption, columns, tuple(rows))


def _roles(gathered: Gathered) -> Mapping[str, str]:
    """Say what each stage was to the first trial that asked for it: links, the target's training, scoring."""
    roles: dict[str, str] = {}
    for row in gathered.trials:
        n_links = len(parse_intermediate(row.intermediate).links)
        n_trained = n_links + (find_task(row.pair.target_task).training_task is not None)
        for i, key in enumerate(stage_keys(row)):
            role = "intermediate" if i < n_links else "target" if i < n_trained else "scoring"
            roles.setdefault(key, role)
    return roles


def _saved(gathered: Gathered) -> str:
    asked = _asked(gathered)
    entries = [gathered.stages[key] for key in asked if key in gathered.stages]
    alone = sum(asked[each.key] * each.tokens for each in entries)
    trained = sum(each.tokens for each in entries)
    told = f"Trials asked for {counted(sum(asked.values()), 'stage')}, of which {len(asked):,} differ"
    if not trained:
        return f"{told}."
    return f"{told}: {alone / trained:.2f} times fewer tokens were trained on than had each trial trained its own."


def _failures(gathered: Gathered) -> Table:
    """Count failed trials by pair and reason, the last line of what went wrong."""
    reasons = Counter(
        (row.target, row.intermediate, row.state, _reason(row))
        for row in gathered.trials
        if row.state in FAILED
    )
    rows: list[tuple[Cell, ...]] = [(*what, n) for what, n in reasons.most_common()]
    columns = (
        *(Column(name) for name in ("target", "intermediate", "state", "reason")),
        Column("trials", "count"),
    )
    return Table("failures", "Trials that failed or diverged, by reason.", columns, tuple(rows))


def _reason(row: TrialRow) -> str:
    lines = str(row.detail.get("error", "")).strip().splitlines()
    reason = lines[-1].strip() if lines else "no reason was recorded"
    return reason if len(reason) <= 160 else f"{reason[:159]}…"
