"""This is where it is planned what `stages.evaluate.forgetting` asks of every link of a winner's chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xtr.analysis.records.links import MLM
from xtr.catalogue.benchmarks import BENCHMARKS
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split, Task
from xtr.data.source import Source
from xtr.spec.sweep import SweepSpec
from xtr.stages.path import Path, Paths, evaluated_languages
from xtr.stages.stage import EvaluateStage

PRETRAINED = "pretrained"

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
