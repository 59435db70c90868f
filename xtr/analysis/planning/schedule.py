"""This is where a sweep's trials are played through, to see how long it takes on so many places.

    run_hours(trials, durations, n_places=8)     -> 3.4

List scheduling with single flight: a free place takes the next trial of the pair with the fewest so far; a trial
whose stage another one is making waits for it in its place. A pair's generations follow one another.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xtr.analysis.planning.forecast import Foreseen
from xtr.spec.sweep import Pair


@dataclass(slots=True)
class _Queue:
    """A pair's trials that are still to run, and how many of its open wave are running."""

    place: int
    trials: list[Foreseen] = field(default_factory=list)
    next: int = 0
    running: int = 0

    @property
    def ready(self) -> bool:
        """Whether the next trial may start: its wave is open, or all of the wave before have ended."""
        if self.next == len(self.trials):
            return False
        opens = self.next == 0 or self.trials[self.next].wave > self.trials[self.next - 1].wave
        return not (opens and self.running)


def run_seconds(trials: Sequence[Foreseen], stored: frozenset[str], n_places: int, start: float) -> float:
    """Simulate a run and return its length.

    Args:
        stored: stages that take no time.
        start: seconds until the encoder that all begin with is there.
    """
    queues = _queues(trials)
    made: dict[str, float] = {}
    ready = [(queue.next, queue.place, pair) for pair, queue in queues.items() if queue.ready]
    heapq.heapify(ready)
    ends: list[tuple[float, int, Pair]] = []
    now, free = start if trials else 0.0, n_places
    while ready or ends:
        while ready and free:
            _, place, pair = heapq.heappop(ready)
            queue = queues[pair]
            trial = queue.trials[queue.next]
            queue.next, queue.running, free = queue.next + 1, queue.running + 1, free - 1
            heapq.heappush(ends, (_end(trial, now, made, stored), place, pair))
            if queue.ready:
                heapq.heappush(ready, (queue.next, place, pair))
        now, place, pair = heapq.heappop(ends)
        queue = queues[pair]
        was_ready = queue.ready
        queue.running, free = queue.running - 1, free + 1
        if queue.ready and not was_ready:
            heapq.heappush(ready, (queue.next, place, pair))
    return now


def _queues(trials: Iterable[Foreseen]) -> Mapping[Pair, _Queue]:
    queues: dict[Pair, _Queue] = {}
    for trial in trials:
        queues.setdefault(trial.pair, _Queue(len(queues))).trials.append(trial)
    for queue in queues.values():
        queue.trials.sort(key=lambda trial: trial.wave)
    return queues


def _end(trial: Foreseen, now: float, made: dict[str, float], stored: frozenset[str]) -> float:
    """Walk a trial's path: make what nobody makes, wait for what somebody makes.

    Stages form a tree, so two trials that share a stage share all before it, and who starts first makes it.
    """
    for step in trial.steps:
        if step.key in stored:
            continue
        if step.key not in made:
            made[step.key] = now + step.seconds
        now = max(now, made[step.key])
    return now


def pack_seconds(durations: Iterable[float], n_places: int) -> float:
    """Schedule independent pieces of work, longest first, and return when the last one ends."""
    ends = [0.0] * n_places
    for duration in sorted(durations, reverse=True):
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)


def longest_chain(trials: Iterable[Foreseen], stored: frozenset[str]) -> tuple[float, Foreseen | None]:
    """Find the trial whose unmade stages take longest one after the other: no number of GPUs is faster."""
    length, longest = 0.0, None
    for trial in trials:
        own = sum(step.seconds for step in trial.steps if step.key not in stored)
        if own > length:
            length, longest = own, trial
    return length, longest
