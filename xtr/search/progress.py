"""This is where a running sweep speaks: a line a result, and now and then how far it is, in plain words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from xtr.analysis.answers.leaderboard import leaderboard
from xtr.analysis.records.trials import State, TrialRow
from xtr.analysis.tables import pair_name, percent
from xtr.catalogue.lookup import find_task
from xtr.search.book import Book

Say = Callable[[str], None]
SUMMARY_EVERY = 10
STATES: dict[State, str] = {
    "complete": "done",
    "pruned": "stopped early",
    "running": "under way",
    "diverged": "diverged",
    "failed": "failed",
}


def now_and_then(say: Say, every_s: float = 15.0) -> Callable[[int, int], None]:
    """Tell of steps that have no lines of their own, no oftener than that: `step 400 of 3,000`."""
    said = time.monotonic()

    def tell(step: int, steps: int) -> None:
        nonlocal said
        if time.monotonic() - said >= every_s:
            said = time.monotonic()
            say(f"    step {step:,} of {steps:,}")

    return tell


class Progress:
    """Says what each trial of a book came to; `n_trials` is how many the sweep makes at most."""

    def __init__(self, book: Book, n_trials: int, say: Say) -> None:
        self.book = book
        self.n_trials = n_trials
        self.say = say
        self._started = time.monotonic()
        self._n_results = 0
        pairs = book.spec.pairs.pairs()
        self._name_width = max(len(pair_name(pair)) for pair in pairs) + len(" confirm seed 2")

    def trial(self, row: TrialRow) -> None:
        """Say how a trial paused or ended."""
        name = f"{self._name(row):<{self._name_width}}"
        self.say(f"{self._clock()}  {name} {_news(row):<40} {self._tail(row)}".rstrip())
        self._n_results += 1
        if self._n_results % SUMMARY_EVERY == 0:
            self.say(f"{self._clock()}  -- {self.summary()}")

    def summary(self) -> str:
        """Count trials by state and say what this run has spent."""
        counts = Counter(row.state for row in self.book.rows)
        states = ", ".join(f"{counts[state]} {word}" for state, word in STATES.items() if counts[state])
        spent = f"{self.book.seconds:.0f} s of training"
        return f"{states or 'nothing yet'}, of at most {self.n_trials} trials; {spent}"

    def _tail(self, row: TrialRow) -> str:
        """Say what leads the trial's target by now, with its score on the leaderboard."""
        of_target = [each for each in self.book.rows if each.target == row.target]
        for best in leaderboard(self.book.spec, of_target)[:1]:
            return f"best {best.target} {percent(best.score)} ({best.intermediate})"
        return ""

    def _name(self, row: TrialRow) -> str:
        which = f"#{row.index}" if row.phase == "search" else f"{row.phase} seed {row.seed}"
        if self.book.spec.search.design is not None:  # a setting and a seed, whichever came first
            which = f"#{row.number if row.of is None else row.of} seed {row.seed}"
        return f"{pair_name(row.pair)} {which}"

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes:3d}m{seconds:02d}s"


def _news(row: TrialRow) -> str:
    task = find_task(row.pair.target_task)
    metric = find_task(task.training_task).metric if task.training_task else task.metric
    if row.state == "running":
        return f"{metric} {percent(row.rung)} at the rung, waiting"
    if row.state == "complete":
        return f"{metric} {percent(row.value)} {_work(row)}"
    if row.state == "pruned":
        return f"{metric} {percent(row.rung)} at the rung, stopped early"
    error = str(row.detail.get("error", "")).strip().splitlines() or [""]
    return f"{row.state}: {error[-1]}"


def _work(row: TrialRow) -> str:
    stages = row.detail.get("stages")
    if not isinstance(stages, list):
        return ""
    reused = sum(1 for stage in stages if isinstance(stage, dict) and stage.get("reused"))
    seconds = row.detail.get("seconds")
    spent = f"{float(seconds):.0f} s" if isinstance(seconds, (int, float)) else ""
    return f"({spent}, {reused} of {len(stages)} stages reused)"
