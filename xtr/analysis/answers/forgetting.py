"""This is where it is told what an encoder forgets from link to link of a chain, without any head of its own.

    after                     en    xa    xb          tatoeba: accuracy, or the loss of masked language modelling
    pretrained               1.9   2.0   2.2
    mnli                     2.3   2.6   3.1
    mnli>squad_v1            2.5   3.0   3.6
    mnli>squad_v1>tydiqa     2.6   3.1   3.9
    change                  +0.7  +1.1  +1.7

Retrieval reads sentence vectors, so any checkpoint can be scored. Masked pieces of held-out text are guessed with
the pretrained model's output layer: the worse it reads what the encoder says now, the further that has drifted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from xtr.analysis.answers.leaderboard import Point
from xtr.analysis.planning.links import asked_of_links, links_of
from xtr.analysis.records.links import MLM, LinkRow
from xtr.analysis.tables import columns
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split
from xtr.data.source import Source
from xtr.spec.sweep import SweepSpec
from xtr.stages.path import Paths
from xtr.stages.stage import EvaluateStage

SMALLEST = 1e-300
"""Likelihood below which all are alike, so that no loss is endless."""


@dataclass(frozen=True, slots=True)
class LinkScoring:
    """An evaluation of a checkpoint on a winner's path."""

    intermediate: str
    target: str
    seed: int
    link: int
    after: str
    stage: EvaluateStage

    def rows(self, scores: Mapping[str, float], n: int) -> Iterator[LinkRow]:
        """Make a row of each metric of the evaluation."""
        stage = self.stage
        winner = (self.intermediate, self.target, self.seed, self.link, self.after)
        for metric, value in scores.items():
            yield LinkRow(*winner, stage.task, stage.split, stage.language, metric, value, n, stage.key)


def planned_links(
    spec: SweepSpec, source: Source, chosen: Iterable[Point], split: Split
) -> list[LinkScoring]:
    """List what `stages.evaluate.forgetting` asks of the winners' chains; nothing where it asks nothing.

    Raises:
        InputError: the files of a task that it names are missing.
    """
    paths, asked = Paths(spec, source), asked_of_links(spec, source, split)
    return [
        LinkScoring(point.pair.intermediate, point.pair.target, point.seed, link, after, stage)
        for point in chosen
        if point.wins
        for link, after, stage in links_of(paths, paths.path(point.pair, point.params, point.seed), asked)
    ]


@dataclass(frozen=True, slots=True)
class Slopes:
    """What a task says of a winner's chain, link by link, over seeds.

    Attributes:
        measure: what `values` are.
        links: (number, after which trainings), in order; the first is the pretrained encoder.
        values: by (link, language): the loss in nats, or points of 100.
    """

    intermediate: str
    target: str
    task: str
    measure: str
    links: tuple[tuple[int, str], ...]
    languages: tuple[str, ...]
    values: Mapping[tuple[int, str], float]

    @property
    def chain(self) -> str:
        """Name the winner: `mnli > tydiqa`, and of `none` the target alone."""
        return self.target if self.intermediate == "none" else f"{self.intermediate} > {self.target}"

    @property
    def changes(self) -> dict[str, float]:
        """The last link minus the first, by language that has both."""
        first, last = self.links[0][0], self.links[-1][0]
        both = (code for code in self.languages if {(first, code), (last, code)} <= self.values.keys())
        return {code: self.values[last, code] - self.values[first, code] for code in both}


def slopes_of(rows: Iterable[LinkRow]) -> list[Slopes]:
    """Average rows over seeds, by task and chain, in the measure that people read: a loss, or points.

    Winners without any training, such as `none` for a retrieval task, have no slope and are left out.
    """
    tables: dict[tuple[str, str, str], list[LinkRow]] = {}
    for row in rows:
        if row.metric == ("likelihood" if row.task == MLM else find_task(row.task).metric):
            tables.setdefault((row.task, row.intermediate, row.target), []).append(row)
    slopes = map(_slopes, tables.values())
    return [each for each in slopes if len(each.links) > 1]


def _slopes(rows: Sequence[LinkRow]) -> Slopes:
    first, over_seeds = rows[0], dict[tuple[int, str], list[float]]()
    for row in rows:
        value = -math.log(max(row.value, SMALLEST)) if row.task == MLM else 100 * row.value
        over_seeds.setdefault((row.link, row.language), []).append(value)
    measure = "loss in nats a hidden piece, lower is better"
    return Slopes(
        first.intermediate,
        first.target,
        first.task,
        measure if first.task == MLM else f"{first.metric} on {first.split}",
        tuple(sorted({(row.link, row.after) for row in rows})),
        tuple(dict.fromkeys(row.language for row in rows)),
        {place: fmean(values) for place, values in over_seeds.items()},
    )


def links_text(rows: Sequence[LinkRow]) -> str:
    """Write one table a winner and task: scores after each link by language, and what has changed in the end."""
    return "\n\n".join(map(_table, slopes_of(rows)))


def _table(slopes: Slopes) -> str:
    languages, values = slopes.languages, slopes.values
    lines = [
        (after, *(f"{values[link, each]:.2f}" if (link, each) in values else "-" for each in languages))
        for link, after in slopes.links
    ]
    changes = slopes.changes
    lines.append(("change", *(f"{changes[each]:+.2f}" if each in changes else "-" for each in languages)))
    title = f"{slopes.chain}, link by link: {slopes.task}, {slopes.measure}"
    return f"{title}\n{columns(('after', *languages), lines)}"
