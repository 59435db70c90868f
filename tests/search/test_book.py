"""Proposals, legs, confirmation and controls: the same table whatever the timing, the width and the kills."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.search.specs import drive, finish, score, sweep, table
from xtr.analysis.leaderboard import leaderboard
from xtr.analysis.trials import State
from xtr.search.book import Book
from xtr.spec.sweep import Pair

STOPPING = {"early_stopping": {"rung_epochs": 1, "keep": 0.5}}
CONFIRM = {"confirm": {"top": 2, "seeds": [2, 3]}}


@pytest.mark.parametrize("search", [{}, STOPPING, STOPPING | CONFIRM], ids=["plain", "legs", "confirmed"])
def test_the_table_depends_neither_on_width_nor_on_the_order_of_results(
    tmp_path: Path, search: dict[str, object]
) -> None:
    tables = []
    for run, (width, seed) in enumerate([(1, 0), (2, 1), (3, 2), (5, 3)]):
        spec = sweep(tmp_path / str(run), **search)
        book = Book(spec, tmp_path / str(run))
        drive(book, width, random.Random(seed))
        assert book.done
        tables.append((table(book), leaderboard(spec, book.rows)))
    assert all(each == tables[0] for each in tables)


def test_a_sweep_killed_at_any_result_comes_to_the_same_table(tmp_path: Path) -> None:
    spec = sweep(tmp_path / "whole", **STOPPING, **CONFIRM)
    whole = Book(spec, tmp_path / "whole")
    n_results = drive(whole, 2, random.Random(0))
    for killed_after in range(1, n_results, 7):
        folder = tmp_path / f"killed-{killed_after}"
        spec = sweep(folder, **STOPPING, **CONFIRM)
        drive(Book(spec, folder), 3, random.Random(killed_after), stop_after=killed_after)
        with (folder / "study.journal").open("ab") as journal:
            journal.write(b'{"op_code": 4, "worker')  # the line that the kill has torn
        resumed = Book(spec, folder)
        drive(resumed, 2, random.Random(1))
        assert table(resumed) == table(whole)
        assert leaderboard(spec, resumed.rows) == leaderboard(spec, whole.rows)


def test_later_generations_learn_from_earlier_ones(tmp_path: Path) -> None:
    spec = sweep(tmp_path, trials_per_pair=48, sampler={"name": "tpe", "startup_trials": 8})
    book = Book(spec, tmp_path)
    drive(book, 2, random.Random(0))
    values = [
        row.value or 0.0 for row in book.studies[Pair("squad_v1", "tydiqa")].rows if row.phase == "search"
    ]
    assert sum(values[-24:]) / 24 > sum(values[:8]) / 8


def test_a_generation_waits_for_the_one_before(tmp_path: Path) -> None:
    spec = sweep(tmp_path)
    book = Book(spec, tmp_path)
    study = book.studies[Pair("none", "tydiqa")]
    jobs = [study.next_job(in_flight=set(range(n))) for n in range(5)]
    assert [job.number for job in jobs if job] == [0, 1, 2, 3]
    assert jobs[4] is None
    for job in jobs[:4]:
        assert job is not None
        study.finish(job.number, "complete", score(job), {})
    following = study.next_job(in_flight=set())
    assert following is not None
    assert following.number == 4


def test_legs_keep_the_better_half_at_equal_planned_epochs_and_tell_the_rest_pruned(tmp_path: Path) -> None:
    book = Book(sweep(tmp_path, **STOPPING), tmp_path)
    drive(book, 2, random.Random(0))
    pruned = [row for row in book.rows if row.state == "pruned"]
    assert pruned
    for row in pruned:
        generation = [
            other
            for other in book.studies[row.pair].rows
            if other.phase == "search"
            and other.index // 4 == row.index // 4
            and other.params["target.epochs"] == row.params["target.epochs"]
        ]
        better = [other for other in generation if (other.rung or 0) > (row.rung or 0)]
        assert any(other.state == "complete" for other in better)
        assert row.value is None
    one_epoch = [row for row in book.rows if row.params.get("target.epochs") == 1]
    assert all(row.rung is None and row.state == "complete" for row in one_epoch)


def test_a_diverged_trial_teaches_and_a_failed_one_does_not(tmp_path: Path) -> None:
    spec = sweep(tmp_path)
    book = Book(spec, tmp_path)
    study = book.studies[Pair("none", "tydiqa")]
    job = study.next_job(set())
    assert job is not None
    diverged = study.finish(job.number, "diverged", None, {"error": "the loss is nan"})
    assert (diverged.state, diverged.value) == ("diverged", None)
    trial = study.study.get_trials()[0]
    assert (trial.state.name, trial.value) == ("PRUNED", None)
    other = study.next_job(set())
    assert other is not None
    study.finish(other.number, "failed", None, {"error": "out of memory"})
    assert study.study.get_trials()[1].state.name == "FAIL"


def test_what_a_trial_has_spent_adds_up_over_its_legs_and_counts_once(tmp_path: Path) -> None:
    book = Book(sweep(tmp_path, **STOPPING), tmp_path)
    n_jobs = 0
    while (job := book.next_job()) is not None:
        n_jobs += 1
        state: State = "running" if job.until_epoch else "complete"
        book.report(job, state, score(job), {"steps": 10, "seconds": 0.5})
    assert book.steps == 10 * n_jobs
    assert sum(int(str(row.detail["steps"])) for row in book.rows) == book.steps
    assert book.seconds == 0.5 * n_jobs


def test_a_failed_trial_is_tried_again_by_the_next_run_under_its_own_index(tmp_path: Path) -> None:
    spec = sweep(tmp_path)
    book = Book(spec, tmp_path)
    job = book.next_job()
    assert job is not None
    book.report(job, "failed", None, {"error": "disk full"})
    drive(book, 2, random.Random(0))
    assert [row.state for row in book.rows if row.state != "complete"] == ["failed"]
    again = Book(spec, tmp_path)
    retried = again.next_job()
    assert retried is not None
    assert (retried.pair, retried.params, retried.seed) == (job.pair, job.params, job.seed)
    finish(again, retried)
    drive(again, 1, random.Random(0))
    assert {row.state for row in again.rows} == {"complete"}
    assert len({(row.pair, row.phase, row.index) for row in again.rows}) == len(again.rows)


def test_a_finite_space_is_never_tried_twice_and_may_be_smaller_than_the_budget(tmp_path: Path) -> None:
    space = {"intermediate.fraction": {"choice": [0.5, 1.0]}, "target.epochs": {"int": [1, 3]}}
    book = Book(sweep(tmp_path, space=space, trials_per_pair=20), tmp_path)
    drive(book, 2, random.Random(0))
    counts = {pair: sum(r.phase == "search" for r in study.rows) for pair, study in book.studies.items()}
    assert counts[Pair("squad_v1", "tydiqa")] == 6
    assert counts[Pair("none", "tydiqa")] == 3
    assert counts[Pair("squad_v1", "tatoeba")] == 2
    assert counts[Pair("none", "tatoeba")] == 1
    for study in book.studies.values():
        tried = [tuple(sorted(row.params.items())) for row in study.rows if row.phase == "search"]
        assert len(set(tried)) == len(tried)


def test_start_with_comes_first(tmp_path: Path) -> None:
    first = {"intermediate.fraction": 1.0, "target.learning_rate": 3e-5, "target.epochs": 2}
    book = Book(sweep(tmp_path, start_with=[first]), tmp_path)
    assert book.studies[Pair("squad_v1", "tydiqa")].next_job(set()).params == first  # type: ignore[union-attr]
    alone = book.studies[Pair("none", "tydiqa")].next_job(set())
    assert alone is not None
    assert alone.params == {"target.learning_rate": 3e-5, "target.epochs": 2}


def test_winners_are_confirmed_on_their_own_seeds_and_compared_with_none_at_equal_settings(
    tmp_path: Path,
) -> None:
    spec = sweep(tmp_path, **CONFIRM)
    book = Book(spec, tmp_path)
    drive(book, 2, random.Random(0))
    for row in leaderboard(spec, book.rows):
        assert row.seeds == (2, 3)
        assert row.transfer_same_settings is not None
        if row.intermediate == "none":
            assert row.transfer == 0.0
            assert row.transfer_same_settings == 0.0
    controls = [row for row in book.rows if row.phase == "control"]
    assert {row.intermediate for row in controls} == {"none"}


def test_more_trials_go_on_where_the_sweep_stood(tmp_path: Path) -> None:
    book = Book(sweep(tmp_path, trials_per_pair=4), tmp_path)
    drive(book, 2, random.Random(0))
    before = {(row.pair, row.index): row.params for row in book.rows if row.phase == "search"}
    grown = Book(sweep(tmp_path, trials_per_pair=8), tmp_path)
    assert drive(grown, 2, random.Random(0)) > 0
    after = {(row.pair, row.index): row.params for row in grown.rows if row.phase == "search"}
    assert before.items() <= after.items()
