"""A design: every setting of every pair at every seed, counted beforehand, and none of it chosen away."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from statistics import fmean

import pytest

from tests.search.specs import drive, finish, score, sweep
from tests.spec.sweeps import GOOD, load_text, only_problem, write
from xtr.analysis.answers.leaderboard import leaderboard, points, scores_of_winners, winners
from xtr.analysis.planning.plan import Plan, plan_sweep
from xtr.analysis.records.results import results_of
from xtr.analysis.records.scores import ScoreRow, read_scores, write_scores
from xtr.analysis.records.trials import write_trials
from xtr.data.open import open_source
from xtr.search.book import Book
from xtr.search.study import Job
from xtr.spec.dump import to_yaml
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.store import StageStore

FRACTIONS, EPOCHS = (0.25, 0.5, 1.0), (1, 2)
SPACE = {
    "intermediate.fraction": {"choice": list(FRACTIONS)},
    "target.epochs": {"int": list(EPOCHS)},
    "target.learning_rate": 1e-4,
}
N_SETTINGS = {
    Pair("none", "tydiqa"): 2,
    Pair("squad_v1", "tydiqa"): 6,
    Pair("csqa", "tydiqa"): 6,
    Pair("none", "tatoeba"): 1,
    Pair("squad_v1", "tatoeba"): 3,
    Pair("csqa", "tatoeba"): 3,
}


def design(root: Path, *seeds: int) -> SweepSpec:
    spec = sweep(root)
    search = {"space": SPACE, "concurrent_trials": 2, "design": {"seeds": list(seeds)}}
    return SweepSpec.model_validate({**spec.model_dump(mode="json"), "search": search})


def planned(spec: SweepSpec, root: Path, book: Book | None = None) -> Plan:
    return plan_sweep(spec, open_source(spec.data, root), StageStore(root), book.rows if book else [])


def test_every_setting_of_every_pair_is_trained_at_every_seed_as_the_plan_says(tmp_path: Path) -> None:
    spec = design(tmp_path, 5, 1, 3)
    before = planned(spec, tmp_path)
    book = Book(spec, tmp_path)
    drive(book, 3, random.Random(0))
    assert book.done
    for pair, n in N_SETTINGS.items():
        rows = book.studies[pair].rows
        settings = {tuple(sorted(row.params.items())) for row in rows}
        assert len(settings) == n
        assert sorted((tuple(sorted(row.params.items())), row.seed) for row in rows) == sorted(
            itertools.product(settings, (1, 3, 5))
        )
    assert before.trials == before.owed == len(book.rows) == 3 * sum(N_SETTINGS.values())
    assert planned(spec, tmp_path, book).owed == 0
    assert before.stages["target"].distinct == 3 * (2 + 6 + 6)
    assert before.scoring["evaluate"].asked == 3 * ((2 + 6 + 6) * 5 + (1 + 3 + 3) * 4), (
        "tatoeba has no English"
    )


def test_settings_come_in_the_order_of_the_grid(tmp_path: Path) -> None:
    spec = design(tmp_path, 1)
    book = Book(spec, tmp_path)
    drive(book, 1, random.Random(0))
    rows = book.studies[Pair("csqa", "tydiqa")].rows
    tried = [(row.params["intermediate.fraction"], row.params["target.epochs"]) for row in rows]
    assert tried == list(itertools.product(FRACTIONS, EPOCHS))


def test_the_best_of_a_design_has_the_best_mean_over_all_seeds(tmp_path: Path) -> None:
    spec = design(tmp_path, 1, 2)
    book = Book(spec, tmp_path)
    lucky = {"intermediate.fraction": 0.25, "target.epochs": 1, "target.learning_rate": 1e-4}
    pair = Pair("squad_v1", "tydiqa")

    def value(job: Job) -> float:
        return 0.9 if (job.pair, job.params, job.seed) == (pair, lucky, 1) else score(job)

    while (job := book.next_job()) is not None:
        book.report(job, "complete", value(job), {})
    best = winners(spec, book.rows)[pair]
    means: dict[tuple[tuple[str, float], ...], list[float]] = {}
    for row in book.studies[pair].rows:
        means.setdefault(tuple(sorted(row.params.items())), []).append(row.value or 0.0)
    assert best.seeds == (1, 2)
    assert best.score == max(map(fmean, means.values()))
    assert all(row.transfer_same_settings is not None for row in leaderboard(spec, book.rows))


def test_a_setting_that_diverged_at_one_seed_is_tried_at_the_others(tmp_path: Path) -> None:
    spec = design(tmp_path, 1, 2)
    book = Book(spec, tmp_path)
    pair = Pair("csqa", "tydiqa")
    while (job := book.next_job()) is not None:
        if job.pair == pair and job.number == 2:
            book.report(job, "diverged", None, {})
        else:
            finish(book, job)
    assert len(book.studies[pair].rows) == 12
    assert planned(spec, tmp_path, book).owed == 0
    scored = [point for point in points(spec, book.rows) if point.pair == pair]
    assert len(scored) == 11


def test_a_further_seed_and_a_further_value_train_only_what_is_new(tmp_path: Path) -> None:
    drive(Book(design(tmp_path, 1, 2), tmp_path), 2, random.Random(0))
    more = design(tmp_path, 1, 2, 3)
    assert drive(Book(more, tmp_path), 2, random.Random(0)) == sum(N_SETTINGS.values())
    wider = SPACE | {"target.epochs": {"int": [1, 3]}}
    again = more.model_copy(
        update={"search": type(more.search).model_validate({"space": wider, "design": {"seeds": [1, 2, 3]}})}
    )
    assert drive(Book(again, tmp_path), 2, random.Random(0)) == 3 * (1 + 3 + 3)


def test_all_points_are_scored_and_those_of_winners_stand_apart(tmp_path: Path) -> None:
    spec = design(tmp_path, 1, 2)
    book = Book(spec, tmp_path)
    drive(book, 2, random.Random(0))
    scored = points(spec, book.rows)
    assert len(scored) == len(book.rows)
    chosen = winners(spec, book.rows)
    assert {each.pair for each in scored if each.wins} == set(chosen)
    rows = [
        ScoreRow(p.pair.intermediate, p.pair.target, p.seed, "test", "xa", "f1", 0.5, 10, "key", p.params)
        for p in scored
    ]
    write_scores(tmp_path, rows, "test")
    write_trials(tmp_path, book.rows)
    assert read_scores(tmp_path) == rows
    assert [row.settings for row in scores_of_winners(spec, book.rows, rows)] == [
        each.params for each in scored if each.wins
    ]
    table = results_of(tmp_path)
    assert [row.settings for row in table if row.split == "test"] == [each.params for each in scored]
    assert {row.stage for row in table if row.split == "test"} == {"key"}


DESIGN = (
    GOOD.split("search:")[0]
    + """search:
  space: {intermediate.fraction: {choice: [0.1, 1.0]}, target.epochs: {int: [1, 2]}}
  concurrent_trials: 3
  design: {seeds: [4, 2]}
