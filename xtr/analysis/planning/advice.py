"""This is where a plan warns: what costs more than it need, and what the sweep asks for in vain.

Each warning says what is the matter, what it costs and what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from xtr.analysis.planning.bounds import survivors
from xtr.analysis.planning.cost import encoder_folders
from xtr.analysis.planning.ledger import Ledger, TrainTokens, Wall
from xtr.catalogue.lookup import find_task
from xtr.catalogue.throughput import meant
from xtr.data.hublock import hub_is_offline
from xtr.spec.budget import pair_dimensions, search_trials
from xtr.spec.space import Choice, Dimension, FloatRange, IntRange, LogFloatRange, Pool, Value
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.path import DEMO_MODELS

Replanned = Callable[[SweepSpec], TrainTokens]

FEW = 3
"""Values that are proposed in place of a range."""


def advice(ledger: Ledger, wall: Wall, gpus: Sequence[int], replanned: Replanned) -> Iterator[str]:
    """Warn of everything that the plan shows.

    Args:
        replanned: plans another spec.
    """
    spec = ledger.spec
    if lacks_data(ledger):
        yield f"no file of any task lies below {spec.data.official_root}, so all of this is made of guesses"
    yield from spec.search.caveat
    yield from _unshared(spec, ledger.train_tokens, replanned)
    yield from _beyond_budget(spec, ledger, wall)
    yield from _too_few_gpus(spec, gpus)
    yield from doubts(spec)


def doubts(spec: SweepSpec) -> Iterator[str]:
    """Warn of what the sweep file shows by itself: what is allowed, and probably a mistake."""
    yield from _never_stops(spec)
    yield from _unmet_encoder(spec)


def lacks_data(ledger: Ledger) -> bool:
    """Say whether the folder of official data holds nothing that the sweep reads."""
    return ledger.spec.data.source == "official" and ledger.source.finds_nothing


def _unmet_encoder(spec: SweepSpec) -> Iterator[str]:
    """Warn of an encoder that is not on this machine, where the hub is not asked or a known name is near."""
    name = spec.model.name
    if name in DEMO_MODELS or any((folder / "config.json").exists() for folder in encoder_folders(name)):
        return
    if name.startswith((".", "/", "~")):
        yield f"model.name: no encoder lies in {name}"
    elif (guess := meant(name)) or hub_is_offline():
        unasked = ["the hub is not asked (HF_HUB_OFFLINE)"] if hub_is_offline() else []
        told = [f"model.name: {name} is not on this machine", *unasked, *filter(None, [guess])]
        yield "; ".join([*told, "xtr doctor FILE looks for it"])


# -- sharing ---------------------------------------------------------------------------------------------


def _unshared(spec: SweepSpec, now: TrainTokens, replanned: Replanned) -> Iterator[str]:
    """Warn of intermediate dimensions that hardly two trials have in common."""
    wide = _wide_dimensions(spec)
    if not wide or not now.owed:
        return
    remedy = {name: few_values(each) for name, each in wide.items()}
    space = {**spec.search.space, **{name: Choice(values) for name, values in remedy.items()}}
    then = replanned(spec.model_copy(update={"search": spec.search.model_copy(update={"space": space})}))
    names = " and ".join(wide)
    written = ", ".join(f"{name}: {{choice: [{_listed(values)}]}}" for name, values in remedy.items())
    yield (
        f"{names} {'takes' if len(wide) == 1 else 'take'} so many values that trials share no intermediate stage: "
        f"{now.shared:,} training tokens, where {then.shared:,} would do with {written}; "
        f"or `search.share: intermediate`, a pool of settings common to all targets"
    )


def _wide_dimensions(spec: SweepSpec) -> dict[str, Dimension]:
    """Find intermediate dimensions with more values than the trials that could share them."""
    wide: dict[str, Dimension] = {}
    for intermediate in spec.pairs.intermediates:
        pairs = [pair for pair in spec.pairs.pairs() if pair.intermediate == intermediate]
        n_trials = sum(search_trials(spec, pair) for pair in pairs)
        if n_trials < 2 or intermediate == "none":
            continue
        wide |= {
            name: each
            for name, each in pair_dimensions(spec, pairs[0]).items()
            if not isinstance(each, Pool)
            and name.startswith("intermediate.")
            and (each.size is None or each.size > n_trials)
        }
    return wide


def few_values(dimension: Dimension) -> tuple[Value, ...]:
    """Propose a few values that span a range, rounded to two digits."""
    match dimension:
        case LogFloatRange(low, high):
            ratio = (high / low) ** (1 / (FEW - 1))
            values = [low * ratio**i for i in range(FEW)]
        case FloatRange(low, high):
            values = [low + (high - low) * i / (FEW - 1) for i in range(FEW)]
        case IntRange(low, high):
            return tuple(dict.fromkeys(round(low + (high - low) * i / (FEW - 1)) for i in range(FEW)))
        case Choice(values=known):
            return known
        case _:
            return (dimension.value,)
    inner = [float(f"{value:.1g}") for value in values[1:-1]]
    return tuple(dict.fromkeys((values[0], *(v for v in inner if values[0] < v < values[-1]), values[-1])))


def _listed(values: Sequence[Value]) -> str:
    return ", ".join(f"{value:g}".replace("e-0", "e-") for value in values)


# -- limits ----------------------------------------------------------------------------------------------


def _beyond_budget(spec: SweepSpec, ledger: Ledger, wall: Wall) -> Iterator[str]:
    """Warn of limits that the plan may reach."""
    budget, price = spec.budget, ledger.run_price
    limits = (
        ("gpu_hours", budget.gpu_hours, price.gpu_hours, "GPU hours"),
        ("money", budget.money, price.money, spec.prices.currency),
        ("wall_hours", budget.wall_hours, wall.run_hours, "hours"),
    )
    for name, limit, needed, unit in limits:
        if limit is not None and needed is not None and needed > limit:
            yield (
                f"budget.{name} is {limit:g}, the plan may need {needed:,.2f} {unit}: the sweep would stop there, "
                "and the same command goes on once the budget is higher"
            )
    if budget.money is not None and price.money is None:
        yield "budget.money cannot be reached without prices: set prices.gpu_hour or prices.cpu_hour"


def _too_few_gpus(spec: SweepSpec, gpus: Sequence[int]) -> Iterator[str]:
    per_trial = spec.compute.workers * spec.compute.per_worker.GPU
    for n in gpus:
        if n < per_trial:
            yield f"--gpus {n} is less than the {per_trial} that one trial asks for: nothing would start"
        elif n < spec.search.concurrent_trials * per_trial:
            yield (
                f"--gpus {n} is enough for {n // per_trial} at a time, search.concurrent_trials asks for "
                f"{spec.search.concurrent_trials}: the rest would wait"
            )


# -- early stopping --------------------------------------------------------------------------------------


def _never_stops(spec: SweepSpec) -> Iterator[str]:
    """Warn of early stopping that cannot stop any trial."""
    stopping = spec.search.early_stopping
    if stopping is None:
        return
    if not any(_may_stop(spec, pair) for pair in spec.pairs.pairs()):
        yield (
            f"early stopping stops nothing: with rung_epochs {_listed(stopping.rungs)}, keep {stopping.keep:g} "
            f"and generations of {spec.search.generation} every trial goes on; a higher generation, a lower keep "
            "or more target.epochs would change that"
        )


def _may_stop(spec: SweepSpec, pair: Pair) -> bool:
    stopping, task = spec.search.early_stopping, find_task(pair.target_task).training_task
    if stopping is None or task is None:
        return False
    epochs = pair_dimensions(spec, pair).get("target.epochs")
    assert not isinstance(epochs, Pool)
    most = spec.stages.target.resolved_for(task, {}).epochs if epochs is None else _largest(epochs)
    size = min(spec.search.generation, search_trials(spec, pair))
    return most > stopping.rungs[0] and survivors(stopping, size) < size


def _largest(dimension: Dimension) -> Value:
    return dimension.high if isinstance(dimension, IntRange) else max(few_values(dimension))
