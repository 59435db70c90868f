"""This is where it is planned what `xtr evaluate` will score: every pair's winner in every language and seed.

Winners that are not known yet stand for themselves: as many evaluations of a checkpoint that nothing shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xtr.analysis.planning.cost import Costs
from xtr.analysis.planning.forecast import Forecast
from xtr.analysis.planning.links import asked_of_links, links_of
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Task
from xtr.errors import InputError
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.path import Path, Paths, evaluated_languages
from xtr.stages.stage import EvaluateStage


@dataclass(frozen=True, slots=True)
class Scoring:
    """One stage of an evaluation.

    Attributes:
        kind: evaluate, calibrate (a threshold fitted on another split) or embed (a pool's vectors).
        group: what one worker scores in a row: a checkpoint and a task.
        seconds: of that worker.
    """

    key: str
    kind: str
    group: str
    seconds: float


def planned_scoring(spec: SweepSpec, forecast: Forecast, paths: Paths, costs: Costs) -> list[Scoring]:
    """List what scoring all winners asks for, a stage as often as it is asked."""
    return [each for pair in spec.pairs.pairs() for each in _of_pair(spec, forecast, paths, costs, pair)]


def _of_pair(
    spec: SweepSpec, forecast: Forecast, paths: Paths, costs: Costs, pair: Pair
) -> Iterator[Scoring]:
    settled = forecast.settled(pair)
    if settled is not None:
        for params, seed in settled:
            path = paths.path(pair, params, seed)
            yield from _stages(spec, paths, costs, pair, path, "")
            if params == settled[0][0]:  # of a design the links of one setting, as of its winner
                yield from _links(spec, paths, costs, path, "")
        return
    template = paths.path(pair, {}, spec.search.training_seed)
    for seed in forecast.winner_seeds():
        unknown = f"{pair.intermediate}>{pair.target} {seed} "
        yield from _stages(spec, paths, costs, pair, template, unknown)
        yield from _links(spec, paths, costs, template, unknown)


def _stages(
    spec: SweepSpec, paths: Paths, costs: Costs, pair: Pair, path: Path, unknown: str
) -> Iterator[Scoring]:
    """Ask for every language; `unknown` marks the keys of a checkpoint whose settings are not known yet."""
    task, split = find_task(pair.target_task), spec.stages.evaluate.split
    languages = evaluated_languages(spec, paths.source, task, split)
    try:
        stages = paths.evaluations(path.end, path.target, task, split, languages)
    except InputError:  # the sweep will say so before it scores
        return
    for stage in stages:
        group = f"{unknown}{stage.parent.key} {stage.task}"
        yield Scoring(unknown + stage.key, "evaluate", group, costs.evaluation_seconds(stage))
        if stage.calibration is not None:
            seconds = costs.evaluation_seconds(stage.calibration)
            yield Scoring(unknown + stage.calibration.key, "calibrate", group, seconds)
        if stage.pool is not None:
            yield Scoring(unknown + stage.pool.key, "embed", group, _pool_seconds(costs, task, stage))


def _links(spec: SweepSpec, paths: Paths, costs: Costs, path: Path, unknown: str) -> Iterator[Scoring]:
    """Ask what `stages.evaluate.forgetting` asks of every checkpoint of a winner's path."""
    asked = asked_of_links(spec, paths.source, spec.stages.evaluate.split)
    try:
        links = list(links_of(paths, path, asked))
    except InputError:  # the sweep will say so before it scores
        return
    for link, _, stage in links:
        mark = unknown if link else ""  # every path begins with the same encoder
        group = f"{mark}{stage.parent.key} {stage.task}"
        yield Scoring(mark + stage.key, "evaluate", group, costs.evaluation_seconds(stage))


def _pool_seconds(costs: Costs, task: Task, stage: EvaluateStage) -> float:
    assert stage.pool is not None
    rows = sum(costs.sizes.rows(task, "pool", language) for language, _ in stage.pool.data)
    return costs.scoring_seconds(task.name, rows * costs.sizes.tokens_per_row(task, stage.max_length))
