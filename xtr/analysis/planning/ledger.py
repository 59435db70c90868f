"""This is where a sweep's stages and their prices are entered and summed up, before any of it runs.

ledger.train_tokens     -> TrainTokens(naive=5_430_000, shared=1_520_000, owed=1_520_000, likely=1_300_000)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from xtr.analysis.planning.cost import Costs
from xtr.analysis.planning.forecast import Forecast, Foreseen, Step
from xtr.analysis.planning.guesses import Guesses, PlannedSource
from xtr.analysis.planning.schedule import pack_seconds, run_seconds
from xtr.analysis.planning.sizes import Sizes
from xtr.analysis.planning.winners import Scoring, planned_scoring
from xtr.analysis.records.trials import TrialRow
from xtr.data.source import Source
from xtr.spec.sweep import SweepSpec
from xtr.stages.index import read_index
from xtr.stages.path import Paths
from xtr.stages.segments import Run, shares_beginning, trained_steps
from xtr.stages.stage import PretrainStage, TrainStage, lineage
from xtr.stages.store import StageStore

RUN_KINDS = ("intermediate", "target", "evaluate")
SCORING_KINDS = ("evaluate", "calibrate", "embed")
HOUR = 3600


@dataclass(slots=True)
class StageCount:
    """Stages of one kind: `asked` by all trials, `distinct` at most, `stored` already."""

    asked: int = 0
    distinct: int = 0
    stored: int = 0


@dataclass(frozen=True, slots=True)
class TrainTokens:
    """Tokens trained on, padding left out.

    Attributes:
        naive: every trial trains all of its stages alone.
        shared: every stage is trained once.
        owed: of these, what is not stored yet; no run trains on more.
        likely: of `owed`, what is to be expected by the mean of the space and of early stopping.
    """

    naive: int
    shared: int
    owed: int
    likely: int


@dataclass(frozen=True, slots=True)
class Wall:
    """How long it takes with so many trials at a time: `xtr run`, and `xtr evaluate` after it."""

    trials_at_once: int
    gpus: int
    run_hours: float
    evaluate_hours: float


@dataclass(frozen=True, slots=True)
class Price:
    """What something takes: hours of GPUs and of CPU cores, and money where the sweep names prices."""

    gpu_hours: float
    cpu_hours: float
    money: float | None


class Ledger:
    """A sweep's stages and what they cost; `plan` sums them up.

    Args:
        file: the sweep file's name, for the commands that measure.
    """

    def __init__(
        self, spec: SweepSpec, source: Source, store: StageStore, trials: Sequence[TrialRow], file: str
    ) -> None:
        self.spec = spec
        self.trials = trials
        stages = read_index(store).entries
        self.stored = frozenset(stages)
        self.guesses = Guesses()
        self.source = planned = PlannedSource(source, is_demo=spec.data.source == "demo")
        self.paths = Paths(spec, planned)
        start = self.paths.start
        earlier = [each for each in stages.values() if each.start == start.key]
        prepare = f"xtr data prepare {file}"
        measure = f"xtr run {file}, stopped after a few trials: the plan then goes by what they took"
        self.sizes = Sizes(planned, store.root, start.key, earlier, self.guesses, prepare)
        self.costs = Costs(spec, start, self.sizes, earlier, self.guesses, measure)
        for each in self.paths.starts:
            if isinstance(each, PretrainStage) and not store.has(each.key):
                why = "the demo world's own encoder, made once before the first trial; not in the hours above"
                self.guesses.note(f"pretraining of {each.name}", "1 to 5 min", why, f"xtr run {file}")
        self.forecast = Forecast(spec, self.paths, self.costs, trials, self.stored)
        self.foreseen: list[Foreseen] = self.forecast.trials()
        self.scoring: list[Scoring] = planned_scoring(spec, self.forecast, self.paths, self.costs)
        self.sizes.keep_counts()

    # -- tokens and stages -----------------------------------------------------------------------------

    @cached_property
    def distinct(self) -> Mapping[str, Step]:
        """Every stage of the run once, by key; what is intermediate for one trial may be target for another."""
        return {step.key: step for trial in self.foreseen for step in trial.steps}

    @property
    def unmade(self) -> list[Step]:
        """The stages of the run that are not stored yet."""
        return [step for key, step in self.distinct.items() if key not in self.stored]

    @property
    def train_tokens(self) -> TrainTokens:
        """Count tokens, alone and shared."""
        return TrainTokens(
            naive=sum(step.tokens for trial in self.foreseen for step in trial.steps),
            shared=self.shared_tokens(self.distinct.values()),
            owed=self.shared_tokens(self.unmade),
            likely=round(self._sharing * sum(step.likely for step in self.unmade)),
        )

    def shared_tokens(self, steps: Iterable[Step]) -> int:
        """Count what training each of these stages once takes; under `wsd` runs share their beginnings, too."""
        tokens, families = 0, dict[str, list[tuple[Step, Run]]]()
        for step in steps:
            if isinstance(step.stage, TrainStage) and shares_beginning(step.stage):
                n_examples = self.sizes.one_pass(step.stage.parts[0], step.stage.seed).examples
                families.setdefault(lineage(step.stage), []).append((step, Run(step.stage, n_examples)))
            else:
                tokens += step.tokens
        for family in families.values():
            alone, together = trained_steps(run for _, run in family)
            tokens += round(sum(step.tokens for step, _ in family) * together / alone)
        return tokens

    @cached_property
    def _sharing(self) -> float:
        """Which part of the steps is left when runs share their beginnings."""
        alone = sum(step.tokens for step in self.unmade)
        return self.shared_tokens(self.unmade) / alone if alone else 1.0

    def stages(self) -> dict[str, StageCount]:
        """Count the run's stages by kind."""
        asked = ((step.kind, step.key) for trial in self.foreseen for step in trial.steps)
        return _counted(RUN_KINDS, asked, self.stored)

    def scoring_stages(self) -> dict[str, StageCount]:
        """Count the stages of scoring the winners by kind."""
        return _counted(SCORING_KINDS, ((each.kind, each.key) for each in self.scoring), self.stored)

    # -- hours -----------------------------------------------------------------------------------------

    def price(self, worker_seconds: float) -> Price:
        """Price seconds of single workers."""
        per_worker, hours = self.spec.compute.per_worker, worker_seconds / HOUR
        gpu_hours, cpu_hours = hours * per_worker.GPU, hours * per_worker.CPU
        return Price(gpu_hours, cpu_hours, self.costs.money(gpu_hours, cpu_hours))

    @property
    def run_price(self) -> Price:
        """Price the stages that are not stored yet, and the encoder that all begin with."""
        n_workers = self.spec.compute.workers
        seconds = sum(
            step.seconds * (n_workers * self._sharing if step.tokens else 1) for step in self.unmade
        )
        return self.price(seconds + self._start_seconds)

    @property
    def likely_price(self) -> Price:
        """Price what is to be expected of the stages that are not stored yet."""
        n_workers = self.spec.compute.workers
        seconds = sum(
            step.seconds * (n_workers * self._sharing * step.likely / step.tokens if step.tokens else 1)
            for step in self.unmade
        )
        return self.price(seconds + self._start_seconds)

    @cached_property
    def _start_seconds(self) -> float:
        made = self.paths.start.key in self.stored or not self.foreseen
        return 0.0 if made or not self.unmade else self.costs.start_seconds()

    @cached_property
    def scoring_groups(self) -> Mapping[str, float]:
        """Seconds of what one worker scores in a row, by group."""
        once = {each.key: each for each in self.scoring if each.key not in self.stored}
        groups: dict[str, float] = {}
        for each in once.values():
            groups[each.group] = groups.get(each.group, 0.0) + each.seconds
        return groups

    def wall(self, trials_at_once: int) -> Wall:
        """Play the run and the evaluation through with so many trials at a time."""
        compute = self.spec.compute
        run = run_seconds(self.owing, self.stored, trials_at_once, self._start_seconds)
        scored = pack_seconds(self.scoring_groups.values(), trials_at_once * compute.workers)
        gpus = trials_at_once * compute.workers * compute.per_worker.GPU
        return Wall(trials_at_once, gpus, run / HOUR, scored / HOUR)

    @cached_property
    def owing(self) -> list[Foreseen]:
        """The trials some of whose stages are not stored yet."""
        return [each for each in self.foreseen if any(step.key not in self.stored for step in each.steps)]

    # -- disk ------------------------------------------------------------------------------------------

    @property
    def disk_bytes(self) -> int:
        """Bound what the run leaves: weights a stage, states of runs in progress and of trials stopped early."""
        trained = [self.costs.stage_bytes(step.stage) for step in self.unmade if step.tokens > 0]
        n_open = min(len(trained), self.spec.search.concurrent_trials)
        n_stopped = self.forecast.n_stopped
        return sum(trained) + (n_open + n_stopped) * self.costs.state_bytes


def _counted(
    kinds: Iterable[str], asked: Iterable[tuple[str, str]], stored: frozenset[str]
) -> dict[str, StageCount]:
    counts = {kind: StageCount() for kind in kinds}
    keys: dict[str, set[str]] = {kind: set() for kind in counts}
    for kind, key in asked:
        counts[kind].asked += 1
        keys[kind].add(key)
    for kind, count in counts.items():
        count.distinct, count.stored = len(keys[kind]), len(keys[kind] & stored)
    return counts
