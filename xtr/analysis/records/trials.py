"""This is where trials are rows: one JSON line each in the sweep's folder, the last line of a trial counts.

The file is a view. The Optuna storage and the stage store hold the truth; every `xtr run` writes the file anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from xtr.fingerprint import JSON, canonical_json
from xtr.metrics.collapse import COLLAPSED
from xtr.spec.space import Value
from xtr.spec.sweep import Pair
from xtr.storage import append_line, read_lines, write_atomic

Phase = Literal["search", "confirm", "control"]
State = Literal["running", "complete", "pruned", "diverged", "failed"]
FILE = "trials.jsonl"


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial of one pair.

    Attributes:
        number: Optuna's number within the pair's study; `index` counts within the phase.
        phase: search, confirm (a finalist on another seed) or control (`none` at a winner's target settings).
        of: the search trial that a confirm trial repeats.
        params: every dimension's value, by dotted name.
        value: the select score in [0, 1]; None unless complete.
        rung: the select score at the last rung where the trial paused.
        detail: stages (keys, reused or not), seconds and steps spent, what has collapsed, error text.
    """

    intermediate: str
    target: str
    number: int
    phase: Phase
    index: int
    seed: int
    params: dict[str, Value]
    state: State
    value: float | None = None
    rung: float | None = None
    of: int | None = None
    detail: dict[str, JSON] = field(default_factory=dict)

    @property
    def pair(self) -> Pair:
        """The study it belongs to."""
        return Pair(self.intermediate, self.target)

    @property
    def target_params(self) -> dict[str, Value]:
        """The target stage's part of the parameters."""
        return target_part(self.params)

    @property
    def scored_on(self) -> str:
        """`select`, or `oracle` where that was the mean over other languages' dev sets."""
        return str(self.detail.get("select_on", "select"))

    @property
    def collapsed(self) -> tuple[str, ...]:
        """Those tasks of its path for which the model has come to predict one class alone."""
        named = self.detail.get(COLLAPSED)
        return tuple(map(str, named)) if isinstance(named, list) else ()


def write_trials(folder: Path, rows: Iterable[TrialRow]) -> None:
    """Write the view anew."""
    write_atomic(folder / FILE, "".join(canonical_json(asdict(row)) + "\n" for row in rows))


def append_trial(folder: Path, row: TrialRow) -> None:
    """Add or supersede one trial."""
    append_line(folder / FILE, canonical_json(asdict(row)))


def read_trials(folder: Path) -> list[TrialRow]:
    """Read the trials of a sweep, by pair in order of first appearance, then by number."""
    latest: dict[tuple[str, str, int], TrialRow] = {}
    for line in read_lines(folder / FILE):
        row = TrialRow(**json.loads(line))
        latest[row.intermediate, row.target, row.number] = row
    place = {pair: i for i, pair in enumerate(dict.fromkeys(row.pair for row in latest.values()))}
    return sorted(latest.values(), key=lambda row: (place[row.pair], row.number))


@dataclass(frozen=True, slots=True)
class Winner:
    """A pair's best settings and what they reached, by training seed."""

    pair: Pair
    number: int
    params: dict[str, Value]
    scores: dict[int, float]

    @property
    def target_params(self) -> dict[str, Value]:
        """The target stage's part of the parameters."""
        return target_part(self.params)

    @property
    def score(self) -> float:
        """Mean select score over seeds, in [0, 1]."""
        return sum(self.scores.values()) / len(self.scores)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The training seeds behind the score."""
        return tuple(self.scores)


def finalists(rows: Sequence[TrialRow], top: int) -> list[TrialRow]:
    """Take a pair's best completed search trials; ties go to the earlier one."""
    done = [row for row in rows if row.phase == "search" and row.state == "complete"]
    return sorted(done, key=lambda row: (-(row.value or 0.0), row.index))[:top]


def winner(rows: Sequence[TrialRow], top: int, *, searched: bool = True) -> Winner | None:
    """Choose a pair's winner: by the mean over confirming seeds where there are any, else by the search.

    A finalist that lacks a seed, because its training failed or diverged, comes after those that have more: a mean
    over the seeds that went well is no match for one over all.
    Where nothing was searched, the seed of the search chose nothing and counts among the confirming ones.

    None where no search trial has completed.
    """
    candidates = [_confirmed(rows, finalist, searched) for finalist in finalists(rows, top)]
    confirmed = [candidate for candidate, is_confirmed in candidates if is_confirmed]
    chosen = confirmed or [candidate for candidate, _ in candidates]
    return max(chosen, key=lambda each: (len(each.seeds), each.score), default=None)


def _confirmed(rows: Sequence[TrialRow], finalist: TrialRow, searched: bool) -> tuple[Winner, bool]:
    scores = {
        row.seed: row.value
        for row in rows
        if row.phase == "confirm" and row.of == finalist.number and row.value is not None
    }
    own = {finalist.seed: finalist.value or 0.0}
    if scores and not searched:
        scores = own | scores
    return Winner(finalist.pair, finalist.number, finalist.params, scores or own), bool(scores)


def target_part(params: Mapping[str, Value]) -> dict[str, Value]:
    """Keep the target stage's part of parameters."""
    return {name: value for name, value in params.items() if name.startswith("target.")}
