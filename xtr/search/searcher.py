"""This is where the book speaks Ray Tune's language: one searcher for all studies of a sweep."""

from __future__ import annotations

import json
from typing import Any

from ray.tune import Callback
from ray.tune.search import Searcher

from xtr.faults import fault
from xtr.search.book import Book
from xtr.search.ending import Ending
from xtr.search.study import Job
from xtr.search.trial import DRAINED, SPENT, config_of


class SweepSearcher(Searcher):  # type: ignore[misc]  # Ray ships no types
    """Serves a sweep's jobs to Tune and brings results home.

    Tune asks again for a job whenever one ends, so None is only returned while jobs are in flight: with nothing
    in flight Tune would block. Once the run is asked to end, no job is handed out any more.
    """

    def __init__(self, book: Book, ending: Ending) -> None:
        super().__init__(metric="score", mode="max")
        self.book = book
        self.ending = ending
        self._jobs: dict[str, Job] = {}

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **_: Any
    ) -> bool:
        """Accept whatever Tune passes; the book has its own objective."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Give Tune the next job's config."""
        fault("driver.suggest")
        job = None if self.ending.ended else self.book.next_job()
        if job is None:
            return None if self.book.n_in_flight else Searcher.FINISHED
        self._jobs[trial_id] = job
        return config_of(job)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Note what a stage took; a trial's last report is taken in when it has completed."""
        if SPENT in result:
            self.ending.spend(result[SPENT])

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the study how the job ended; a lost process is a failed trial."""
        fault("driver.trial_complete")
        job = self._jobs.pop(trial_id)
        if error or result is None or "state" not in result:
            self.book.report(job, "failed", None, {"error": "the trial's process was lost"})
        elif result["state"] == DRAINED:
            self.book.put_back(job, json.loads(result["detail"]))
        else:
            self.book.report(job, result["state"], result["score"], json.loads(result["detail"]))
        self.ending.trial_ended(trial_id)

    def __getstate__(self) -> dict[str, Any]:
        """Put nothing of the book into the snapshot that Tune writes of its settings; nobody restores from it."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the Optuna storage is the searcher's state."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing, for the same reason."""


class Starts(Callback):  # type: ignore[misc]
    """Notes which trials have a process."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending

    def __getstate__(self) -> dict[str, Any]:
        """Put nothing into the snapshot that Tune writes of its settings."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Take in that a trial's process is there."""
        self.ending.under_way.add(trial.trial_id)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Look, at every turn of Tune's loop, whether an ending run has come to rest."""
        self.ending.rest_if_nothing_works()
