"""This is where a sweep file is compared with the one that the sweep was last run with, and what follows is said.

    search.space.target.epochs: {int: [2, 4]} -> {int: [2, 6]}
    compute.workers: 1 -> 2    (changes no result)
    11 of 12 finished trials still fit and are kept, 1 does not; stages that have not changed are reused

A score depends on the stages' settings, the model, the data and the seed of training. All else in `search` says
how trials are proposed, so a trial keeps its worth wherever the new space still contains it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from xtr.analysis.records.trials import TrialRow
from xtr.catalogue.lookup import forget_own, register
from xtr.errors import InputError
from xtr.fingerprint import JSON
from xtr.spec.budget import fits, pair_dimensions
from xtr.spec.document import Elsewhere
from xtr.spec.dump import to_line
from xtr.spec.load import load_sweep
from xtr.spec.paths import is_below
from xtr.spec.space import Searched
from xtr.spec.sweep import Pair, SweepSpec

NO_EFFECT = {
    *(("compute",), ("budget",), ("prices",), ("storage",), ("tracking",), ("description",), ("tags",)),
    *(("result",), ("contrasts",), ("search", "concurrent_trials")),
}
SECRET = {("tracking", "uri")}
"""May hold a password; only that it has changed is told."""
LONGEST = 100


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that is not what it was; `harmless` where it changes no result."""

    path: str
    before: str
    after: str
    harmless: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since a sweep's last run.

    Attributes:
        kept: trials of the last run that stand as they are.
        n_dropped: finished trials that no longer fit.
    """

    settings: tuple[Change, ...]
    kept: tuple[TrialRow, ...]
    n_dropped: int

    def document(self) -> dict[str, JSON]:
        """Return them as JSON."""
        settings: list[JSON] = [asdict(each) for each in self.settings]
        return {"settings": settings, "trials_kept": self.n_kept, "trials_dropped": self.n_dropped}

    @property
    def n_kept(self) -> int:
        """Finished trials that still fit."""
        return sum(row.state != "running" for row in self.kept)

    def text(self, name: str) -> str:
        """Say them in words."""
        told = [
            f"  {each.path}: {each.before} -> {each.after}{'    (changes no result)' * each.harmless}"
            for each in self.settings
        ]
        n = self.n_kept + self.n_dropped
        stay = f"all {n} finished trials are kept"
        if self.n_dropped:
            stay = (
                f"{self.n_kept} of {n} finished trials still fit and are kept, {self.n_dropped} no longer fit"
            )
        last = f"{stay}; stages that have not changed are reused"
        return "\n".join([f"{name} has changed since its last run:", *told, last])


def changes_since(folder: Path, spec: SweepSpec, rows: Sequence[TrialRow]) -> Changes | None:
    """Compare a spec with the one that lies in the sweep's folder; None where nothing has changed or was run.

    Args:
        rows: the trials of the last run.
    """
    before = _last_spec(folder, spec)
    if before is None:
        return None
    settings = tuple(_changes(before.model_dump(mode="json"), spec.located().model_dump(mode="json")))
    if not settings:
        return None
    kept = [row for pair in spec.pairs.pairs() for row in _kept(before, spec, pair, rows)]
    n_finished = sum(row.state != "running" for row in rows)
    return Changes(settings, tuple(kept), n_finished - sum(row.state != "running" for row in kept))


def scored_by(spec: SweepSpec) -> dict[str, JSON]:
    """Name all that a trial's score depends on, besides its pair, parameters and seed."""
    return {
        "stages": scored_stages(spec),
        "model": spec.model.model_dump(mode="json"),
        "data": spec.data.model_dump(mode="json", include={"source", "demo_seed", "demo_scale"}),
        "training_seed": spec.search.training_seed,
        **spec.search.mark,
    }


def scored_stages(spec: SweepSpec) -> dict[str, JSON]:
    """Write the stages' settings that a trial's score depends on; the languages are an oracle's alone."""
    without = {"split"} if spec.search.select_on == "oracle" else {"languages", "split"}
    return spec.stages.model_dump(mode="json", exclude={"evaluate": without})


def still_fitting(
    rows: Sequence[TrialRow], dimensions: Mapping[str, Searched], *, stops_alike: bool
) -> list[TrialRow]:
    """Keep the finished trials whose parameters cover exactly these dimensions and lie inside them.

    A trial that was stopped early is kept where trials are stopped as before, one that confirms where the trial
    that it repeats is kept.
    """
    finished = {"complete", "diverged", *(("pruned",) if stops_alike else ())}
    inside = [row for row in rows if row.state in finished and fits(row.params, dimensions)]
    searched = {row.number for row in inside if row.phase == "search"}
    return [row for row in inside if row.phase != "confirm" or row.of in searched]


def _kept(before: SweepSpec, now: SweepSpec, pair: Pair, rows: Sequence[TrialRow]) -> list[TrialRow]:
    own = [row for row in rows if row.pair == pair]
    if scored_by(before) != scored_by(now):
        return []
    dimensions = pair_dimensions(now, pair)
    if pair_dimensions(before, pair) == dimensions and _proposed_by(before) == _proposed_by(now):
        return own
    alike = before.search.early_stopping == now.search.early_stopping
    return still_fitting(own, dimensions, stops_alike=alike)


def _proposed_by(spec: SweepSpec) -> dict[str, JSON]:
    """Name what decides which trials are proposed, besides the dimensions; how many is left out."""
    amounts = {"space", "trials_per_pair", "concurrent_trials", "confirm", "training_seed", "design"}
    return spec.search.model_dump(mode="json", exclude=amounts)


def _last_spec(folder: Path, spec: SweepSpec) -> SweepSpec | None:
    path = folder / "spec.yaml"
    if not path.exists():
        return None
    try:
        return load_sweep(path, env=Elsewhere(os.environ))
    except InputError:  # written by another version; the run writes it anew
        return None
    finally:  # reading it has made its own tasks known, in place of this sweep's
        forget_own()
        register(own.task() for own in spec.catalogue)


def _changes(before: object, now: object, path: tuple[str, ...] = ()) -> Iterator[Change]:
    """Walk two documents side by side; a dimension is one setting."""
    if before == now:
        return
    is_dimension = path[:2] == ("search", "space") and len(path) == 3
    if isinstance(before, dict) and isinstance(now, dict) and not is_dimension:
        for key in dict.fromkeys((*before, *now)):
            yield from _changes(before.get(key, _ABSENT), now.get(key, _ABSENT), (*path, str(key)))
    else:
        shown = ("...", "...") if path in SECRET else (_line(before), _line(now))
        yield Change(".".join(path), *shown, harmless=is_below(path, NO_EFFECT))


_ABSENT = object()


def _line(value: object) -> str:
    text = "nothing" if value is _ABSENT else to_line(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
