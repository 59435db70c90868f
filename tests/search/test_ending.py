"""Limits and Ctrl-C: what was spent over all runs, who is asked to stop, and when the second word counts."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.search.specs import drive, sweep, table
from xtr.analysis.answers.status import status_text
from xtr.analysis.records.spending import (
    Ended,
    read_ended,
    read_spent,
    spending_document,
    spending_text,
    write_ended,
)
from xtr.analysis.tables import hours
from xtr.errors import Drained, InputError
from xtr.search.book import Book
from xtr.search.ending import AtRest, Budget, Ending, check_budget
from xtr.search.progress import now_and_then
from xtr.spec.sweep import BudgetSpec, ComputeSpec, PerWorker, Prices, SweepSpec
from xtr.stages.drain import Drain
from xtr.track.mlflow import Tracker


def limited(folder: Path, **limits: float) -> SweepSpec:
    """A sweep whose workers hold two GPUs and four cores: an hour costs 24."""
    settings: dict[str, Any] = {
        "budget": BudgetSpec(**limits),
        "prices": Prices(gpu_hour=10, cpu_hour=1),
        "compute": ComputeSpec(per_worker=PerWorker(CPU=4, GPU=2)),
    }
    return sweep(folder).model_copy(update=settings)


def an_ending(spec: SweepSpec, folder: Path, *trials: str) -> Ending:
    """An ending with trials under way."""
    ending = Ending(Budget(spec, folder), Drain(folder / "drain"))
    ending.under_way.update(trials or ("one",))
    return ending


@pytest.mark.parametrize(
    ("limits", "seconds", "ended"),
    [
        ({}, 1e9, None),
        ({"gpu_hours": 3.0}, 5000, None),
        ({"gpu_hours": 3.0}, 5400, Ended("budget", "gpu_hours", 3.0, 3.0)),
        ({"gpu_hours": 9.0, "money": 36.0}, 5400, Ended("budget", "money", 36.0, 36.0)),
        ({"wall_hours": 1.0}, 1e9, None),
    ],
)
def test_a_limit_is_reached_by_what_all_runs_have_spent(
    tmp_path: Path, limits: dict[str, float], seconds: float, ended: Ended | None
) -> None:
    spec = limited(tmp_path, **limits)
    Budget(spec, tmp_path).spend(seconds / 2)
    later = Budget(spec, tmp_path)
    assert later.reached() is None
    later.spend(seconds / 2)
    assert later.reached() == ended
    assert Budget(spec, tmp_path).reached() == ended
    assert read_spent(tmp_path).gpu_hours == pytest.approx(seconds * 2 / 3600)


def test_the_clock_is_each_run_s_own(tmp_path: Path) -> None:
    budget = Budget(limited(tmp_path, wall_hours=1e-12), tmp_path)
    reached = budget.reached()
    assert reached is not None
    assert reached.what == "wall_hours"
    assert budget.seconds_left == 0


def test_at_a_limit_running_stages_finish_and_nothing_new_starts(tmp_path: Path) -> None:
    ending = an_ending(limited(tmp_path, gpu_hours=1.0), tmp_path)
    with ending.at_hand():
        ending.spend(1000)
        ending.drain.before_work()
        ending.spend(1000)
        there = Drain(ending.drain.path)
        with pytest.raises(Drained):
            there.before_work()
        assert not there.stops_steps()
    assert ending.ended == ending.budget.reached() == Ended("budget", "gpu_hours", 1.0, 4000 / 3600)
    assert not ending.drain.path.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_asks_trainings_to_keep_their_state_and_the_second_stops_at_once(
    tmp_path: Path, number: signal.Signals
) -> None:
    ending = an_ending(limited(tmp_path), tmp_path)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), ending.at_hand():
        os.kill(os.getpid(), number)
        assert ending.ended == Ended("interrupt")
        assert Drain(ending.drain.path).stops_steps()
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_ctrl_c_makes_a_budget_s_end_more_urgent(tmp_path: Path) -> None:
    ending = an_ending(limited(tmp_path, gpu_hours=1.0), tmp_path)
    with ending.at_hand():
        ending.spend(3600)
        os.kill(os.getpid(), signal.SIGINT)
        assert Drain(ending.drain.path).stops_steps()
        assert ending.ended == Ended("interrupt")


def test_ctrl_c_stops_at_once_while_no_trial_is_out_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ending = an_ending(limited(tmp_path), tmp_path)
    ending.trial_ended("one")
    with pytest.raises(KeyboardInterrupt), ending.at_hand():
        os.kill(os.getpid(), signal.SIGINT)
    assert capfd.readouterr().err == "ending at once: no trial is at work\n"


def test_an_interrupted_run_waits_for_the_trials_that_have_begun_alone(tmp_path: Path) -> None:
    ending = an_ending(limited(tmp_path), tmp_path, "one", "two")
    with ending.at_hand():
        os.kill(os.getpid(), signal.SIGINT)
        ending.trial_ended("one")
        ending.rest_if_nothing_works()
        ending.trial_ended("two")
        with pytest.raises(AtRest):
            ending.rest_if_nothing_works()


def test_a_spent_budget_waits_for_no_trial_that_has_no_machine_yet(tmp_path: Path) -> None:
    ending = an_ending(limited(tmp_path, gpu_hours=1.0), tmp_path)
    with ending.at_hand():
        ending.spend(4000)
        ending.rest_if_nothing_works()
        ending.trial_ended("one")
        with pytest.raises(AtRest):
            ending.rest_if_nothing_works()


def test_ctrl_c_while_mlflow_is_written_reaches_whoever_listens(tmp_path: Path) -> None:
    ending = an_ending(limited(tmp_path), tmp_path)
    tracker = Tracker(limited(tmp_path), complain=print)
    with ending.at_hand():
        tracker._attempt(lambda: os.kill(os.getpid(), signal.SIGINT))
        assert ending.ended == Ended("interrupt")


def test_a_limit_in_money_needs_prices(tmp_path: Path) -> None:
    spec = limited(tmp_path, money=5.0)
    check_budget(spec)
    with pytest.raises(InputError, match=r"prices\.gpu_hour"):
        check_budget(spec.model_copy(update={"prices": Prices()}))


def test_status_calls_running_what_somebody_runs_and_has_units_that_fit(tmp_path: Path) -> None:
    spec = sweep(tmp_path)
    assert "unfinished" in status_text(spec, [], driven=False)
    begun = status_text(spec, [], driven=True)
    assert "running" in begun
    assert "has no trial yet" in begun
    assert [hours(seconds / 3600) for seconds in (0.025, 35, 700, 12_000)] == [
        "0.03 s",
        "35 s",
        "12 min",
        "3.3 h",
    ]


def test_steps_that_have_no_lines_of_their_own_are_told_now_and_then() -> None:
    said: list[str] = []
    now_and_then(said.append, every_s=1e9)(1, 3000)
    now_and_then(said.append, every_s=0)(1200, 3000)
    assert said == ["    step 1,200 of 3,000"]


def test_status_says_what_was_spent_and_which_limit_ended_the_run(tmp_path: Path) -> None:
    spec = limited(tmp_path, gpu_hours=2.0)
    Budget(spec, tmp_path).spend(3690)
    write_ended(tmp_path, Ended("budget", "gpu_hours", 2.0, 2.05))
    document = spending_document(spec, tmp_path)
    assert document["spent"] == {"gpu_hours": 2.05, "cpu_hours": 4.1, "money": 24.6, "currency": "USD"}
    assert document["ended"] == {"by": "budget", "what": "gpu_hours", "limit": 2.0, "spent": 2.05}
    text = spending_text(spec, tmp_path)
    assert "2.0 h of one GPU, 4.1 h of one CPU core, 24.60 USD" in text
    assert "stopped by budget.gpu_hours: 2.05 of 2 GPU hours are spent" in text
    assert "--set budget.gpu_hours=4" in text
    write_ended(tmp_path, None)
    assert read_ended(tmp_path) is None
    assert spending_document(spec, tmp_path)["ended"] is None


def test_a_job_that_is_put_back_is_handed_out_again_by_the_next_run_to_the_same_table(tmp_path: Path) -> None:
    whole = Book(sweep(tmp_path / "whole"), tmp_path / "whole")
    drive(whole, 2, random.Random(0))
    spec = sweep(tmp_path / "drained")
    book = Book(spec, tmp_path / "drained")
    drive(book, 2, random.Random(0), stop_after=5)
    jobs = [job for job in (book.next_job(), book.next_job()) if job is not None]
    for job in jobs:
        book.put_back(job, {"steps": 3, "seconds": 0.5})
    assert book.n_in_flight < 3
    assert not book.done
    later = Book(spec, tmp_path / "drained")
    adopted = [later.studies[job.pair].rows[job.number] for job in jobs]
    assert [(row.state, row.detail["steps"]) for row in adopted] == [("running", 3)] * len(jobs)
    drive(later, 2, random.Random(1))
    assert table(later) == table(whole)
    again = [later.studies[job.pair].rows[job.number] for job in jobs]
    assert [(row.detail["steps"], row.detail["seconds"]) for row in again] == [(3, 0.5)] * len(jobs)


def test_the_end_of_a_trial_adds_to_what_it_had_spent(tmp_path: Path) -> None:
    book = Book(sweep(tmp_path), tmp_path)
    job = book.next_job()
    assert job is not None
    book.put_back(job, {"steps": 3, "seconds": 0.5})
    again = next(each for each in iter(book.next_job, None) if each.pair == job.pair)
    assert again == job
    book.report(job, "complete", 0.5, {"steps": 4, "seconds": 1.0})
    assert book.studies[job.pair].rows[job.number].detail == {"steps": 7, "seconds": 1.5}