"""
)


def test_a_design_is_written_as_it_was_said(tmp_path: Path) -> None:
    spec = load_text(tmp_path, DESIGN)
    assert (spec.search.training_seed, spec.search.confirm.seeds) == (4, (2,))
    written = to_yaml(spec)
    assert load_text(tmp_path, written) == spec
    assert "confirm" not in written
    assert "generation" not in written


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("confirm: {seeds: [3]}", "confirm"),
        ("early_stopping: {keep: 0.5}", "early_stopping"),
        ("share: intermediate", "share"),
        ("start_with: [winners]", "start_with"),
        ("sampler: {name: random}", "sampler"),
        ("trials_per_pair: 4", "trials_per_pair"),
        ("training_seed: 4", "training_seed"),
    ],
)
def test_what_a_design_decides_itself_is_refused_beside_it(tmp_path: Path, said: str, name: str) -> None:
    problem = only_problem(write(tmp_path, f"{DESIGN}  {said}\n"))
    assert problem.what == f"a design decides {name} itself"
    assert "null" in problem.hint
    null = f"{DESIGN}  {name}: null\n"
    assert load_text(tmp_path, null) == load_text(tmp_path, DESIGN), "over a file that it extends"


def test_a_design_needs_settings_that_can_be_counted_and_seeds_that_differ(tmp_path: Path) -> None:
    wide = DESIGN.replace("{int: [1, 2]}", "2, target.learning_rate: {log_float: [1e-5, 1e-3]}")
    problem = only_problem(write(tmp_path, wide))
    assert problem.what == "a design needs values that can be counted"
    assert problem.where.endswith("search.space.target.learning_rate")
    twice = only_problem(write(tmp_path, DESIGN.replace("[4, 2]", "[4, 4]")))
    assert twice.what == "a design names a seed twice"
    none = only_problem(write(tmp_path, DESIGN.replace("[4, 2]", "[]")))
    assert none.where.endswith("search.design.seeds")
