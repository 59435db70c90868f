"""Proposals, legs, confirmation and controls: the same table whatever the timing, the width and the kills."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.search.specs import drive, finish, next_of, score, sweep, table
from xtr.analysis.answers.leaderboard import leaderboard
from xtr.analysis.records.trials import State, finalists
from xtr.data.open import open_source
from xtr.search.book import Book
from xtr.search.study import Job
from xtr.search.unmet import Unmet
from xtr.spec.space import Value
from xtr.spec.sweep import Pair
from xtr.stages.path import Paths
from xtr.stages.store import StageStore

STOPPING = {"early_stopping": {"rung_epochs": 1, "keep": 0.5}}
HALVING = {"early_stopping": {"rung_epochs": [1, 2], "keep": 0.5}}
TOP = {"early_stopping": {"rung_epochs": 1, "keep": 1}}
CONFIRM = {"confirm": {"top": 2, "seeds": [2, 3]}}
LONGER: dict[str, Any] = {
    "target.epochs": {"int": [1, 4]},
    "target.learning_rate": {"log_float": [5e-6, 1e-3]},
}
POOL: dict[str, Any] = {
    "space": LONGER
    | {"intermediate.learning_rate": {"log_float": [1e-5, 1e-3]}, "intermediate.epochs": {"int": [1, 9]}},
    "share": "intermediate",
    "pool": 3,
}
EVERYTHING = POOL | HALVING | CONFIRM | {"trials_per_pair": 6, "generation": 3}


@pytest.mark.parametrize(
    "search", [{"start_with": []}, STOPPING | CONFIRM, EVERYTHING], ids=["plain", "legs", "everything"]
)
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
    spec = sweep(tmp_path / "whole", **EVERYTHING)
    whole = Book(spec, tmp_path / "whole")
    n_results = drive(whole, 2, random.Random(0))
    for killed_after in range(1, n_results, 14):
        folder = tmp_path / f"killed-{killed_after}"
        spec = sweep(folder, **EVERYTHING)
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
    jobs = [next_of(study, in_flight=set(range(n))) for n in range(4)]
    assert [job.number for job in jobs] == [0, 1, 2, 3]
    assert not list(study.offers(in_flight=set(range(4))))
    for job in jobs:
        study.finish(job.number, "complete", score(job), {})
    assert next_of(study).number == 4


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


def test_halving_stops_half_of_those_that_are_left_at_each_rung(tmp_path: Path) -> None:
    space = LONGER | {"target.epochs": 4}
    book = Book(sweep(tmp_path, **HALVING, space=space, trials_per_pair=8, generation=8), tmp_path)
    drive(book, 3, random.Random(0))
    study = book.studies[Pair("none", "tydiqa")]
    rows = [row for row in study.rows if row.phase == "search"]
    assert Counter(row.state for row in rows) == {"pruned": 6, "complete": 2}
    rungs = [len(trial.intermediate_values) for trial in study.study.trials[:8]]
    assert Counter(rungs) == {1: 4, 2: 4}
    assert {rungs[row.number] for row in rows if row.state == "complete"} == {2}


def test_top_k_lets_as_many_go_on_as_it_says(tmp_path: Path) -> None:
    book = Book(sweep(tmp_path, **TOP, space=LONGER | {"target.epochs": 3}), tmp_path)
    drive(book, 3, random.Random(0))
    rows = [row for row in book.studies[Pair("none", "tydiqa")].rows if row.phase == "search"]
    for generation in (rows[:4], rows[4:]):
        (best,) = [row for row in generation if row.state == "complete"]
        assert best.rung == max(row.rung or 0.0 for row in generation)


def test_trials_of_a_pool_share_its_settings_whatever_their_target(tmp_path: Path) -> None:
    book = Book(sweep(tmp_path, **POOL), tmp_path)
    drive(book, 3, random.Random(0))
    for intermediate in ("squad_v1", "csqa"):
        met = {
            tuple(row.params[name] for name in ("intermediate.learning_rate", "intermediate.epochs"))
            for row in book.rows
            if row.intermediate == intermediate
        }
        assert len(met) == 3
    rates = [
        row.params["target.learning_rate"]
        for row in book.rows
        if row.intermediate == "squad_v1" and row.target == "tydiqa"
    ]
    assert len(set(rates)) == len(rates) == 8


def test_the_second_generation_begins_with_what_won_on_none_and_on_the_first_target(tmp_path: Path) -> None:
    spec = sweep(tmp_path, **POOL)
    spec = spec.model_copy(update={"pairs": spec.pairs.model_copy(update={"target": ("tydiqa", "udpos")})})
    book = Book(spec, tmp_path)
    drive(book, 3, random.Random(0))

    def best(intermediate: str, target: str) -> dict[str, Value]:
        return finalists(book.studies[Pair(intermediate, target)].rows, 1)[0].params

    for intermediate in ("squad_v1", "csqa"):
        first = book.studies[Pair(intermediate, "tydiqa")].rows[4].params
        assert first.items() >= best("none", "tydiqa").items()
        second = book.studies[Pair(intermediate, "udpos")].rows[4].params
        taught = {n: v for n, v in best(intermediate, "tydiqa").items() if n.startswith("intermediate.")}
        assert second == taught | best("none", "udpos")


def test_published_settings_come_first_and_nothing_waits_where_nothing_is_taught(tmp_path: Path) -> None:
    book = Book(sweep(tmp_path, space=LONGER, start_with=["published"]), tmp_path)
    after, alone = book.studies[Pair("squad_v1", "tydiqa")], book.studies[Pair("none", "tydiqa")]
    assert (
        next_of(after).params == next_of(alone).params == {"target.epochs": 2, "target.learning_rate": 1e-5}
    )
    jobs = [next_of(after, set(range(n))) for n in range(1, 4)]
    after.finish(0, "complete", 0.5, {})
    for job in jobs:
        after.finish(job.number, "complete", score(job), {})
    assert next_of(after).number == 4


def test_looking_at_what_is_next_writes_nothing(tmp_path: Path) -> None:
    book = Book(sweep(tmp_path), tmp_path)
    before = (tmp_path / "study.journal").read_bytes()
    study = book.studies[Pair("squad_v1", "tydiqa")]
    offered = list(study.offers(set()))
    assert [job.number for job in offered] == [0, 1, 2, 3]
    assert not book.done
    assert (tmp_path / "study.journal").read_bytes() == before
    study.take(offered[2])  # the two before it are written with it, and come next
    assert [job.number for job in study.offers({2})] == [0, 1, 3]
    assert list(study.offers({2})) == [offered[0], offered[1], offered[3]]


def test_trials_that_miss_different_stages_start_first(tmp_path: Path) -> None:
    spec = sweep(tmp_path, space={"intermediate.fraction": {"choice": [0.5, 1.0]}} | LONGER, start_with=[])
    paths, store = Paths(spec, open_source(spec.data, tmp_path)), StageStore(tmp_path)

    def missing(job: Job) -> str | None:
        stages = paths.path(job.pair, job.params, job.seed).training
        return next((stage.key for stage in stages if not store.has(stage.key)), None)

    book, order, most = Book(spec, tmp_path, unmet=Unmet(paths, store)), random.Random(0), 0
    flying: list[Job] = []
    while not book.done:
        while len(flying) < 12 and (job := book.next_job()) is not None:
            flying.append(job)
        firsts = [key for job in flying if (key := missing(job)) is not None]
        assert len(set(firsts)) == len(firsts)
        most = max(most, len(flying))
        assert flying
        job = flying.pop(order.randrange(len(flying)))
        for stage in paths.path(job.pair, job.params, job.seed).training:
            with store.workspace(stage.key) as folder:
                store.publish(stage, folder, {}, {})
        finish(book, job)
    assert (
        most >= 8
    )  # four of none on tydiqa, one of none on tatoeba, and a stage of each intermediate setting
    plain = Book(
        sweep(tmp_path / "plain", **spec.search.model_dump(include={"space", "start_with"})),
        tmp_path / "plain",
    )
    drive(plain, 2, order)
    assert table(book) == table(plain)


def test_a_diverged_trial_teaches_and_a_failed_one_does_not(tmp_path: Path) -> None:
    spec = sweep(tmp_path)
    book = Book(spec, tmp_path)
    study = book.studies[Pair("none", "tydiqa")]
    job = next_of(study)
    (diverged,) = study.finish(job.number, "diverged", None, {"error": "the loss is nan"})
    assert (diverged.state, diverged.value) == ("diverged", None)
    trial = study.study.get_trials()[0]
    assert (trial.state.name, trial.value) == ("PRUNED", None)
    other = next_of(study)
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
    assert next_of(book.studies[Pair("squad_v1", "tydiqa")]).params == first
    alone = next_of(book.studies[Pair("none", "tydiqa")])
    assert alone.params == {"target.learning_rate": 3e-5, "target.epochs": 2}


def test_winners_are_confirmed_on_their_own_seeds_and_compared_with_none_at_equal_settings(
    tmp_path: Path,
) -> None:
    spec = sweep(tmp_path, **CONFIRM, start_with=[])
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
