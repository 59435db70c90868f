"""Winners, transfer and exported configs, computed from trial rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xtr.analysis.answers.leaderboard import best_rows, document, draws, leaderboard
from xtr.analysis.answers.leaderboard_text import leaderboard_text
from xtr.analysis.answers.status import status_document, status_text
from xtr.analysis.export.config import export_best, exported_spec
from xtr.analysis.records.results import results_of
from xtr.analysis.records.scores import ScoreRow
from xtr.analysis.records.trials import TrialRow, append_trial, read_trials, winner, write_trials
from xtr.spec.load import load_sweep
from xtr.spec.search import ORACLE
from xtr.spec.sweep import Pair, PairsSpec, SweepSpec

HIGH, LOW = {"target.epochs": 3}, {"target.epochs": 1}


def spec(**search: Any) -> SweepSpec:
    return SweepSpec.model_validate(
        {
            "version": 1,
            "name": "ranked",
            "model": {"name": "demo"},
            "pairs": {"intermediate": ["mnli"], "target": ["pawsx"]},
            "search": {"space": {"target.epochs": {"int": [1, 3]}}, **search},
        }
    )


def trial(intermediate: str, index: int, value: float | None, **fields: Any) -> TrialRow:
    values: dict[str, Any] = {
        "number": index,
        "phase": "search",
        "seed": 1,
        "params": HIGH,
        "state": "complete",
    } | fields
    return TrialRow(intermediate=intermediate, target="pawsx", index=index, value=value, **values)


def test_the_winner_is_the_best_complete_trial_and_ties_go_to_the_earlier_one() -> None:
    rows = [
        trial("mnli", 0, 0.7),
        trial("mnli", 1, 0.8, params=LOW),
        trial("mnli", 2, 0.8),
        trial("mnli", 3, None, state="pruned", rung=0.99),
        trial("mnli", 4, None, state="failed"),
    ]
    best = winner(rows, top=1)
    assert best is not None
    assert (best.number, best.params, best.score, best.seeds) == (1, LOW, 0.8, (1,))
    assert winner(rows[3:], top=1) is None


def test_the_search_s_seed_counts_where_nothing_was_searched() -> None:
    rows = [trial("mnli", 0, 0.8), trial("mnli", 0, 0.6, number=2, phase="confirm", seed=2, of=0)]
    single, searched = (winner(rows, top=1, searched=searched) for searched in (False, True))
    assert single is not None
    assert searched is not None
    assert single.seeds == (1, 2)
    assert single.score == pytest.approx(0.7)
    assert (searched.seeds, searched.score) == ((2,), 0.6)
    fixed, space = spec(space={"target.epochs": 3}), spec()
    assert leaderboard(fixed, rows)[0].seeds == (1, 2)
    assert leaderboard(space, rows)[0].seeds == (2,)


def test_the_status_shows_the_score_of_the_leaderboard_not_the_best_of_all_trials() -> None:
    rows = [
        trial("mnli", 0, 0.9, params=LOW),
        trial("mnli", 0, 0.6, number=1, phase="confirm", seed=2, of=0),
        trial("mnli", 1, 0.7, number=2, phase="confirm", seed=3, of=0),
        trial("none", 0, 0.5),
        trial("none", 0, 0.95, number=1, phase="control", seed=2, params=LOW),
    ]
    lines = status_text(spec(), rows).splitlines()
    told = {line[:18].rstrip(): line.split()[-1] for line in lines if line.startswith("pawsx")}
    assert told == {"pawsx alone": "50.0", "pawsx after mnli": "65.0"}
    ranked = leaderboard(spec(), rows)
    assert {row.intermediate: f"{100 * row.score:.1f}" for row in ranked} == {"mnli": "65.0", "none": "50.0"}


def test_seeds_are_not_counted_where_nothing_is_trained() -> None:
    retrieval = spec().model_copy(update={"pairs": PairsSpec(intermediate=("mnli",), target=("tatoeba",))})
    rows = [replace(trial(each, 0, 0.3), target="tatoeba", params={}) for each in ("none", "mnli")]
    lines = leaderboard_text(retrieval, rows).splitlines()
    table = [line for line in lines if line.startswith("tatoeba") and " of " in line]
    assert {line.split()[1]: line.split()[-4] for line in table} == {"mnli": "1", "none": "-"}


def test_finalists_are_ranked_by_their_confirming_seeds_not_by_the_search() -> None:
    rows = [
        trial("mnli", 0, 0.9, params=LOW),
        trial("mnli", 1, 0.8),
        *(
            trial("mnli", i, v, number=10 + i, phase="confirm", seed=2 + i, of=0)
            for i, v in enumerate([0.5, 0.6])
        ),
        *(
            trial("mnli", i, v, number=20 + i, phase="confirm", seed=2 + i, of=1)
            for i, v in enumerate([0.7, 0.8])
        ),
    ]
    best = winner(rows, top=2)
    assert best is not None
    assert best.params == HIGH
    assert best.score == pytest.approx(0.75)
    assert best.seeds == (2, 3)


def test_transfer_is_shown_against_the_best_none_and_against_none_at_the_same_settings() -> None:
    rows = [
        trial("none", 0, 0.6),
        trial("none", 1, 0.5, number=1, phase="control", params=LOW),
        trial("mnli", 0, 0.8, params=LOW | {"intermediate.epochs": 1}),
    ]
    ranked = leaderboard(spec(), rows)
    assert [row.intermediate for row in ranked] == ["mnli", "none"]
    assert ranked[0].transfer == pytest.approx(0.2)
    assert ranked[0].transfer_same_settings == pytest.approx(0.3)
    assert ranked[1].transfer == 0.0
    assert [row.intermediate for row in best_rows(ranked)] == ["mnli"]
    assert document(spec(), ranked)["schema_version"] == 1


def test_transfer_is_over_the_seeds_that_both_have() -> None:
    luck = {2: 0.6, 3: 0.7}
    rows = [
        *(trial(name, 0, 0.65) for name in ("none", "mnli")),
        *(trial("mnli", i, v, number=i, phase="confirm", seed=i, of=0) for i, v in luck.items()),
        trial("none", 2, luck[2], number=2, phase="confirm", seed=2, of=0),
        trial("none", 3, None, number=3, phase="confirm", seed=3, of=0, state="failed"),
    ]
    mnli, none = leaderboard(spec(), rows)
    assert mnli.score > none.score, "by the luck of a seed that failed for the other"
    assert mnli.transfer == pytest.approx(0.0)
    (mnli,) = [row for row in leaderboard(spec(), rows[:3]) if row.intermediate == "mnli"]
    assert mnli.baseline == 0.65
    assert mnli.transfer is None, "no seed in common"


def test_a_finalist_that_lacks_a_seed_is_no_match_for_one_that_has_all() -> None:
    confirms = [(0, 2, 0.6), (0, 3, 0.7), (1, 2, None), (1, 3, 0.69)]
    rows = [
        trial("mnli", 0, 0.66, params=LOW),
        trial("mnli", 1, 0.65),
        *(
            trial("mnli", i, v, number=10 + i, phase="confirm", seed=s, of=of)
            for i, (of, s, v) in enumerate(confirms)
        ),
    ]
    best = winner(rows, top=2)
    assert best is not None
    assert (best.number, best.seeds) == (0, (2, 3))


def test_pairs_of_a_target_are_compared_by_the_best_of_equally_many_trials() -> None:
    rows = [
        trial("none", 0, 0.5),
        trial("none", 1, 0.7, number=1),
        *(trial("mnli", i, value, number=i) for i, value in enumerate([0.4, 0.6, 0.8])),
        trial("mnli", 9, 0.99, number=9, phase="confirm", seed=2, of=2),
        trial("none", 2, None, number=2, state="failed"),
        trial("none", 3, 0.9, number=3, phase="control"),
    ]
    mnli, none = leaderboard(spec(), rows)
    assert (mnli.expected_best_n, none.expected_best_n) == (2, 2)
    assert none.expected_best == pytest.approx(0.7)
    assert mnli.expected_best == pytest.approx((0.6 + 0.8 + 0.8) / 3)
    assert mnli.score == 0.99
    text = leaderboard_text(spec(), rows)
    assert "best of n" in text
    assert "73.3 of 2" in text


def test_trials_that_were_stopped_or_diverged_are_draws_too() -> None:
    rows = [
        trial("mnli", 0, 0.6),
        trial("mnli", 1, None, number=1, state="pruned", rung=0.5),
        trial("mnli", 2, None, number=2, state="pruned", rung=0.7),
        trial("mnli", 3, None, number=3, state="diverged"),
        trial("mnli", 4, None, number=4, state="failed"),
        trial("mnli", 5, None, number=5, state="running", rung=0.9),
    ]
    assert draws(rows, Pair("mnli", "pawsx")) == [0.6, 0.5, 0.6, 0.5]
    (row,) = leaderboard(spec(), rows)
    assert row.expected_best == pytest.approx(0.6)
    assert row.expected_best_n == 4
    assert draws(rows[1:], Pair("mnli", "pawsx")) == []


def test_without_a_baseline_no_transfer_is_claimed() -> None:
    (row,) = leaderboard(spec(), [trial("mnli", 0, 0.8)])
    assert row.baseline is row.transfer is row.transfer_same_settings is None


def test_an_exported_config_is_a_sweep_file_with_every_dimension_fixed(tmp_path: Path) -> None:
    rows = [trial("none", 0, 0.6), trial("mnli", 0, 0.8)]
    scores = [
        ScoreRow("mnli", "pawsx", 1, "test", lang, "accuracy", value, 9)
        for lang, value in (("de", 0.5), ("en", 1.0))
    ]
    (path,) = export_best(spec(), rows, scores, tmp_path)
    read = load_sweep(path)
    assert read == exported_spec(spec(), leaderboard(spec(), rows)[0], scores, rows)
    assert read.pairs.intermediate == ("mnli",)
    assert read.search.trials_per_pair == 1
    assert [(name, each.size) for name, each in read.search.space.items()] == [("target.epochs", 1)]
    assert read.result is not None
    assert read.result["score"] == 0.8
    assert read.result["languages"] == {"test": {"accuracy": {"de": 0.5, "en": 1.0}}}


def test_the_last_line_of_a_trial_counts_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    write_trials(tmp_path, [trial("none", 0, None, state="running")])
    append_trial(tmp_path, trial("none", 0, 0.6))
    with (tmp_path / "trials.jsonl").open("a") as file:
        file.write('{"intermediate": "no')
    assert read_trials(tmp_path) == [trial("none", 0, 0.6)]


def test_trials_that_collapsed_are_counted_and_a_winner_that_did_is_said_to_be_so() -> None:
    one_class: dict[str, Any] = {"detail": {"collapsed": ["mnli", "pawsx"]}}
    rows = [
        trial("none", 0, 0.6),
        trial("mnli", 0, 0.55, params=LOW, **one_class),
        trial("mnli", 1, 0.8, number=1),
        trial("mnli", 0, 0.55, number=2, phase="confirm", seed=2, of=1, **one_class),
        trial("mnli", 1, 0.85, number=3, phase="confirm", seed=3, of=1),
    ]
    mnli, none = leaderboard(spec(), rows)
    assert (mnli.trials, mnli.collapsed, mnli.collapsed_seeds) == (4, 2, (2,))
    assert (none.collapsed, none.collapsed_seeds) == (0, ())
    assert mnli.score == pytest.approx(0.7), "a seed that collapsed still counts"
    assert mnli.expected_best == pytest.approx((0.55 + 0.8) / 2), "and so does its draw"
    text = leaderboard_text(spec(), rows)
    assert "pawsx after mnli: 2 of 4 trials; its best settings collapsed, too, at seed 2" in text
    assert "collapsed" not in leaderboard_text(spec(), rows[:1])
    told = status_document(spec(), rows)
    assert told["collapsed"] == [
        {"pair": "pawsx after mnli", "number": number, "tasks": ["mnli", "pawsx"]} for number in (0, 2)
    ]
    shown = status_text(spec(), rows)
    assert "2 collapsed" in shown
    assert "pawsx after mnli #2: mnli, pawsx (seed 2, select score 55.0)" in shown


def test_scores_of_an_oracle_are_marked_wherever_they_show(tmp_path: Path) -> None:
    rows = [trial("none", 0, 0.6), trial("mnli", 0, 0.8, detail={"select_on": "oracle"})]
    oracle, plain = spec(select_on="oracle"), spec()
    ranked = leaderboard(oracle, rows)
    exported = exported_spec(oracle, ranked[0], [], rows)
    texts = [leaderboard_text(oracle, rows), status_text(oracle, rows)]
    [path] = export_best(oracle, rows, [], tmp_path / "best")
    texts.append(path.read_text(encoding="utf-8"))
    assert all(ORACLE in text for text in texts)
    assert (document(oracle, ranked)["select_on"], status_document(oracle, rows)["select_on"]) == (
        "oracle",
    ) * 2
    assert exported.search.select_on == "oracle", "run again, it comes to the same score"
    assert exported.result is not None
    assert exported.result["select_on"] == "oracle"
    write_trials(tmp_path, rows)
    assert [row.split for row in results_of(tmp_path)] == ["select", "oracle"]
    assert ORACLE not in leaderboard_text(plain, rows) + status_text(plain, rows)
