"""A changed sweep file keeps the trials that still fit: widened, narrowed, more choices, another sampler."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.search import specs
from tests.search.specs import SPACE, drive, table
from xtr.analysis.planning.changes import changes_since
from xtr.analysis.records.trials import TrialRow, read_trials
from xtr.search.book import Book
from xtr.spec.dump import to_yaml
from xtr.spec.space import Value
from xtr.spec.sweep import Pair, SweepSpec

STOPPING = {"early_stopping": {"rung_epochs": 1, "keep": 0.5}}
CONFIRM = {"confirm": {"top": 1, "seeds": [2, 3]}}
WIDER = {"target.epochs": {"int": [1, 6]}}
PAIR = Pair("squad_v1", "tydiqa")


def sweep(folder: Path, **search: Any) -> SweepSpec:
    """A spec of two pairs."""
    spec = specs.sweep(folder, **search)
    pairs = {"intermediate": ("squad_v1",), "target": ("tydiqa",)}
    return spec.model_copy(update={"pairs": spec.pairs.model_copy(update=pairs)})


def run(folder: Path, **search: Any) -> Book:
    book = Book(sweep(folder, **search), folder)
    drive(book, 2, random.Random(0))
    return book


def facts(rows: list[TrialRow], *phases: str) -> list[tuple[Any, ...]]:
    """Trials without their numbers."""
    return sorted(
        (str(row.pair), row.phase, row.seed, row.state, row.value, sorted(row.params.items()))
        for row in rows
        if row.phase in phases
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"space": SPACE | WIDER}, id="a wider range"),
        pytest.param(
            {"space": SPACE | {"intermediate.fraction": {"choice": [0.1, 0.25, 0.5, 1.0]}}},
            id="one more choice",
        ),
        pytest.param({"sampler": {"name": "random"}}, id="another sampler"),
        pytest.param({"seed": 99}, id="another seed of the search"),
        pytest.param({"generation": 2}, id="other generations"),
        pytest.param({"start_with": [{"target.epochs": 2}]}, id="a wish"),
        pytest.param(STOPPING, id="early stopping"),
    ],
)
def test_finished_trials_are_kept_where_only_the_search_has_changed(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    first = run(tmp_path, trials_per_pair=4, **CONFIRM)
    had = facts(first.rows, "search", "confirm", "control")
    changed = Book(sweep(tmp_path, **{"trials_per_pair": 4, **CONFIRM, **change}), tmp_path)
    assert facts(changed.rows, "search", "confirm", "control") == had
    assert changed.studies[PAIR].done, "what the first run has tried is all that is owed"
    again = Book(sweep(tmp_path, **{"trials_per_pair": 4, **CONFIRM, **change}), tmp_path)
    assert again.rows == changed.rows


def test_kept_trials_count_and_inform_the_sampler(tmp_path: Path) -> None:
    first = run(tmp_path / "kept", trials_per_pair=6)
    n_first = len([row for row in first.rows if row.pair == PAIR])
    grown = run(tmp_path / "kept", trials_per_pair=9, space=SPACE | WIDER)
    own = [row for row in grown.rows if row.pair == PAIR and row.phase == "search"]
    assert len(own) == 9
    assert [row.index for row in own] == list(range(9))
    alone = run(tmp_path / "alone", trials_per_pair=9, space=SPACE | WIDER)
    fresh = [row for row in alone.rows if row.pair == PAIR and row.phase == "search"]
    new = [row.params for row in own[n_first:]]
    assert new != [row.params for row in fresh[n_first:]], "the sampler has seen other trials"


def test_narrowing_drops_what_lies_outside_and_nothing_else(tmp_path: Path) -> None:
    first = run(tmp_path, **CONFIRM)
    space = SPACE | {"target.epochs": {"int": [1, 2]}}
    narrowed = Book(sweep(tmp_path, space=space, **CONFIRM), tmp_path)

    def fits(row: TrialRow) -> bool:
        return int(row.params.get("target.epochs", 1)) <= 2

    kept = {(row.pair, tuple(sorted(row.params.items()))) for row in first.rows if fits(row)}
    assert 0 < len(kept) < len({(row.pair, tuple(sorted(row.params.items()))) for row in first.rows})
    assert {(row.pair, tuple(sorted(row.params.items()))) for row in narrowed.rows} == kept
    for row in narrowed.rows:
        if row.of is not None:
            assert narrowed.studies[row.pair].rows[row.of].params == row.params
    drive(narrowed, 2, random.Random(0))
    assert len([row for row in narrowed.rows if row.pair == PAIR and row.phase == "search"]) == 8


def test_what_was_stopped_early_is_kept_only_where_trials_are_stopped_as_before(tmp_path: Path) -> None:
    first = run(tmp_path, **STOPPING)
    assert [row for row in first.rows if row.state == "pruned"]
    wider = Book(sweep(tmp_path, space=SPACE | WIDER, **STOPPING), tmp_path)
    assert facts(wider.rows, "search") == facts(first.rows, "search")
    to_the_end = Book(sweep(tmp_path), tmp_path)

    completed = [row for row in first.rows if row.state == "complete"]
    assert facts(to_the_end.rows, "search") == facts(completed, "search")


def test_trials_come_from_all_earlier_studies_each_once(tmp_path: Path) -> None:
    run(tmp_path, trials_per_pair=4)
    run(tmp_path, trials_per_pair=6, space=SPACE | WIDER)
    third = Book(sweep(tmp_path, trials_per_pair=6, space=SPACE | WIDER, seed=99), tmp_path)
    own = [row for row in third.rows if row.pair == PAIR and row.phase == "search"]
    assert len(own) == 6
    assert len({tuple(sorted(row.params.items())) for row in own}) == 6


@pytest.mark.parametrize(
    "change",
    [
        {"training_seed": 5},
        {"space": SPACE | {"target.batch_size": {"choice": [8, 16]}}},
        {"select_on": "oracle"},
    ],
    ids=["another seed of training", "a dimension more", "selected on other languages"],
)
def test_trials_whose_scores_would_be_others_are_not_kept(tmp_path: Path, change: dict[str, Any]) -> None:
    run(tmp_path)
    assert not [row for row in Book(sweep(tmp_path, **change), tmp_path).rows if row.pair == PAIR]


def test_other_settings_of_a_stage_keep_no_trial(tmp_path: Path) -> None:
    run(tmp_path)
    spec = sweep(tmp_path)
    stages = spec.stages.model_copy(
        update={"target": spec.stages.target.model_copy(update={"batch_size": 7})}
    )
    assert not Book(spec.model_copy(update={"stages": stages}), tmp_path).rows


def test_a_take_over_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(whole, **CONFIRM)
    run(cut, **CONFIRM)
    wanted = Book(sweep(whole, space=SPACE | WIDER, **CONFIRM), whole)
    before = (cut / "study.journal").read_bytes()
    Book(sweep(cut, space=SPACE | WIDER, **CONFIRM), cut)
    lines = (cut / "study.journal").read_bytes()[len(before) :].splitlines(keepends=True)
    for n in range(0, len(lines), 5):
        (cut / "study.journal").write_bytes(before + b"".join(lines[:n]))
        assert table(Book(sweep(cut, space=SPACE | WIDER, **CONFIRM), cut)) == table(wanted)


def test_wishes_come_first_and_once_after_kept_trials_too(tmp_path: Path) -> None:
    run(tmp_path, trials_per_pair=4)
    wish: dict[str, Value] = {
        "target.learning_rate": 3.21e-5,
        "target.epochs": 3,
        "intermediate.fraction": 1.0,
    }
    wished = run(tmp_path, trials_per_pair=7, start_with=[wish])
    own = [row for row in wished.rows if row.pair == PAIR and row.phase == "search"]
    assert [row.index for row in own if row.params == wish] == [4]


def changed(folder: Path, **search: Any) -> tuple[SweepSpec, Path]:
    before = run(folder, trials_per_pair=4, **CONFIRM)
    (folder / "spec.yaml").write_text(to_yaml(before.spec))
    return sweep(folder, **{"trials_per_pair": 4, **CONFIRM, **search}), folder


def test_changes_are_told_in_dotted_paths_with_what_follows(tmp_path: Path) -> None:
    spec, folder = changed(tmp_path, space=SPACE | {"target.epochs": {"int": [1, 2]}}, concurrent_trials=5)
    changes = changes_since(folder, spec, read_trials(folder))
    assert changes is not None
    text = changes.text(spec.name)
    assert "  search.space.target.epochs: {int: [1, 3]} -> {int: [1, 2]}\n" in text
    assert "  search.concurrent_trials: 2 -> 5    (changes no result)\n" in text
    adopted = Book(spec, folder)
    assert changes.n_kept == len(adopted.rows)
    assert f"{changes.n_kept} of {changes.n_kept + changes.n_dropped} finished trials still fit" in text


def test_an_unchanged_file_has_no_changes(tmp_path: Path) -> None:
    spec, folder = changed(tmp_path)
    assert changes_since(folder, spec, read_trials(folder)) is None
    assert changes_since(tmp_path / "never run", spec, []) is None


def test_a_password_is_not_told(tmp_path: Path) -> None:
    spec, folder = changed(tmp_path)
    tracking = spec.tracking.model_copy(update={"uri": "postgresql://me:secret@there"})
    changes = changes_since(folder, spec.model_copy(update={"tracking": tracking}), read_trials(folder))
    assert changes is not None
    assert changes.text("studied").splitlines()[1] == "  tracking.uri: ... -> ...    (changes no result)"
    assert changes.n_dropped == 0


def test_scores_on_the_way_stand_at_no_rung_where_trials_stop_otherwise_now(tmp_path: Path) -> None:
    space = {"space": SPACE | {"target.epochs": {"int": [3, 4]}}, "trials_per_pair": 4, "generation": 2}
    run(tmp_path, **space, early_stopping={"rung_epochs": 1, "keep": 2})
    later = Book(sweep(tmp_path, **space, early_stopping={"rung_epochs": 2, "keep": 2}), tmp_path)
    kept = later.studies[PAIR].record
    assert [row.state for row in kept.phase("search")] == ["complete"] * 4
    assert all(not kept.scores[row.number] for row in kept.phase("search"))


def test_going_back_to_an_earlier_file_keeps_what_was_tried_meanwhile(tmp_path: Path) -> None:
    narrow, wide = {"trials_per_pair": 4}, {"trials_per_pair": 8, "space": SPACE | WIDER}
    first = run(tmp_path, **narrow)
    between = run(tmp_path, **wide)
    inside = [row for row in between.rows if int(row.params.get("target.epochs", 1)) <= 3]
    back = Book(sweep(tmp_path, **narrow), tmp_path)
    assert len(inside) > len(first.rows)
    assert facts(back.rows, "search") == facts(inside, "search")


def test_the_languages_that_are_scored_belong_to_an_oracle_s_scores_alone(tmp_path: Path) -> None:
    def study_name(spec: SweepSpec) -> str:
        return Book(spec, tmp_path).studies[PAIR].study.study_name

    def name(languages: tuple[str, ...], **search: Any) -> str:
        spec = sweep(tmp_path, **search)
        evaluate = spec.stages.evaluate.model_copy(update={"languages": languages})
        stages = spec.stages.model_copy(update={"evaluate": evaluate})
        return study_name(spec.model_copy(update={"stages": stages}))

    assert name(("xa",)) == name(("xb",)) != name(("xa",), select_on="oracle")
    assert name(("xa",), select_on="oracle") != name(("xb",), select_on="oracle")
