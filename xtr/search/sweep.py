"""This is where a sweep runs: one Tuner, one searcher over all studies, from the first trial to the last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from xtr.analysis.planning.changes import changes_since
from xtr.analysis.planning.plan import plan_sweep
from xtr.analysis.records.spending import Ended, write_ended
from xtr.analysis.records.trials import TrialRow, read_trials
from xtr.errors import SweepBusy
from xtr.faults import fault
from xtr.search.book import Book
from xtr.search.cluster import check_storage, ray_cluster, trial_resources
from xtr.search.ending import AtRest, Budget, Ending, check_budget
from xtr.search.progress import Progress, now_and_then
from xtr.search.unmet import Unmet
from xtr.spec.dump import to_yaml
from xtr.spec.sweep import SweepSpec
from xtr.stages.drain import Drain
from xtr.stages.path import Paths
from xtr.stages.preflight import check_data, record_left_out
from xtr.stages.run import Runner
from xtr.stages.stage import PretrainStage
from xtr.storage import write_atomic
from xtr.storage.lease import Lease, Watch, driver_lease, remove_if_dead
from xtr.storage.mirror import Mirror
from xtr.storage.workplace import Workplace
from xtr.track.mlflow import Tracker
from xtr.track.where import naming_variable

Say = Callable[[str], None]
DRIVER_PATIENCE = 15.0
"""Heartbeats of silence after which a driver on another machine is dead."""


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """How a run of a sweep ended: the trials, the compute spent by this run, and what ended it early, if so."""

    rows: tuple[TrialRow, ...]
    steps: int
    seconds: float
    ended: Ended | None = None

    @property
    def n_kept(self) -> int:
        """Trials that are under way, for the next run to go on with."""
        return sum(row.state == "running" for row in self.rows)

    @property
    def n_failed(self) -> int:
        """Trials that failed; one that diverged has taught the search something and does not count."""
        return sum(row.state == "failed" for row in self.rows)


def sweep_folder(spec: SweepSpec) -> Path:
    """Where a sweep's driver keeps its journal and its views."""
    return spec.storage.workplace().sweep(spec.name)


def run_sweep(spec: SweepSpec, say: Say) -> SweepOutcome:
    """Run a sweep to its end, or go on with it; finished stages and trials are never done again.

    Raises:
        InputError: storage, data or model are not as the sweep file says; nothing has been started.
        SweepBusy: another driver runs this sweep.
    """
    check_storage(spec.storage)
    check_budget(spec)
    runner = Runner(spec)
    check_data(spec, runner.source)
    with hold_sweep(spec.storage.workplace(), spec.name, say) as held:
        folder = held.folder
        fault("driver.leased")
        runner.store.sweep_leftovers()
        budget = Budget(spec, folder)
        for caveat in spec.search.caveat:
            say(caveat)
        if changes := changes_since(folder, spec, read_trials(folder)):
            say(changes.text(spec.name))
        write_atomic(folder / "spec.yaml", to_yaml(naming_variable(spec.located(), os.environ)))
        fault("driver.spec_written")
        write_ended(folder, None)
        record_left_out(folder, runner.source)
        for start in Paths(spec, runner.source).starts:
            if isinstance(start, PretrainStage) and not runner.store.has(start.key):
                say(f"pretraining the demo world's encoder {start.name}, once: one to five minutes")
            runner.ensure_start(start, now_and_then(say))
        outcome = _search(runner, budget, held, say)
        runner.store.sweep_leftovers()  # of processes that were still dying when this run began
        return outcome


def _search(runner: Runner, budget: Budget, held: Held, say: Say) -> SweepOutcome:
    spec, folder = runner.spec, held.folder
    tracker = Tracker(spec, complain=say)
    book = Book(spec, folder, unmet=Unmet(Paths(spec, runner.source), runner.store))
    plan = plan_sweep(spec, runner.source, runner.store, book.rows)
    progress = Progress(book, plan.trials, say)

    def listen(row: TrialRow) -> None:
        progress.trial(row)
        tracker.trial(row)

    book.listener = listen
    tracker.open(book.rows)
    ending = Ending(budget, Drain.of(spec), taken_over=lambda: held.lease.lost)
    if book.done:
        say("every trial of this sweep is done already; nothing to train")
    else:
        try:
            with ending.at_hand():
                ending.look()
                if not ending.ended:
                    _tune(spec, book, folder, ending)
        except BaseException as error:
            write_ended(folder, Ended("interrupt") if isinstance(error, KeyboardInterrupt) else None)
            tracker.close("KILLED")
            raise
    if held.lease.lost:
        raise SweepBusy("another driver took this sweep over while this one stood still, and goes on with it")
    ended = None if book.done else ending.ended
    write_ended(folder, ended)
    tracker.leaderboard(book.rows)
    tracker.close("KILLED" if ended else "FINISHED")
    say(progress.summary())
    return SweepOutcome(tuple(book.rows), book.steps, book.seconds, ended)


def _tune(spec: SweepSpec, book: Book, folder: Path, ending: Ending) -> None:
    """Give the book to Ray Tune until it has no more jobs, or the run is asked to end."""
    records = folder / "ray-tune"
    with ray_cluster(spec):
        from ray import tune

        from xtr.search.searcher import Starts, SweepSearcher
        from xtr.search.trial import run_trial

        tuner = tune.Tuner(
            tune.with_resources(
                partial(run_trial, spec=spec.anchored(), drain=ending.drain), trial_resources(spec.compute)
            ),
            tune_config=tune.TuneConfig(
                search_alg=SweepSearcher(book, ending),
                num_samples=-1,
                max_concurrent_trials=spec.search.concurrent_trials,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=spec.name,
                storage_path=str(records),
                verbose=0,
                callbacks=[Starts(ending)],
                failure_config=tune.FailureConfig(max_failures=spec.compute.retries.trial),
            ),
        )
        try:
            fault("driver.before_fit")
            with suppress(AtRest):
                tuner.fit()
            fault("driver.after_fit")
        finally:
            shutil.rmtree(records, ignore_errors=True)  # Tune's own snapshots; xtr never restores from them


@dataclass(frozen=True, slots=True)
class Held:
    """A sweep that this process drives, and the folder that it works in."""

    folder: Path
    lease: Lease


@contextmanager
def hold_sweep(place: Workplace, sweep: str, say: Say) -> Iterator[Held]:
    """Hold a sweep for as long as a block lasts; a dead driver's hold is taken over.

    A process that is gone from this machine is dead at once. One that is silent may only stand still, and two
    drivers would write one journal, so it is waited for longer than the holder of a stage. Of a bucket the folder
    is a working copy, fetched first and copied back while the block lasts.

    Raises:
        SweepBusy: a living driver holds it.
    """
    name = driver_lease(sweep)
    remove_if_dead(place.store, name)
    watch = Watch(place.store, name, patience=DRIVER_PATIENCE)
    while (lease := Lease.claim(place.store, name)) is None:
        if watch.beats():
            raise SweepBusy(
                f"another driver runs this sweep ({place.store.uri}/{name}); "
                "follow it with xtr status, or stop it first"
            )
        if watch.stale():
            watch.remove()
        else:
            watch.wait()
    folder = place.sweep(sweep)
    with lease, ExitStack() as stack:
        if place.bucket is not None:
            stack.enter_context(Mirror(place.bucket, f"sweeps/{sweep}", folder).kept(say))
        yield Held(folder, lease)
