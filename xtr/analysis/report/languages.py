"""This is where scores are told language by language, and the gap to the source language by family and script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from xtr.analysis.answers.groups import FEWEST_LANGUAGES, Group, groups_of
from xtr.analysis.report.charts import About, Dots, dots
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.section import Cell, Column, Figure, Section, Table, cut, listed, slug
from xtr.analysis.report.standings import bounds
from xtr.catalogue.typology import FACTS
from xtr.spec.budget import searches
from xtr.spec.sweep import Pair

MOST_TARGETS = 6
"""Targets that are drawn; the tables hold all of them."""
MOST_SERIES = 4
"""Intermediate tasks in one figure: the leading ones and `none`."""


def languages(gathered: Gathered) -> Section:
    """Show every language of every target that was evaluated."""
    title = "Languages"
    if gathered.split is None:
        why = (
            "No language but the select split's has been opened: run `xtr evaluate`, then `xtr report` again."
        )
        return Section("languages", title, unsaid=(why,))
    scored = [target for target in gathered.targets if _pairs(gathered, target)]
    source = gathered.spec.stages.source_language
    words = (
        f"Scores of the winners on {gathered.split}, in points of 100, means over seeds. *best − none* is "
        "the leading pair's winner minus the winner of `none`, over the seeds that both have, with its t "
        f"interval (95 %). A gap is the score in the source language (`{source}`) minus the mean of the "
        "others.",
        *_flattering(gathered),
        *cut(len(scored), MOST_TARGETS, rest="the tables of all are beside the page"),
    )
    tables = [_table(gathered, target) for target in scored]
    figures = [
        figure
        for target in scored[:MOST_TARGETS]
        for figure in (*_by_language(gathered, target), *_by_group(gathered, target))
    ]
    on_page, apart = tables[:MOST_TARGETS], tables[MOST_TARGETS:]
    unsaid = tuple(_unsaid(gathered, scored))
    gaps = [table for table in [_gaps(gathered, scored)] if table.rows]
    return Section(
        "languages", title, words, (*gaps, *on_page), tuple(figures), unsaid, kept_apart=tuple(apart)
    )


def _flattering(gathered: Gathered) -> Iterable[str]:
    confirm = gathered.spec.search.confirm
    if gathered.is_design or (searches(gathered.spec) and (confirm.top > 1 or not confirm.seeds)):
        yield (
            "The seeds that are scored here have also chosen the winners, on the select split, so these "
            "scores and differences may flatter a little."
        )


def _pairs(gathered: Gathered, target: str) -> list[Pair]:
    """A target's evaluated pairs, as the leaderboard ranks them."""
    ranked = [Pair(row.intermediate, row.target) for row in gathered.ranked(target)]
    return [pair for pair in ranked if pair in gathered.by_language]


def _drawn(gathered: Gathered, target: str) -> list[Pair]:
    """The leading pairs and `none`."""
    pairs = _pairs(gathered, target)
    leading = [pair for pair in pairs if pair.intermediate != "none"][: MOST_SERIES - 1]
    return [*(pair for pair in pairs if pair.intermediate == "none"), *leading]


def _codes(gathered: Gathered, pairs: Sequence[Pair], source: str) -> list[str]:
    """Languages of some pairs: the source first, then by family, script and code."""
    codes = dict.fromkeys(code for pair in pairs for code in gathered.by_language[pair])
    return sorted(codes, key=lambda code: (code != source, *_kin(code), code))


def _kin(code: str) -> tuple[str, str]:
    facts = FACTS.get(code)
    return (facts.branch, facts.script) if facts else ("~", "")


def _table(gathered: Gathered, target: str) -> Table:
    pairs, source = _pairs(gathered, target), gathered.spec.stages.source_language
    leader = next((pair for pair in pairs if pair.intermediate != "none"), None)
    gains = gathered.gains(leader) if leader else {}
    codes = _codes(gathered, pairs, source)
    kinship = ("family", "script") if any(code in FACTS for code in codes if code != source) else ()
    columns = [
        *(Column(name) for name in ("language", *kinship)),
        *(Column(pair.intermediate, "points") for pair in pairs),
        *(Column(name, "signed") for name in ("best − none", "low", "high")),
    ]
    rows: list[tuple[Cell, ...]] = []
    for code in codes:
        facts, gain = FACTS.get(code), gains.get(code)
        scores = [gathered.mean_in(pair, code) for pair in pairs]
        known = (facts.branch if facts else None, facts.script if facts else None)[: len(kinship)]
        rows.append((code, *known, *scores, None if gain is None else gain.mean, *bounds(gain)))
    caption = f"{target}: {gathered.metric(target)} on {gathered.split} by language and intermediate task."
    if leader:
        caption += f" best: {leader.intermediate}."
    return Table(f"languages-{slug(target)}", caption, tuple(columns), tuple(rows))


