"""This is where it is told what an encoder forgets from link to link of a chain, without any head of its own.

    after                     en    xa    xb          tatoeba: accuracy, or the loss of masked language modelling
    pretrained               1.9   2.0   2.2
    mnli                     2.3   2.6   3.1
    mnli>squad_v1            2.5   3.0   3.6
    mnli>squad_v1>tydiqa     2.6   3.1   3.9
    change                  +0.7  +1.1  +1.7

Retrieval reads sentence vectors, so any checkpoint can be scored. Masked pieces of held-out text are guessed with
the pretrained model's output layer: the worse it reads what the encoder says now, the further that has drifted.

sweeps/<name>/forgetting.jsonl    one row per winner, seed, link, task, language and metric
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path as Folder
from statistics import fmean

from xtr.analysis.leaderboard import Point
from xtr.analysis.tables import columns
from xtr.catalogue.benchmarks import BENCHMARKS
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split, Task
from xtr.data.source import Source
from xtr.fingerprint import canonical_json
from xtr.spec.sweep import SweepSpec
from xtr.stages.path import Path, Paths
from xtr.stages.preflight import evaluated_languages
from xtr.stages.stage import EvaluateStage
from xtr.storage import read_lines, write_atomic

FILE = "forgetting.jsonl"
PRETRAINED, MLM = "pretrained", "mlm"
SMALLEST = 1e-300
"""Likelihood below which all are alike, so that no loss is endless."""


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One metric of one checkpoint on a winner's path, in one language.

    Attributes:
        intermediate, target, seed: the winner.
        link: how many trainings the checkpoint has behind it; 0 is the pretrained encoder.
        after: those trainings, as the sweep names them: `mnli>squad_v1`.
        value: in [0, 1]; the loss of masked language modelling is minus the logarithm of `likelihood`, in nats.
        n: rows that were scored.
        stage: the evaluation's key.
    """

    intermediate: str
    target: str
    seed: int
    link: int
    after: str
    task: str
    split: Split
    language: str
    metric: str
    value: float
    n: int
    stage: str = ""


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


Asked = Sequence[tuple[Task, Split, tuple[str, ...]]]


def links_of(paths: Paths, path: Path, asked: Asked) -> Iterator[tuple[int, str, EvaluateStage]]:
    """Ask every checkpoint of a path the same, the pretrained encoder first."""
    for link, end in enumerate((path.start, *path.training)):
        after = ">".join(stage.task for stage in path.training[:link]) or PRETRAINED
        for task, split, languages in asked:
            for stage in paths.evaluations(end, None, task, split, languages):
                yield link, after, stage


def asked_of_links(spec: SweepSpec, source: Source, split: Split) -> Asked:
    """Resolve `stages.evaluate.forgetting`: which tasks, splits and languages; those at hand, or those named."""
    forgetting = spec.stages.evaluate.forgetting
    if not forgetting:
        return []
    of_benchmark = [name for group in BENCHMARKS[spec.stages.evaluate.benchmark].values() for name in group]
    retrieval = [name for name in of_benchmark if find_task(name).training_task is None]
    named = forgetting if isinstance(forgetting, tuple) else ()
    names = named or (*retrieval, MLM)
    asked = []
    for task in map(find_task, names):
        own = _held_out(source, task) if task.name == MLM else split
        at_hand = source.languages(task, own)
        wanted = evaluated_languages(spec, source, task, own)
        languages = tuple(code for code in at_hand if code in wanted or task.name == MLM)
        if languages or named:
            asked.append((task, own, languages or wanted))
    return asked


def _held_out(source: Source, task: Task) -> Split:
    """Text of its own, or else the lines that training holds out to select on."""
    return "dev" if source.languages(task, "dev") else "select"


def write_links(folder: Folder, rows: Iterable[LinkRow], split: Split) -> None:
    """Replace the rows that an evaluation on a split came to; those of held-out text belong to every one."""
    kept = [row for row in read_links(folder) if row.split != split and row.task != MLM]
    write_atomic(folder / FILE, "".join(canonical_json(asdict(row)) + "\n" for row in [*kept, *rows]))


def read_links(folder: Folder) -> list[LinkRow]:
    """Read every row; none where nobody asked."""
    return [LinkRow(**json.loads(line)) for line in read_lines(folder / FILE)]


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
