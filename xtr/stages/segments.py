"""This is where runs of several lengths find out what they share: the segments of a trunk, and the tails.

    fractions 0.25, 0.5 and 1 of 1,000 examples, 10 a step, a tenth of each run for the decay:

    0 ------ 22 ------ 45 ----------------- 90 .. 100      the whole
             22 .. 25  |                                   a quarter: leaves after 22 steps, decays for 3
                       45 .. 50                            the half: leaves after 45, decays for 5

Under `schedule: wsd` all of them make the same steps up to the first one's branch point. A run's first pass takes
rows in the order in which larger amounts begin, so runs of different amounts share full batches of their first
pass; runs of one amount and different epochs share everything up to the shorter one's branch point. Nothing here
imports torch, so that a plan can count with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from xtr.catalogue.lookup import find_task, training_task
from xtr.catalogue.task import Role
from xtr.spec.budget import POOLED, grid, pair_dimensions, space_size
from xtr.spec.expressions import Member, parse_intermediate, parse_target, target_task
from xtr.spec.settings import TrainSettings
from xtr.spec.space import Dimension, Pool, Value, task_of
from xtr.spec.sweep import SweepSpec
from xtr.stages.path import own_params
from xtr.stages.stage import AMOUNT_SETTINGS, TrainStage, TrunkStage, lineage
from xtr.train.rates import branch_point

MOST_BRANCHES = 256
"""A space with more amounts and epochs than that is searched so thinly that no two runs would meet."""


@dataclass(frozen=True, slots=True)
class Run:
    """A training stage whose number of examples is known, windows of a row counted each."""

    stage: TrainStage
    n_examples: int

    @property
    def steps_per_pass(self) -> int:
        """Optimiser steps in one pass; the last may have fewer examples."""
        return -(-self.n_examples // self.stage.settings.batch_size)

    @property
    def n_steps(self) -> int:
        """Optimiser steps in all."""
        return self.steps_per_pass * self.stage.settings.epochs

    @property
    def branch_point(self) -> int:
        """Steps before the decay: what can be shared; none of a run that shares nothing."""
        if not shares_beginning(self.stage):
            return 0
        return branch_point(self.n_steps, self.stage.settings.decay_fraction)


def shares_beginning(stage: TrainStage) -> bool:
    """Say whether runs of other lengths begin like this one.

    Members of a mixture take turns in an order that depends on how many rows each has, and so do rows that are
    mixed with other languages: they train alone.
    """
    alone = stage.is_mixture or any(part.parallel_data for part in stage.parts)
    return stage.settings.schedule == "wsd" and not alone


def branches(stage: TrainStage, spec: SweepSpec) -> tuple[TrainStage, ...]:
    """List the runs of a sweep that differ from a stage in amount and epochs alone, itself first.

    They are the finite combinations of amount and epochs in the space, at the stage's other settings. Where
    another setting of its path is searched continuously nobody comes by these settings again, and on seeds that
    only confirm winners just so many runs are trained as are confirmed: there a stage stands alone.
    """
    runs, name = {stage.key: stage}, lineage(stage)
    if shares_beginning(stage):
        for role in _roles(stage, spec):
            for settings in _lengths(stage, spec, role):
                run = replace(stage, settings=settings, parts=(replace(stage.parts[0], settings=settings),))
                if lineage(run) == name:
                    runs.setdefault(run.key, run)
    if stage.seed != spec.search.training_seed and len(runs) > spec.search.confirm.top:
        return (stage,)
    return tuple(runs.values())


def shared_steps(one: Run, other: Run) -> int:
    """Count the steps that two runs of one lineage have in common before either decays."""
    common = min(one.branch_point, other.branch_point)
    if one.n_examples == other.n_examples:
        return common
    return min(common, min(one.n_examples, other.n_examples) // one.stage.settings.batch_size)


def trunks(run: Run, others: Iterable[Run]) -> list[TrunkStage]:
    """Cut a run's beginning where others part from it: the trunks that it passes, shortest first.

    Each is to be computed by the shortest of the runs that begin with it, which reads the fewest rows.
    """
    shared = {other.stage.key: (shared_steps(run, other), other) for other in others}
    shared.pop(run.stage.key, None)
    found = []
    for steps in sorted({steps for steps, _ in shared.values()} - {0}):
        passing = [run, *(other for reach, other in shared.values() if reach >= steps)]
        shortest = min(passing, key=lambda each: (each.n_examples, each.n_steps, each.stage.key))
        in_first_pass = steps * run.stage.settings.batch_size <= run.n_examples
        found.append(TrunkStage(shortest.stage, steps, None if in_first_pass else run.n_examples))
    return found


def trained_steps(runs: Iterable[Run]) -> tuple[int, int]:
    """Count optimiser steps of different runs, each trained by itself, and with shared beginnings.

    The second is the union of the beginnings and the tails; of runs that share nothing it equals the first.
    """
    naive = shared = 0
    families: dict[str, list[Run]] = {}
    for run in runs:
        known = families.setdefault(lineage(run.stage) if run.branch_point else run.stage.key, [])
        naive += run.n_steps
        shared += run.n_steps - max((shared_steps(run, other) for other in known), default=0)
        known.append(run)
    return naive, shared


def _roles(stage: TrainStage, spec: SweepSpec) -> Iterator[Role]:
    """Say as what the sweep trains such a stage after such parents: a link of a chain, a target's training."""
    *before, name = _trained(stage)
    chains = [tuple(map(str, parse_intermediate(text).links)) for text in spec.pairs.intermediates]
    if (*before, name) in {chain[: len(before) + 1] for chain in chains}:
        yield "intermediate"
    if tuple(before) in chains and name in set(_target_trainings(spec)):
        yield "target"


