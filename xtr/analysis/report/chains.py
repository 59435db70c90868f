"""This is where it is shown what an encoder keeps and forgets along the winners' chains, language by language.

A line is a language, a point a checkpoint: 0 is the pretrained encoder, then come the links and the target. There
is a section only where `stages.evaluate.forgetting` has asked for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from xtr.analysis.answers.forgetting import Slopes, slopes_of
from xtr.analysis.records.links import MLM
from xtr.analysis.report.charts import About, Panel, Series, panels
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.section import Column, Figure, Section, Table, counted, listed, slug

MOST_CHAINS, MOST_LANGUAGES = 6, 8
"""Chains and languages that are drawn: those that change most, and the source language; files have all."""


def chains(gathered: Gathered) -> Section | None:
    """Draw a figure a task, and write a table of every checkpoint."""
    found = sorted(slopes_of(gathered.links), key=lambda each: each.task)
    if not found:
        return None
    words = (
        "Every checkpoint of the winners' chains, scored without a head of its own: retrieval by its "
        "sentence vectors, masked pieces of held-out text with the pretrained model's output layer. A rising "
        "loss says that the encoder has moved away from what that layer could read; retrieval tells whether "
        "languages have moved apart.",
    )
    figures, tables = [], []
    for task, each in groupby(found, key=lambda slopes: slopes.task):
        of_task = list(each)
        figures.append(_figure(gathered, task, of_task))
        tables.append(_table(task, of_task))
    return Section("chains", "Along the chains", words, (), tuple(figures), (), tuple(tables))


def _figure(gathered: Gathered, task: str, found: Sequence[Slopes]) -> Figure:
    drawn = sorted(found, key=lambda each: -len(each.links))[:MOST_CHAINS]
    languages = _languages(drawn, gathered.spec.stages.source_language)
    shown = [Panel(each.chain, tuple(_series(each, code) for code in languages)) for each in drawn]
    measure = drawn[0].measure
    n = len({code for each in found for code in each.languages})
    caption = (
        f"{task}: {measure}, after so many trainings; 0 is the pretrained encoder. Drawn are "
        f"{counted(len(drawn), 'chain')} of {len(found)} and {counted(len(languages), 'language')} of {n}; "
        f"`forgetting-{slug(task)}.csv` has all."
    )
    alt = f"{task} after each link of {listed([each.chain for each in drawn])}, a line for each language."
    about = About(f"forgetting-{slug(task)}", caption, alt, languages)
    return panels(about, shown, x="trainings", y="loss in nats" if task == MLM else measure)


def _languages(drawn: Sequence[Slopes], source: str) -> list[str]:
    """Choose the languages that change most along any of the chains, the source language first."""
    most: dict[str, float] = {}
    for slopes in drawn:
        for code, change in slopes.changes.items():
            most[code] = max(most.get(code, 0.0), abs(change))
    ranked = sorted(most, key=lambda code: (code != source, -most[code]))
    return ranked[:MOST_LANGUAGES]


def _series(slopes: Slopes, language: str) -> Series:
    points = [
        (link, slopes.values[link, language]) for link, _ in slopes.links if (link, language) in slopes.values
    ]
    return Series(language, [x for x, _ in points], [y for _, y in points])


def _table(task: str, found: Sequence[Slopes]) -> Table:
    columns = (
        Column("target"),
        Column("intermediate"),
        Column("link", "count"),
        Column("after"),
        Column("language"),
        Column("value", "number"),
    )
    rows = tuple(
        (each.target, each.intermediate, link, after, code, each.values[link, code])
        for each in found
        for link, after in each.links
        for code in each.languages
        if (link, code) in each.values
    )
    return Table(f"forgetting-{slug(task)}", f"{task}: {found[0].measure}, after each link.", columns, rows)
