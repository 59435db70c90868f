"""This is where a sweep runs: one Tuner, one searcher over all studies, from the first trial to the last."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from xtr.analysis.leaderboard import best_rows, leaderboard
from xtr.analysis.plan import plan_sweep
from xtr.analysis.trials import TrialRow
from xtr.errors import SweepBusy
from xtr.faults import fault
from xtr.search.book import Book
from xtr.search.cluster import check_storage, ray_cluster, trial_resources
from xtr.search.progress import Progress
from xtr.spec.dump import to_yaml
from xtr.spec.sweep import SweepSpec
from xtr.stages.lease import HEARTBEAT_S, Lease, Watch
from xtr.stages.path import Paths
from xtr.stages.preflight import check_data, record_left_out
from xtr.stages.run import Runner
from xtr.stages.stage import PretrainStage
from xtr.storage import write_atomic
from xtr.track.mlflow import Tracker

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """How a sweep ended: its trials, and the compute spent by this run."""

    rows: tuple[TrialRow, ...]
    steps: int
    seconds: float

    @property
    def n_failed(self) -> int:
        """Trials that failed; one that diverged has taught the search something and does not count."""
        return sum(row.state == "failed" for row in self.rows)


def sweep_folder(spec: SweepSpec) -> Path:
    """Where a sweep keeps its journal and its views."""
    return Path(spec.storage.root).resolve() / "sweeps" / spec.name


def run_sweep(spec: SweepSpec, say: Say) -> SweepOutcome:
    """Run a sweep to its end, or go on with it; finished stages and trials are never done again.

    Raises:
        InputError: data or model are not as the sweep file says; nothing has been started.
        SweepBusy: another driver runs this sweep.
    """
    check_storage(spec.storage)
    runner = Runner(spec)
    check_data(spec, runner.source)
    folder = sweep_folder(spec)
    with hold_sweep(folder):
        fault("driver.leased")
        write_atomic(folder / "spec.yaml", to_yaml(spec))
        fault("driver.spec_written")
        record_left_out(folder, runner.source)
        start = Paths(spec, runner.source).start
        if isinstance(start, PretrainStage) and not runner.store.has(start.key):
            say("pretraining the demo world's encoder, once: about a minute")
        runner.ensure_start(start)
        return _search(spec, runner, folder, say)


def _search(spec: SweepSpec, runner: Runner, folder: Path, say: Say) -> SweepOutcome:
    tracker = Tracker(spec, complain=say)
    book = Book(spec, folder)
    plan = plan_sweep(spec, runner.source, runner.store, book.rows)
    progress = Progress(book, plan.trials, say)

    def listen(row: TrialRow) -> None:
        progress.trial(row)
        tracker.trial(row)

    book.listener = listen
    tracker.open(book.rows)
    if book.done:
        say("every trial of this sweep is done already; nothing to train")
    else:
        try:
            _tune(spec, book, folder)
        except BaseException:
            tracker.close("KILLED")
            raise
    tracker.summary({f"select/{row.target}": row.score for row in best_rows(leaderboard(spec, book.rows))})
    tracker.close("FINISHED")
    say(progress.summary())
    return SweepOutcome(tuple(book.rows), book.steps, book.seconds)


def _tune(spec: SweepSpec, book: Book, folder: Path) -> None:
    """Give the book to Ray Tune until it has no more jobs."""
    records = folder / "ray-tune"
    with ray_cluster(spec):
        from ray import tune

        from xtr.search.searcher import SweepSearcher
        from xtr.search.trial import run_trial

        tuner = tune.Tuner(
            tune.with_resources(partial(run_trial, spec=spec.anchored()), trial_resources(spec.compute)),
            tune_config=tune.TuneConfig(
                search_alg=SweepSearcher(book),
                num_samples=-1,
                max_concurrent_trials=spec.search.concurrent_trials,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=spec.name,
                storage_path=str(records),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=spec.compute.retries.trial),
            ),
        )
        try:
            fault("driver.before_fit")
            tuner.fit()
            fault("driver.after_fit")
        finally:
            shutil.rmtree(records, ignore_errors=True)  # Tune's own snapshots; xtr never restores from them


@contextmanager
def hold_sweep(folder: Path) -> Iterator[None]:
    """Hold a sweep for as long as a block lasts; a dead driver's hold is taken over after a few heartbeats.

    Raises:
        SweepBusy: a living driver holds it.
    """
    path = folder / "driver.lease"
    watch = Watch(path)
    while (lease := Lease.claim(path)) is None:
        if watch.beats():
            raise SweepBusy(
                f"another driver runs this sweep ({path}); follow it with xtr status, or stop it first"
            )
        if watch.stale():
            watch.remove()
        else:
            watch.wait(HEARTBEAT_S / 10)
    with lease:
        yield
