"""This is where a sweep is counted and priced before it runs: stages, tokens, hours, money, disk and wall time.

An adaptive search proposes as it goes, so what it has not proposed yet enters as an upper bound (see `forecast`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from xtr.analysis.planning.advice import advice, lacks_data
from xtr.analysis.planning.changes import Changes, changes_since
from xtr.analysis.planning.forecast import Foreseen
from xtr.analysis.planning.guesses import Guess
from xtr.analysis.planning.ledger import HOUR, Ledger, Price, StageCount, TrainTokens, Wall
from xtr.analysis.planning.schedule import longest_chain
from xtr.analysis.records.trials import TrialRow, read_trials
from xtr.data.open import open_source
from xtr.data.source import Source
from xtr.errors import InputError, Problem
from xtr.fingerprint import JSON
from xtr.spec.sweep import SweepSpec
from xtr.stages.store import StageStore

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep comes to; `trials` counts those told and those still owed, `owed` only the latter.

    Attributes:
        stages: of `xtr run`, by kind.
        scoring: of `xtr evaluate`, by kind.
        run, evaluate: the price of what is not stored yet, at most.
        likely_hours: of GPUs, or of CPU cores where there is none, that the run will probably take.
        disk_bytes: that the run will write and leave, at most.
        chain: the trial whose stages take longest one after the other, in words, and its hours.
        wall: first as the sweep asks for, then for numbers of GPUs.
        rate: tokens a second that one worker trains on, and where that comes from.
        has_data: something of what the sweep reads is at hand, or is still fetched.
        warnings: what will cost more than it need, or cannot work.
        guesses: what was not measured.
    """

    sweep: str
    pairs: int
    trials: int
    owed: int
    stages: dict[str, StageCount]
    scoring: dict[str, StageCount]
    train_tokens: TrainTokens
    run: Price
    evaluate: Price
    likely_hours: float
    currency: str
    disk_bytes: int
    chain: tuple[str, float]
    wall: tuple[Wall, ...]
    rate: tuple[float, str]
    has_data: bool
    warnings: tuple[str, ...]
    guesses: tuple[Guess, ...]

    def document(self) -> dict[str, JSON]:
        """Return the plan as a JSON document."""
        return {
            "schema_version": SCHEMA_VERSION,
            "sweep": self.sweep,
            "pairs": self.pairs,
            "trials": self.trials,
            "owed": self.owed,
            "stages": {kind: asdict(count) for kind, count in self.stages.items()},
            "scoring": {kind: asdict(count) for kind, count in self.scoring.items()},
            "train_tokens": asdict(self.train_tokens),
            "gpu_hours": self.run.gpu_hours,
            "cpu_hours": self.run.cpu_hours,
            "likely_hours": self.likely_hours,
            "money": self.run.money,
            "currency": self.currency,
            "evaluate": asdict(self.evaluate),
            "disk_bytes": self.disk_bytes,
            "longest_chain": {"trial": self.chain[0], "hours": self.chain[1]},
            "wall": [asdict(each) for each in self.wall],
            "tokens_per_second": {"value": self.rate[0], "source": self.rate[1]},
            "warnings": list(self.warnings),
            "guesses": [asdict(each) for each in self.guesses],
        }


def plan_sweep(
    spec: SweepSpec,
    source: Source,
    store: StageStore,
    trials: Sequence[TrialRow],
    *,
    gpus: Sequence[int] = (),
    file: str = "FILE",
) -> Plan:
    """Count and price a sweep, given the trials it has had so far. Trains nothing and downloads nothing.

    Args:
        gpus: numbers of GPUs for which the wall time is wanted besides that of the sweep's own concurrency.
    """
    ledger = Ledger(spec, source, store, trials, file)
    compute = spec.compute
    per_trial = compute.workers * compute.per_worker.GPU
    places = [spec.search.concurrent_trials, *(n // per_trial for n in gpus if per_trial and n >= per_trial)]
    seconds, longest = longest_chain(ledger.owing, ledger.stored)
    likely = ledger.likely_price
    wall = tuple(map(ledger.wall, places))
    rate = (ledger.costs.rate(""), ledger.costs.rate_source)

    def replanned(other: SweepSpec) -> TrainTokens:
        return Ledger(other, source, store, trials, file).train_tokens

    return Plan(
        sweep=spec.name,
        pairs=len(spec.pairs.pairs()),
        trials=sum(row.state != "failed" for row in trials) + ledger.forecast.n_owed,
        owed=ledger.forecast.n_owed,
        stages=ledger.stages(),
        scoring=ledger.scoring_stages(),
        train_tokens=ledger.train_tokens,
        run=ledger.run_price,
        evaluate=ledger.price(sum(ledger.scoring_groups.values())),
        likely_hours=likely.gpu_hours or likely.cpu_hours,
        currency=spec.prices.currency,
        disk_bytes=ledger.disk_bytes,
        chain=(_chain_text(longest), seconds / HOUR),
        wall=wall,
        rate=rate,
        has_data=not lacks_data(ledger),
        warnings=tuple(advice(ledger, wall[0], gpus, replanned)),
        guesses=tuple(ledger.guesses.all),
    )


def plan_now(spec: SweepSpec, *, gpus: Sequence[int] = (), file: str = "FILE") -> tuple[Plan, Changes | None]:
    """Plan a sweep as its storage stands: given the trials that still fit, and what has changed since they ran.

    Raises:
        InputError: wall times on GPUs are asked of a sweep that trains on the CPU.
    """
    if gpus and not spec.compute.per_worker.GPU:
        problem = Problem("this sweep trains on the CPU", "--gpus", hint="--set compute.per_worker.GPU=1")
        raise InputError(problem)
    place = spec.storage.workplace()
    place.check_readable()
    folder = place.read_sweep(spec.name)
    trials, source = read_trials(folder), open_source(spec.data, place, resolve=False)
    changes = changes_since(folder, spec, trials)
    kept = list(changes.kept) if changes else trials
    return plan_sweep(spec, source, StageStore(place), kept, gpus=gpus, file=file), changes


def _chain_text(trial: Foreseen | None) -> str:
    if trial is None:
        return ""
    pair = trial.pair
    return f"{pair.target} alone" if pair.intermediate == "none" else f"{pair.intermediate} > {pair.target}"