def _trained(stage: TrainStage) -> list[str]:
    """List what a path has been trained on, this stage last."""
    return [*(_trained(stage.parent) if isinstance(stage.parent, TrainStage) else ()), stage.task]


def _target_trainings(spec: SweepSpec) -> Iterator[str]:
    for text in spec.pairs.target:
        trained = training_task(find_task(target_task(text)))
        if trained is not None:
            yield str(Member(trained.name, parse_target(text).languages))


def _lengths(stage: TrainStage, spec: SweepSpec, role: Role) -> Iterator[TrainSettings]:
    """List a stage's settings with every amount and number of epochs that its role is searched over."""
    task = stage.parts[0].task
    own = {name: each for name, each in spec.search.space.items() if _concerns(name, role, task)}
    path = dict(own)
    if isinstance(stage.parent, TrainStage):
        path |= {n: each for n, each in spec.search.space.items() if n.startswith("intermediate.")}
    lengths = {name: each for name, each in own.items() if _field(name) in AMOUNT_SETTINGS}
    others = {name: getattr(stage.settings, _field(name)) for name in own if name not in lengths}
    pooled = spec.search.share is not None and role == "intermediate"
    if pooled or (all(each.is_finite for each in path.values()) and _few(lengths)):
        settings = spec.stages.intermediate if role == "intermediate" else spec.stages.target
        for point in _pooled(stage, spec) if pooled else grid(lengths):
            resolved = settings.resolved_for(task, own_params({**others, **point}, role, task))
            share = stage.settings.cross_lingual_share
            yield resolved.model_copy(update={"cross_lingual_share": share})


def _pooled(stage: TrainStage, spec: SweepSpec) -> Iterator[Mapping[str, Value]]:
    """List what the pools of the intermediates that begin like a stage's path say; other settings may differ."""
    path = _trained(stage)
    for text in spec.pairs.intermediates:
        chain = [str(link) for link in parse_intermediate(text).links]
        if chain[: len(path)] != path:
            continue
        pair = next(each for each in spec.pairs.pairs() if each.intermediate == text)
        pool = pair_dimensions(spec, pair).get(POOLED)
        yield from pool.settings if isinstance(pool, Pool) else ()


def _few(dimensions: dict[str, Dimension]) -> bool:
    size = space_size(dimensions)
    return size is not None and size <= MOST_BRANCHES


def _concerns(name: str, role: Role, task: str) -> bool:
    return name.startswith(f"{role}.") and task_of(name) in (None, task)


def _field(name: str) -> str:
    return name.rpartition(".")[2]
