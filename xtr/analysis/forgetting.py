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


def links_text(rows: Sequence[LinkRow]) -> str:
    """Write one table a winner and task: scores after each link by language, and what has changed in the end."""
    tables: dict[tuple[str, str, str], list[LinkRow]] = {}
    for row in rows:
        if row.metric == _shown(row.task):
            tables.setdefault((row.task, row.intermediate, row.target), []).append(row)
    return "\n\n".join(_table(*name, each) for name, each in tables.items() if each)


def _shown(task: str) -> str:
    return "likelihood" if task == MLM else find_task(task).metric


def _table(task: str, intermediate: str, target: str, rows: Sequence[LinkRow]) -> str:
    languages = list(dict.fromkeys(row.language for row in rows))
    links = sorted({(row.link, row.after) for row in rows})
    told: dict[tuple[int, str], float] = {}
    for link, _ in links:
        for language in languages:
            values = [_told(row) for row in rows if (row.link, row.language) == (link, language)]
            if values:
                told[link, language] = fmean(values)
    lines = [(after, *_cells([told.get((link, each)) for each in languages])) for link, after in links]
    first, last = links[0][0], links[-1][0]
    changes = [
        told[last, each] - told[first, each] if {(last, each), (first, each)} <= told.keys() else None
        for each in languages
    ]
    lines.append(("change", *_cells(changes, signed=True)))
    what = (
        "loss in nats a hidden piece, lower is better"
        if task == MLM
        else f"{_shown(task)} on {rows[0].split}"
    )
    chain = target if intermediate == "none" else f"{intermediate} > {target}"
    return f"{chain}, link by link: {task}, {what}\n{columns(('after', *languages), lines)}"


def _told(row: LinkRow) -> float:
    return -math.log(row.value) if row.metric == "likelihood" else 100 * row.value


def _cells(values: Iterable[float | None], *, signed: bool = False) -> list[str]:
    return ["-" if value is None else f"{value:+.2f}" if signed else f"{value:.2f}" for value in values]
