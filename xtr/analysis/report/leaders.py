"""This is where the leaderboard stands with its intervals, and the map of what each intermediate task brings."""

from __future__ import annotations

from collections.abc import Iterable

from xtr.analysis.answers.leaderboard_text import collapsed_text
from xtr.analysis.report.charts import About, heat_map
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.section import Cell, Column, Figure, Section, Table, listed
from xtr.analysis.report.standings import Standing, bounds
from xtr.statistics.intervals import Interval

MOST_CELLS = 400
"""A map with more cells than these is not read any more; its numbers stand in the table."""


def leaders(gathered: Gathered) -> Section:
    """Rank the pairs of each target, and map what each brings."""
    if not gathered.standings:
        return Section(
            "leaderboard",
            "Leaderboard",
            unsaid=("No trial has finished yet, so nothing can be ranked.",),
        )
    scored_on = "the select split"
    if gathered.spec.search.select_on == "oracle":
        scored_on = "other languages' dev sets (of what is never trained, of the select split)"
    words = (
        f"Scores are those of {scored_on}, in points of 100: the mean over the seeds that confirm a "
        "pair's best settings, with Student's t interval (95 %), cut at 0 and 100. *transfer* is a pair's "
        "best minus the best of `none`; it also rewards luckier settings.",
        _tested(gathered),
    )
    table = Table(
        "leaderboard",
        "Select score of each pair's best settings, best first within a target.",
        _columns(gathered),
        tuple(_line(each) for each in gathered.standings),
    )
    figures = tuple(_maps(gathered))
    return Section("leaderboard", "Leaderboard", words, (table,), figures, tuple(_unsaid(gathered)))


def _tested(gathered: Gathered) -> str:
    """Say what is held against `none`, and why chance may be told from it."""
    if gathered.is_design:
        return (
            "*all settings* is the mean over all settings of a pair, each minus `none` at the same target "
            "settings, seed by seed: what the intermediate task brings, whatever it is set to. The finding "
            "goes by it. Score and transfer are of the best settings, which these seeds have chosen, so they "
            "flatter; no finding is about them. What holds at single settings, contrasts tell (`xtr findings`)."
        )
    told = (
        "*same settings* is the pair's best minus `none` at the same target settings, seed by seed: what the "
        "intermediate task itself brings. The finding goes by it."
    )
    if gathered.spec.search.confirm.top > 1:
        told += (
            " The seeds that confirm have also chosen among finalists, so the score flatters; p and the "
            "interval of the difference allow for the number of finalists (Bonferroni)."
        )
    return told


def _columns(gathered: Gathered) -> tuple[Column, ...]:
    return (
        Column("target"),
        Column("intermediate"),
        Column("score", "points"),
        Column("low", "points"),
        Column("high", "points"),
        Column("transfer", "signed"),
        Column("all settings" if gathered.is_design else "same settings", "signed"),
        Column("lower end", "signed"),
        Column("upper end", "signed"),
        Column("p (Holm)", "p"),
        Column("seeds", "count"),
        Column("finding"),
    )


def _line(each: Standing) -> tuple[Cell, ...]:
    row, difference = each.row, each.difference
    low, high = (None if end is None else min(max(end, 0.0), 1.0) for end in bounds(each.score))
    is_baseline = each.verdict == "baseline"
    return (
        row.target,
        row.intermediate,
        row.score,
        low,
        high,
        None if is_baseline else row.transfer,
        None if difference is None else difference.mean,
        *bounds(difference),
        each.p_holm,
        len(row.seeds),
        each.verdict,
    )


def _maps(gathered: Gathered) -> Iterable[Figure]:
    rivals = [each for each in gathered.standings if each.verdict != "baseline"]
    strong = {
        (each.row.intermediate, each.row.target) for each in rivals if each.verdict in ("helps", "harms")
    }
    differences = {
        (each.row.intermediate, each.row.target): each.difference.mean
        for each in rivals
        if each.difference is not None
    }
    if gathered.is_design:
        same = abroad = (
            "the mean over a pair's settings, each minus `none` at the same target settings and seeds"
        )
    else:
        same = "each pair's best minus `none` at the same target settings and seeds"
        abroad = "each pair's winner minus the winner of `none`"
    yield from _map(
        gathered,
        differences,
        "transfer",
        f"Transfer on the select split: {same}, in points; lighter is higher. Bold: beyond chance. White: not "
        "known.",
        strong,
    )
    yield from _map(
        gathered,
        _foreign(gathered, rivals),
        f"transfer-{gathered.split}",
        f"Zero-shot transfer on {gathered.split}: {abroad}, in points, on average over the languages other "
        "than the source.",
    )


def _foreign(gathered: Gathered, rivals: list[Standing]) -> dict[tuple[str, str], float]:
    """Average what each pair brings over the languages but the source."""
    source, found = gathered.spec.stages.source_language, {}
    for each in rivals:
        foreign = [gain for code, gain in gathered.brought(each.pair).items() if code != source]
        if foreign:
            found[each.row.intermediate, each.row.target] = sum(foreign) / len(foreign)
    return found


def _map(
    gathered: Gathered,
    values: dict[tuple[str, str], float],
    name: str,
    caption: str,
    strong: Iterable[tuple[str, str]] = (),
) -> Iterable[Figure]:
    rows = [each for each in gathered.intermediates if any(row == each for row, _ in values)]
    columns = [each for each in gathered.targets if any(column == each for _, column in values)]
    if len(values) < 2 or len(rows) * len(columns) > MOST_CELLS:
        return
    highest = max(values, key=lambda cell: values[cell])
    alt = (
        f"Map of {len(rows)} intermediate tasks by {len(columns)} targets. Highest: {highest[0]} for "
        f"{highest[1]}, {100 * values[highest]:+.1f}; lowest {100 * min(values.values()):+.1f}."
    )
    points = {cell: 100 * value for cell, value in values.items()}
    yield heat_map(About(name, caption, alt), rows, columns, points, frozenset(strong))


def _unsaid(gathered: Gathered) -> Iterable[str]:
    by_why: dict[str, list[str]] = {}
    for each in gathered.standings:
        if each.why:
            by_why.setdefault(each.why, []).append(f"`{each.row.intermediate}` for `{each.row.target}`")
    for why, names in by_why.items():
        yield f"Not tested, because {why}: {listed(names)}."
    alike = [each for each in gathered.standings if _is_flat(each.score)]
    if alike:
        names = [f"`{each.row.intermediate}` for `{each.row.target}`" for each in alike]
        yield f"Scores without spread over seeds, so without an interval: {listed(names)}."
    for each in gathered.standings:
        if each.row.collapsed_seeds:
            yield f"Best settings that collapsed themselves: {collapsed_text(each.row)}."
    bare = [each.row.target for each in gathered.standings if each.row.baseline is None]
    if bare:
        yield f"No `none` has finished for {listed(sorted(set(bare)))}: no transfer can be told."


def _is_flat(interval: Interval) -> bool:
    return interval.n_seeds > 1 and bounds(interval) == (None, None)
