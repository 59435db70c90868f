"""This is where trials that a sweep has had, and those still to come, become one list of paths.

What an adaptive search will propose is not known, so a trial to come stands for the costliest that it may be: of
a finite set of intermediate settings those not met yet, costliest first; of target settings the costliest.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from xtr.analysis.planning.bounds import left_over, leg_share, mean_of, most
from xtr.analysis.planning.cost import Costs
from xtr.analysis.records.trials import TrialRow, finalists, winner
from xtr.catalogue.lookup import find_task
from xtr.spec.budget import (
    grid,
    pair_dimensions,
    search_trials,
    searches,
    space_size,
)
from xtr.spec.expressions import parse_intermediate
from xtr.spec.space import Fixed, Pool, Searched, Value
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.path import Path, Paths
from xtr.stages.stage import EvaluateStage, TrainStage

MOST_SETTINGS = 4096
"""Finite intermediate spaces up to this size are looked at setting by setting."""

Params = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Step:
    """A stage in a plan.

    Attributes:
        key: the stage's, or a name of its own where the settings are not known yet.
        kind: intermediate, target or evaluate.
        tokens: trained on at most.
        likely: trained on, by the mean of what may be proposed.
        seconds: on the workers of one trial.
        stage: the very stage, where its settings are known.
    """

    key: str
    kind: str
    tokens: int
    likely: float
    seconds: float
    stage: TrainStage | EvaluateStage | None = None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A trial as a plan sees it.

    Attributes:
        wave: a pair's trials of one wave may run together; the next wave waits for them.
    """

    pair: Pair
    wave: int
    steps: tuple[Step, ...]