def _gaps(gathered: Gathered, scored: Sequence[str]) -> Table:
    """Mean, gap and worst language of every evaluated pair."""
    source = gathered.spec.stages.source_language
    rows: list[tuple[Cell, ...]] = []
    for pair in (pair for target in scored for pair in _pairs(gathered, target)):
        scores = {code: fmean(each.values()) for code, each in gathered.by_language[pair].items()}
        others = {code: value for code, value in scores.items() if code != source}
        worst = min(others or scores, key=lambda code: (others or scores)[code])
        gap = scores[source] - fmean(others.values()) if source in scores and others else None
        foreign = fmean(others.values()) if others else None
        line = (pair.target, pair.intermediate, scores.get(source), foreign, gap, worst, scores[worst])
        rows.append(line)
    columns = (
        Column("target"),
        Column("intermediate"),
        Column(source, "points"),
        Column("others", "points"),
        Column("gap", "points"),
        Column("worst"),
        Column("its score", "points"),
    )
    caption = (
        f"Scores on {gathered.split} in the source language, in the others on average, and the gap between."
    )
    return Table("gaps", caption, columns, tuple(rows))


def _by_language(gathered: Gathered, target: str) -> Iterable[Figure]:
    pairs, source = _drawn(gathered, target), gathered.spec.stages.source_language
    codes = _codes(gathered, pairs, source)
    if len(codes) < 2:
        return
    breaks = [i for i in range(1, len(codes)) if i == 1 or _kin(codes[i])[0] != _kin(codes[i - 1])[0]]
    names = {code: f"{code}  {_kin(code)[0]}" if code in FACTS else code for code in codes}
    series = []
    for pair in pairs:
        scores = {names[code]: gathered.mean_in(pair, code) for code in codes}
        series.append(
            Dots(pair.intermediate, {n: 100 * value for n, value in scores.items() if value is not None})
        )
    caption = (
        f"{target}: {gathered.metric(target)} on {gathered.split} in each language; lines part families."
    )
    alt = (
        f"{len(codes)} languages of {target}, a marker for each of "
        f"{listed([pair.intermediate for pair in pairs])}; the numbers stand in the table "
        f"languages-{slug(target)}."
    )
    about = About(f"languages-{slug(target)}", caption, alt, gathered.intermediates)
    yield dots(about, list(names.values()), series, f"{gathered.metric(target)}, points of 100", breaks)


def _by_group(gathered: Gathered, target: str) -> Iterable[Figure]:
    pairs, source = _drawn(gathered, target), gathered.spec.stages.source_language
    if not pairs:
        return
    shared = set.intersection(*(set(gathered.by_language[pair]) for pair in pairs))
    if source not in shared or len(shared & FACTS.keys() - {source}) < FEWEST_LANGUAGES:
        return
    groups = groups_of(sorted(shared - {source}))
    names = [f"{group.by}: {group.name} ({len(group.languages)})" for group in groups]
    series = [
        Dots(
            pair.intermediate,
            {name: _gap(gathered, pair, group, source) for name, group in zip(names, groups, strict=True)},
        )
        for pair in pairs
    ]
    breaks = [i for i in range(1, len(groups)) if groups[i].by != groups[i - 1].by]
    caption = (
        f"{target}: how far each group of languages lies behind the source language, by family, script, "
        "resources and whether XLM-R has seen it; beside each its number of languages."
    )
    alt = f"Gap of {len(groups)} groups of languages of {target} after {listed([p.intermediate for p in pairs])}."
    about = About(f"gaps-{slug(target)}", caption, alt, gathered.intermediates)
    yield dots(about, names, series, "gap, points of 100", breaks)


def _gap(gathered: Gathered, pair: Pair, group: Group, source: str) -> float:
    scores = {code: fmean(each.values()) for code, each in gathered.by_language[pair].items()}
    return 100 * (scores[source] - fmean(scores[code] for code in group.languages))


def _unsaid(gathered: Gathered, scored: Sequence[str]) -> Iterable[str]:
    missing = [target for target in gathered.targets if target not in scored]
    if missing:
        yield f"Not evaluated on {gathered.split}: {listed(missing)}."
    alone = [t for t in scored if all(len(gathered.by_language[pair]) == 1 for pair in _pairs(gathered, t))]
    if alone:
        yield f"One language alone was scored for {listed(alone)}: no gap can be told."
    codes = {code for each in gathered.by_language.values() for code in each}
    known = codes & FACTS.keys() - {gathered.spec.stages.source_language}
    if codes and len(known) < FEWEST_LANGUAGES:
        yield (
            f"Of the languages scored the catalogue knows {len(known)} besides the source; family and script "
            f"need at least {FEWEST_LANGUAGES}, so gaps are not told by group."
        )
    one_seed = [p for p, each in gathered.by_language.items() if max(len(v) for v in each.values()) == 1]
    if one_seed:
        yield f"{len(one_seed)} of {len(gathered.by_language)} winners were scored on one seed: no intervals."
