"""This is where a report begins: what was asked, and what can be concluded in three sentences."""

from __future__ import annotations

from collections import Counter

from xtr.analysis.records.trials import TrialRow
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.section import Cell, Column, Section, Table, counted, listed, shown
from xtr.analysis.report.standings import SIGNIFICANT, Standing, bounds

WORDS = {"pruned": "stopped early"}
"""What a state is called on the page, where it has another name in the rows."""


def head(gathered: Gathered) -> Section:
    """Say in short what was asked and found."""
    spec = gathered.spec
    question = f"*{spec.description}*" if spec.description else "The sweep file says no `description`."
    return Section(
        "summary",
        "What was asked, and what can be concluded",
        (question, *(f"*{each}*" for each in spec.search.caveat), *conclusions(gathered)),
        (_facts(gathered),),
        unsaid=tuple(_unsaid(gathered)),
    )


def conclusions(gathered: Gathered) -> tuple[str, str, str]:
    """Conclude in three sentences: what helps beyond chance, which pair gains most, what the languages add."""
    return _helped(gathered), _largest(gathered), _abroad(gathered)


def _helped(gathered: Gathered) -> str:
    rivals = [each for each in gathered.standings if each.verdict != "baseline"]
    if not rivals:
        return "No pair with an intermediate task has finished, so nothing can be said about transfer."
    found = {verdict: [_name(each) for each in rivals if each.verdict == verdict] for verdict in _WORDS}
    parts = [
        f"{len(names)} {words}{f' ({listed(names, 3)})' if verdict in ('helps', 'harms') else ''}"
        for (verdict, words), names in zip(_WORDS.items(), found.values(), strict=True)
        if names
    ]
    tested = "the mean over all settings of each" if gathered.is_design else "the best of each"
    return (
        f"Of {counted(len(rivals), 'pair')} with an intermediate task, {tested} held against `none` at the "
        f"same target settings and seeds, {', '.join(parts)} (paired t tests, Holm's correction, "
        f"{SIGNIFICANT:g})."
    )


_WORDS = {
    "helps": "gained beyond chance",
    "harms": "lost beyond chance",
    "undecided": "cannot be told from chance",
    "not tested": "could not be tested",
}


def _largest(gathered: Gathered) -> str:
    tested = [(each.difference, each) for each in gathered.standings if each.difference is not None]
    if not tested:
        return (
            "No pair stands beside `none` at its own settings, so no gain can be told from a luckier search."
        )
    difference, best = max(tested, key=lambda each: each[0].mean)
    low, high = bounds(difference)
    within = (
        "no interval"
        if low is None
        else f"95 % interval of this pair alone {shown(low, 'signed')} to {shown(high, 'signed')}"
    )
    reached = "" if gathered.is_design else f", to a score of {shown(best.row.score, 'points')}"
    return (
        f"The largest difference is that of {_name(best)}: {shown(difference.mean, 'signed')} points "
        f"over {counted(difference.n_seeds, 'seed')} ({within}){reached}."
    )


def _abroad(gathered: Gathered) -> str:
    if gathered.split is None:
        return "No other language has been opened (`xtr evaluate`): all of this is about the source language."
    languages = {code for each in gathered.by_language.values() for code in each}
    foreign = sorted(languages - {gathered.spec.stages.source_language})
    if not foreign:
        return "The winners were scored in the source language alone: nothing can be said of the others."
    gains = [gain for each in gathered.standings if (gain := _gain(gathered, each, foreign)) is not None]
    if not gains:
        return f"On {gathered.split} no winner stands beside that of `none` in another language."
    up = sum(gain > 0 for gain in gains)
    where = f"On {gathered.split}, in {counted(len(foreign), 'other language')}, {up} of "
    if gathered.is_design:
        return f"{where}{counted(len(gains), 'pair')} score above `none` on average over their settings."
    return f"{where}{counted(len(gains), 'winner')} score above the winner of `none` on average."


def _gain(gathered: Gathered, each: Standing, foreign: list[str]) -> float | None:
    """Average what a pair brings over foreign languages that it and `none` have."""
    if each.verdict == "baseline":
        return None
    gains = [gain for code, gain in gathered.brought(each.pair).items() if code in foreign]
    return sum(gains) / len(gains) if gains else None


def _name(each: Standing) -> str:
    return f"`{each.row.intermediate}` for `{each.row.target}`"


def _trial(row: TrialRow) -> str:
    return f"`{row.intermediate}` for `{row.target}` #{row.number} ({', '.join(row.collapsed)})"


def _facts(gathered: Gathered) -> Table:
    spec = gathered.spec
    states = Counter(row.state for row in gathered.trials)
    seeds = sorted({row.seed for row in gathered.trials})
    facts: list[tuple[Cell, ...]] = [
        ("encoder", spec.model.name),
        ("data", spec.data.source),
        ("pairs", f"{len(spec.pairs.pairs())}, on {counted(len(gathered.targets), 'target')}"),
        ("trials", ", ".join(f"{n:,} {WORDS.get(s, s)}" for s, n in sorted(states.items())) or "none yet"),
        ("training seeds", listed([str(seed) for seed in seeds], 12) or "none yet"),
        ("selected on", next(iter(spec.search.caveat), "each target's select split")),
        ("scored on", gathered.split or "nothing beyond the select split"),
    ]
    return Table("facts", "What this report stands on.", (Column("what"), Column("how much")), tuple(facts))


def _unsaid(gathered: Gathered) -> list[str]:
    found = []
    missing = [pair for pair in gathered.of_pair if pair not in gathered.winners]
    if missing:
        names = [f"`{pair.intermediate}` for `{pair.target}`" for pair in missing]
        found.append(f"{counted(len(missing), 'pair')} without a finished trial: {listed(names)}.")
    running = sum(row.state == "running" for row in gathered.trials)
    if running:
        found.append(f"{counted(running, 'trial')} not finished yet: what follows may change.")
    if gathered.collapsed:
        found.append(
            f"{counted(len(gathered.collapsed), 'trial')} collapsed to one class for all rows; curves leave "
            f"them out: {listed([_trial(row) for row in gathered.collapsed])}."
        )
    if gathered.ended is not None:
        ending = "interrupted" if gathered.ended.by == "interrupt" else "ended by its budget"
        found.append(f"The last run was {ending} before its work was done.")
    if gathered.left_out:
        found.append(f"{counted(gathered.left_out, 'score')} left out for being no finite number.")
    return found