class Forecast:
    """All trials of a sweep.

    Args:
        stored: keys of finished stages.
    """

    def __init__(
        self, spec: SweepSpec, paths: Paths, costs: Costs, trials: Sequence[TrialRow], stored: frozenset[str]
    ) -> None:
        self.spec = spec
        self.paths = paths
        self.costs = costs
        self.stored = stored
        self.n_owed = 0
        self._rows: dict[Pair, list[TrialRow]] = {}
        for row in trials:
            self._rows.setdefault(row.pair, []).append(row)
        self._met: set[str] = set(stored)
        self._steps: dict[str, Step] = {}
        self._settings: dict[tuple[str, int], Iterator[_Point]] = {}
        self._templates: dict[tuple[Pair, int], tuple[Step, ...]] = {}
        self._number = itertools.count()

    def trials(self) -> list[Foreseen]:
        """List every trial that wants stages: told, certain and possible ones."""
        pairs = self.spec.pairs.pairs()
        known = [trial for pair in pairs for trial in self._known(pair)]
        return [*known, *(trial for pair in pairs for trial in self._possible(pair))]

    # -- what is certain -------------------------------------------------------------------------------

    def _known(self, pair: Pair) -> Iterator[Foreseen]:
        """Trials whose settings are known: told ones, and those of a space that is tried as a whole.

        A trial that was stopped early or diverged has left no finished target stage and wants none; one that
        failed is tried again.
        """
        for row in self._rows.get(pair, []):
            self.n_owed += row.state == "failed"
            if row.state in ("running", "complete", "failed"):
                yield self._exact(pair, self._wave(pair, row.phase, row.index), row.params, row.seed)
        n_seeds = len(self._whole_seeds(pair))
        for number, (params, seed) in enumerate(self.certain(pair)):
            self.n_owed += 1
            phase = "search" if seed == self.spec.search.training_seed else "confirm"
            yield self._exact(pair, self._wave(pair, phase, number // n_seeds), params, seed)

    def certain(self, pair: Pair) -> list[tuple[Params, int]]:
        """List the trials still to come whose settings and seed are certain: those of a space tried as a whole."""
        dimensions = pair_dimensions(self.spec, pair)
        seeds = self._whole_seeds(pair)
        had = {(frozenset(row.params.items()), row.seed) for row in self._rows.get(pair, [])}
        points = grid(dimensions) if seeds else []
        return [
            (point, seed)
            for point, seed in itertools.product(points, seeds)
            if (frozenset(point.items()), seed) not in had
        ]

    def _whole_seeds(self, pair: Pair) -> tuple[int, ...]:
        """Name the seeds at which every setting of a pair is tried."""
        size, search = space_size(pair_dimensions(self.spec, pair)), self.spec.search
        if size is None or size > search_trials(self.spec, pair):
            return ()
        return (search.training_seed, *(search.confirm.seeds if size <= search.confirm.top else ()))

    def _exact(self, pair: Pair, wave: int, params: Params, seed: int) -> Foreseen:
        path = self.paths.path(pair, params, seed)
        steps = self._path_steps(path)
        self._met.update(step.key for step in steps)
        return Foreseen(pair, wave, steps)

    def _path_steps(self, path: Path) -> tuple[Step, ...]:
        links = [self._training(stage, "intermediate") for stage in path.intermediate]
        target = [self._training(path.target, "target")] if path.target else []
        return (*links, *target, *map(self._evaluation, path.select))

    def _training(self, stage: TrainStage, kind: str) -> Step:
        name = f"{kind} {stage.key}"
        if name not in self._steps:
            tokens = self.costs.training_tokens(stage)
            seconds = self.costs.training_seconds(stage, tokens)
            self._steps[name] = Step(stage.key, kind, tokens, tokens, seconds, stage)
        return self._steps[name]

    def _evaluation(self, stage: EvaluateStage) -> Step:
        if stage.key not in self._steps:
            seconds = self.costs.evaluation_seconds(stage)
            self._steps[stage.key] = Step(stage.key, "evaluate", 0, 0.0, seconds, stage)
        return self._steps[stage.key]

    # -- what is possible ------------------------------------------------------------------------------

    def _possible(self, pair: Pair) -> Iterator[Foreseen]:
        """Trials to come whose settings are not known yet."""
        certain = self.certain(pair)
        for phase, seed, first, n in self._due(pair):
            n_certain = sum(each == seed for _, each in certain)
            for index in range(first, first + n - n_certain):
                self.n_owed += 1
                yield self._bound(pair, self._wave(pair, phase, index), seed, phase)
        yield from self._controls(pair)

    def _due(self, pair: Pair) -> Iterator[tuple[str, int, int, int]]:
        """Say how many trials are due, and from which index on: (phase, seed, first, n)."""
        rows, search = self._rows.get(pair, []), self.spec.search
        searched = [row for row in rows if row.phase == "search"]
        n_left = max(0, search_trials(self.spec, pair) - len(searched))
        yield "search", search.training_seed, len(searched), n_left
        # A trial to come may push a confirmed one out of the finalists, so till then all are due.
        is_settled = not n_left and all(row.state not in ("running", "failed") for row in searched)
        chosen = {row.number for row in finalists(searched, search.confirm.top)}
        n_finalists = len(chosen) if is_settled else min(search.confirm.top, len(searched) + n_left)
        for seed in search.confirm.seeds:
            own = [row for row in rows if row.phase == "confirm" and row.seed == seed]
            had = sum(row.of in chosen for row in own) if is_settled else 0
            yield "confirm", seed, len(own), n_finalists - had

    def is_over(self, pair: Pair) -> bool:
        """Say whether a pair's search and confirmation have come to an end."""
        running = any(row.state == "running" for row in self._rows.get(pair, []))
        return not running and not any(n for *_, n in self._due(pair))

    def winner_seeds(self) -> tuple[int, ...]:
        """Name the seeds that a winner is trained on, once it is confirmed."""
        search = self.spec.search
        if not search.confirm.seeds or not searches(self.spec):
            return (search.training_seed, *search.confirm.seeds)
        return search.confirm.seeds

    def settled(self, pair: Pair) -> list[tuple[Params, int]] | None:
        """Return what is evaluated, where that is known: the winner at each of its seeds, of a design all."""
        if self.spec.search.design is not None:
            points = grid(pair_dimensions(self.spec, pair))
            return list(itertools.product(points, self.winner_seeds()))
        if not self.is_over(pair):
            size = space_size(pair_dimensions(self.spec, pair))
            point = grid(pair_dimensions(self.spec, pair))[0] if size == 1 else None
            return None if point is None else [(point, seed) for seed in self.winner_seeds()]
        rows = self._rows.get(pair, [])
        best = winner(rows, self.spec.search.confirm.top, searched=searches(self.spec))
        return [] if best is None else [(best.params, seed) for seed in best.seeds]

    def _controls(self, pair: Pair) -> Iterator[Foreseen]:
        """Trials of `none` at a winner's target settings, where its own trials do not cover them."""
        if pair.intermediate == "none" or find_task(pair.target_task).training_task is None:
            return
        baseline = Pair("none", pair.target)
        covered = self._whole_seeds(baseline)
        rows = (row for row in self._rows.get(baseline, []) if row.state != "pruned")
        had = {(frozenset(row.params.items()), row.seed) for row in rows}
        wave, settled = self._last_wave(baseline), self.settled(pair)
        if settled is None:
            for seed in self.winner_seeds():
                if seed not in covered:
                    self.n_owed += 1
                    yield self._bound(baseline, wave, seed, "control")
            return
        for params, seed in settled:
            own = {name: value for name, value in params.items() if name.startswith("target.")}
            if seed not in covered and (frozenset(own.items()), seed) not in had:
                self.n_owed += 1
                yield self._exact(baseline, wave, own, seed)

    def _bound(self, pair: Pair, wave: int, seed: int, phase: str) -> Foreseen:
        """Stand in for a trial with the costliest that it may be."""
        dimensions = pair_dimensions(self.spec, pair)
        target = {name: each for name, each in dimensions.items() if name.startswith("target.")}
        point = next(self._points(pair, seed))
        if point.params is not None and all(isinstance(each, Fixed) for each in target.values()):
            own = {name: each.value for name, each in target.items() if isinstance(each, Fixed)}
            return self._exact(pair, wave, {**point.params, **own}, seed)
        template = self._template(pair, seed)
        number, links = next(self._number), len(point.steps)
        made = [
            replace(step, key=f"{pair.intermediate}>{pair.target} {number} {i}", stage=None)
            for i, step in enumerate(template)
        ]
        steps = [*point.steps, *made[links:]] if point.params is not None else made
        return Foreseen(pair, wave, tuple(self._likely(step, pair, dimensions, phase) for step in steps))

    def _template(self, pair: Pair, seed: int) -> tuple[Step, ...]:
        if (pair, seed) not in self._templates:
            dimensions, listed = pair_dimensions(self.spec, pair), intermediate_settings(self.spec, pair)
            wide = {
                name: most(each)
                for name, each in dimensions.items()
                if not isinstance(each, Pool) and (listed is None or name.startswith("target."))
            }
            params = {**(listed[0] if listed else {}), **wide}
            self._templates[pair, seed] = self._path_steps(self.paths.path(pair, params, seed))
        return self._templates[pair, seed]

    def _likely(self, step: Step, pair: Pair, dimensions: Mapping[str, Searched], phase: str) -> Step:
        """Scale a step whose settings are not known down to the mean of what may be proposed."""
        if step.stage is not None or step.kind == "evaluate":
            return step
        amounts = [
            mean_of(each) / most(each)
            for name, each in dimensions.items()
            if name.startswith(step.kind)
            and name.rpartition(".")[2] in ("epochs", "fraction", "examples")
            and not isinstance(each, Pool)
        ]
        leg = leg_share(self.spec, pair) if step.kind == "target" and phase == "search" else 1.0
        return replace(step, likely=step.tokens * math.prod(amounts) * leg)

    def _points(self, pair: Pair, seed: int) -> Iterator[_Point]:
        """Give the settings of an intermediate, costliest first; then again from the cheapest, for ever.

        So stages that are trained once are bounded from above, and what sharing saves is bounded from below.
        """
        name = (pair.intermediate, seed)
        if name not in self._settings:
            points = self._ordered_points(pair, seed)
            self._settings[name] = itertools.chain(points, itertools.cycle(reversed(points)))
        return self._settings[name]

    def _ordered_points(self, pair: Pair, seed: int) -> list[_Point]:
        points = intermediate_settings(self.spec, pair)
        if points is None:
            return [_Point(None, ())]
        made = []
        for params in points:
            links = self.paths.links(pair, params, seed)
            made.append(_Point(params, tuple(self._training(stage, "intermediate") for stage in links)))
        mean = [
            sum(s.tokens for s in steps) / len(made) for steps in zip(*(p.steps for p in made), strict=True)
        ]
        return [
            _Point(p.params, tuple(replace(s, likely=m) for s, m in zip(p.steps, mean, strict=True)))
            for p in _costliest_first(made, self._met)
        ]

    @property
    def n_stopped(self) -> int:
        """Bound the search trials to come that early stopping stops; their states stay on disk."""
        stopping, size = self.spec.search.early_stopping, self.spec.search.generation
        if stopping is None:
            return 0
        return sum(
            math.ceil(n / size) * (size - left_over(stopping, size))
            for pair in self.spec.pairs.pairs()
            for phase, _, _, n in self._due(pair)
            if phase == "search" and leg_share(self.spec, pair) < 1
        )

    # -- waves -----------------------------------------------------------------------------------------

    def _wave(self, pair: Pair, phase: str, index: int) -> int:
        if phase == "search":
            return index // self.spec.search.generation
        return self._last_wave(pair) - (phase == "confirm")

    def _last_wave(self, pair: Pair) -> int:
        return math.ceil(search_trials(self.spec, pair) / self.spec.search.generation) + 1


@dataclass(frozen=True, slots=True)
class _Point:
    """Settings of an intermediate and its stages; no settings where there are too many to list."""

    params: Params | None
    steps: tuple[Step, ...]


def _costliest_first(points: Sequence[_Point], met: set[str]) -> Iterator[_Point]:
    """Order points so that each adds the most tokens to those before it; links of chains are met once.

    Stages form a tree, so taking the largest addition each time is the costliest choice of any number of points.
    """
    met = set(met)

    def addition(point: _Point) -> int:
        return sum(step.tokens for step in point.steps if step.key not in met)

    heap = [(-addition(point), i) for i, point in enumerate(points)]
    heapq.heapify(heap)
    while heap:
        believed, i = heapq.heappop(heap)
        now = -addition(points[i])
        if now > believed:  # a link of it has been met since
            heapq.heappush(heap, (now, i))
            continue
        met.update(step.key for step in points[i].steps)
        yield points[i]


def intermediate_settings(spec: SweepSpec, pair: Pair) -> list[Params] | None:
    """List the settings that a pair's intermediate stages may have; None where they cannot be listed."""
    own = {name: d for name, d in pair_dimensions(spec, pair).items() if name.startswith("intermediate.")}
    if not parse_intermediate(pair.intermediate).links:
        return [{}]
    size = space_size(own)
    return grid(own) if size is not None and size <= MOST_SETTINGS else None
