"""This is where a run comes to rest before its work is done: at a limit of the budget, or by Ctrl-C.

Both ask the trials by the sweep's drain file and have the searcher hand out nothing more, so that Tune ends when
the last trial has answered. A trial that did not come to its end stays RUNNING in its study, for the next run.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xtr.analysis.records.spending import Ended, note_spent, read_spent, spent_by
from xtr.errors import InputError, Problem
from xtr.spec.sweep import SweepSpec
from xtr.stages.drain import Drain

DRAINING = b"ending: training keeps its state after the present step; Ctrl-C again stops at once\n"
NOTHING_TO_KEEP = b"ending at once: no trial is at work\n"


class Budget:
    """What a sweep may spend, over all its runs, and what it has spent; the clock starts here."""

    def __init__(self, spec: SweepSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder
        self.spent = read_spent(folder)
        self._started = time.monotonic()

    def spend(self, seconds: float) -> None:
        """Note a stage's seconds, summed over its workers."""
        spent = spent_by(self.spec.compute, seconds)
        note_spent(self.folder, "run", spent)
        self.spent += spent

    def reached(self) -> Ended | None:
        """Name the first limit that is reached."""
        limits = self.spec.budget
        for what, limit, spent in (
            ("gpu_hours", limits.gpu_hours, self.spent.gpu_hours),
            ("money", limits.money, self.spent.money(self.spec.prices)),
            ("wall_hours", limits.wall_hours, (time.monotonic() - self._started) / 3600),
        ):
            if limit is not None and spent >= limit:
                return Ended("budget", what, limit, spent)  # type: ignore[arg-type]
        return None

    @property
    def seconds_left(self) -> float | None:
        """Until the wall clock's limit; None where there is none."""
        hours = self.spec.budget.wall_hours
        return None if hours is None else max(0.0, hours * 3600 - (time.monotonic() - self._started))


class AtRest(BaseException):
    """Nothing that an interrupted run has begun is under way any more. No error: Tune must not take it for one."""


class Ending:
    """A run's end before its time.

    Attributes:
        ended: None until somebody asks for it.
        under_way: the trials that have a process; Ctrl-C waits for no other.
    """

    def __init__(self, budget: Budget, drain: Drain, taken_over: Callable[[], bool] = lambda: False) -> None:
        self.budget = budget
        self.drain = drain
        self.taken_over = taken_over
        self.ended: Ended | None = None
        self.under_way: set[str] = set()

    def spend(self, seconds: float) -> None:
        """Note what a stage took, before its trial goes on."""
        self.budget.spend(seconds)
        self.look()

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.ended is not None and self.ended.by == "interrupt"

    def trial_ended(self, trial: str) -> None:
        """Note that a trial has no more to say."""
        self.under_way.discard(trial)

    def rest_if_nothing_works(self) -> None:
        """End a run that was asked to end as soon as no trial has a process: others wait for machines at most.

        A run that another driver has taken over ends at once: two must not write one journal.

        Raises:
            AtRest: it is time.
        """
        if self.taken_over() or (self.ended is not None and not self.under_way):
            raise AtRest

    def look(self) -> None:
        """Let what runs finish its stage, once a limit is reached."""
        if self.ended is None and (reached := self.budget.reached()) is not None:
            self.ended = reached
            self.drain.ask("stage")

    @contextmanager
    def at_hand(self) -> Iterator[None]:
        """Listen to Ctrl-C, SIGTERM and the clock for as long as trials run; the second Ctrl-C stops at once."""
        self.drain.open()
        clock = None if self.budget.seconds_left is None else self._clock(self.budget.seconds_left)
        before = {each: signal.signal(each, self._struck) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if clock is not None:
                clock.cancel()
            self.drain.close()

    def _struck(self, number: int, frame: object) -> None:
        if not self.interrupted and not self.under_way:
            os.write(2, NOTHING_TO_KEEP)
        if self.interrupted or not self.under_way:
            raise KeyboardInterrupt
        self.ended = Ended("interrupt")
        self.drain.ask("step")
        os.write(2, DRAINING)  # print is not to be called from within itself

    def _clock(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self.look)
        timer.daemon = True
        timer.start()
        return timer


def check_budget(spec: SweepSpec) -> None:
    """Refuse limits that no run can reach: in money where nothing costs any, in GPU hours where no GPU works.

    Raises:
        InputError: with the settings to add.
    """
    worker, prices = spec.compute.per_worker, spec.prices
    if spec.budget.gpu_hours is not None and not worker.GPU:
        raise InputError(
            Problem(
                "no GPU works in this sweep, so this limit is never reached",
                where="budget.gpu_hours",
                received=f"{spec.budget.gpu_hours:g}",
                hint="budget.wall_hours, or compute.per_worker.GPU: 1",
            )
        )
    if spec.budget.money is not None and not (worker.GPU * prices.gpu_hour + worker.CPU * prices.cpu_hour):
        raise InputError(
            Problem(
                "a budget in money needs prices, or it is never reached",
                where="budget.money",
                received=f"{spec.budget.money:g}",
                hint="--set prices.gpu_hour=2.5, or prices.cpu_hour",
            )
        )
