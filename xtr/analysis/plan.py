"""This is where a sweep is counted before it runs: pairs, trials, and stages asked, distinct and stored.

An adaptive search proposes as it goes, so what it has not proposed yet enters as an upper bound.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from xtr.analysis.trials import TrialRow
from xtr.catalogue.lookup import find_task
from xtr.data.source import Source
from xtr.fingerprint import JSON
from xtr.spec.budget import confirm_trials, control_trials, grid, pair_dimensions, search_trials, space_size
from xtr.spec.expressions import parse_intermediate
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.path import Path, Paths
from xtr.stages.store import StageStore

SCHEMA_VERSION = 1


@dataclass(slots=True)
class StageCount:
    """Stages of one kind: `asked` by all trials, `distinct` at most, `stored` already."""

    asked: int = 0
    distinct: int = 0
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep comes to; `trials` counts those told and those still owed, `owed` only the latter."""

    sweep: str
    pairs: int
    trials: int
    owed: int
    stages: dict[str, StageCount] = field(default_factory=dict)

    def document(self) -> dict[str, JSON]:
        """Return the plan as a JSON document."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def plan_sweep(spec: SweepSpec, source: Source, store: StageStore, trials: Sequence[TrialRow]) -> Plan:
    """Count a sweep, given the trials it has had so far. Trains nothing and downloads nothing."""
    paths = Paths(spec, source)
    known: dict[str, set[str]] = {"intermediate": set(), "target": set(), "evaluate": set()}
    counts = {kind: StageCount() for kind in known}
    settings_seen: dict[str, set[str]] = {}
    owed: dict[Pair, int] = {}
    unknown: dict[Pair, int] = {}
    for pair in spec.pairs.pairs():
        rows = [row for row in trials if row.pair == pair]
        foreseen = _foreseen(spec, pair, rows)
        # A trial that was stopped early, diverged or failed has left no finished target stage and wants none.
        wanting = [row for row in rows if row.state in ("running", "complete")]
        for params, seed in [*((row.params, row.seed) for row in wanting), *foreseen]:
            path = paths.path(pair, params, seed)
            for kind, keys in _keys(path).items():
                counts[kind].asked += len(keys)
                known[kind].update(keys)
            settings_seen.setdefault(pair.intermediate, set()).update(s.key for s in path.intermediate[-1:])
        left = _left(spec, pair, rows)
        owed[pair] = owed.get(pair, 0) + left
        unknown[pair] = unknown.get(pair, 0) + left - len(foreseen)
        if left or any(row.state == "running" for row in rows):
            baseline, n_controls = Pair("none", pair.target), control_trials(spec, pair)
            owed[baseline] += n_controls
            unknown[baseline] += n_controls
    for pair, n in unknown.items():
        _count_unknown(counts, source, pair, n)
    for kind, distinct in known.items():
        counts[kind].stored = sum(store.has(key) for key in distinct)
        counts[kind].distinct = len(distinct)
    counts["intermediate"].distinct += _new_intermediates(spec, unknown, settings_seen)
    for pair, n in unknown.items():
        target = find_task(pair.target_task)
        counts["target"].distinct += n if target.training_task else 0
        counts["evaluate"].distinct += (
            0 if target.training_task else n * len(source.languages(target, "select"))
        )
    n_owed = sum(owed.values())
    return Plan(spec.name, len(owed), len(trials) + n_owed, n_owed, counts)


def _keys(path: Path) -> dict[str, list[str]]:
    """Name a path's stages by kind."""
    return {
        "intermediate": [stage.key for stage in path.intermediate],
        "target": [path.target.key] if path.target else [],
        "evaluate": [stage.key for stage in path.select],
    }


def _left(spec: SweepSpec, pair: Pair, rows: Sequence[TrialRow]) -> int:
    """Count the search and confirm trials that this pair has not had."""
    due = (("search", search_trials(spec, pair)), ("confirm", confirm_trials(spec, pair)))
    return sum(max(0, n - sum(row.phase == phase for row in rows)) for phase, n in due)


def _foreseen(spec: SweepSpec, pair: Pair, rows: Sequence[TrialRow]) -> list[tuple[dict[str, Value], int]]:
    """List the trials still to come whose settings and seed are certain: those of a space tried as a whole."""
    dimensions = pair_dimensions(spec, pair)
    size = space_size(dimensions)
    if size is None or size > search_trials(spec, pair):
        return []
    had = [(row.params, row.seed) for row in rows]
    seeds = [
        spec.search.training_seed,
        *(spec.search.confirm.seeds if size <= spec.search.confirm.top else ()),
    ]
    return [trial for trial in itertools.product(grid(dimensions), seeds) if trial not in had]


def _count_unknown(counts: dict[str, StageCount], source: Source, pair: Pair, n: int) -> None:
    target = find_task(pair.target_task)
    counts["intermediate"].asked += n * len(parse_intermediate(pair.intermediate).links)
    if target.training_task:
        counts["target"].asked += n
    else:
        counts["evaluate"].asked += n * len(source.languages(target, "select"))


def _new_intermediates(spec: SweepSpec, unknown: dict[Pair, int], seen: dict[str, set[str]]) -> int:
    """Bound the intermediate stages still to come: by trials owed, and by the settings of a finite space."""
    bound = 0
    for intermediate in spec.pairs.intermediates:
        pairs = [pair for pair in unknown if pair.intermediate == intermediate]
        links = len(parse_intermediate(intermediate).links)
        if not pairs or not links:
            continue
        wanted = sum(unknown[pair] for pair in pairs)
        own = {n: d for n, d in pair_dimensions(spec, pairs[0]).items() if n.startswith("intermediate.")}
        size = space_size(own)
        seeds = 1 + len(spec.search.confirm.seeds)
        left = wanted if size is None else max(0, size * seeds - len(seen.get(intermediate, ())))
        bound += links * min(wanted, left)
    return bound
