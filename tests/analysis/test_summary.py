"""The two numbers of a sweep: the best intermediate per target, and one for all."""

from __future__ import annotations

import json
import re

import pytest

from xtr.analysis.answers.leaderboard import Row
from xtr.analysis.answers.summary import summarise, summary_document, summary_text, task_scores
from xtr.analysis.records.scores import ScoreRow, xtreme_scores
from xtr.spec.sweep import Pair


def ranked(target: str, intermediate: str, score: float) -> Row:
    return Row(target, intermediate, score, None, None, None, (1,), {})


def scored(intermediate: str, target: str, english: float, german: float, seed: int = 1) -> list[ScoreRow]:
    return [
        ScoreRow(intermediate, target, seed, "test", language, "accuracy", value, 10)
        for language, value in (("en", english), ("de", german))
    ]


ROWS = [
    *scored("none", "xnli", 0.6, 0.4),
    *scored("none", "pawsx", 0.8, 0.6),
    *scored("mnli", "xnli", 0.7, 0.5, seed=1),
    *scored("mnli", "xnli", 0.9, 0.7, seed=2),
    *scored("mnli", "pawsx", 0.9, 0.7),
    *scored("csqa", "xnli", 0.5, 0.3),
    *scored("csqa", "pawsx", 1.0, 0.8),
]
RANKED = [
    ranked("xnli", "mnli", 0.8), ranked("xnli", "csqa", 0.5), ranked("xnli", "none", 0.4),
    ranked("pawsx", "csqa", 0.9), ranked("pawsx", "mnli", 0.8), ranked("pawsx", "none", 0.7),
]  # fmt: skip


def test_every_target_takes_its_own_best_and_one_serves_all() -> None:
    summary = summarise(ROWS, RANKED)
    assert summary is not None
    assert summary.chosen == {"xnli": "mnli", "pawsx": "csqa"}
    assert summary.best_per_target == pytest.approx((70 + 90) / 2)
    assert summary.one_for_all == "mnli"
    assert summary.means == {
        "none": pytest.approx(60), "mnli": pytest.approx(75), "csqa": pytest.approx(65),
    }  # fmt: skip
    spread = summary.spreads[Pair("mnli", "xnli")]
    assert [spread.english, spread.gap] == [pytest.approx(80), pytest.approx(20)]
    assert spread.worst == "de"


def test_the_scores_shown_never_choose() -> None:
    turned = [ranked("xnli", "csqa", 0.9), ranked("xnli", "mnli", 0.1), ranked("pawsx", "csqa", 0.9)]
    turned += [ranked("pawsx", "mnli", 0.1)]
    summary = summarise(ROWS, turned)
    assert summary is not None
    assert summary.chosen == {"xnli": "csqa", "pawsx": "csqa"}
    assert summary.one_for_all == "csqa"
    assert summary.best_per_target == pytest.approx(65)


def test_an_intermediate_that_misses_a_target_cannot_serve_all() -> None:
    rows = [row for row in ROWS if row.pair != Pair("mnli", "pawsx")]
    summary = summarise(rows, RANKED)
    assert summary is not None
    assert summary.one_for_all == "csqa"
    assert "mnli" not in summary.means
    assert summarise([], RANKED) is None


def test_the_text_and_the_document_say_the_two_numbers() -> None:
    summary = summarise(ROWS, RANKED)
    assert summary is not None
    text = summary_text(summary)
    after = {line[:50].rstrip(): line[50:].strip() for line in text.splitlines()[-3:]}
    assert after == {
        "the winner per target (chosen on the select split)": "80.0", "one for all: mnli": "75.0", "none": "60.0",
    }  # fmt: skip
    assert re.search(r"^xnli .* accuracy$", text, re.MULTILINE)
    document = json.loads(json.dumps(summary_document(summary)))
    assert document["best_per_target"]["intermediates"] == {"xnli": "mnli", "pawsx": "csqa"}
    assert document["one_for_all"] == {"score": pytest.approx(75), "intermediate": "mnli"}
    assert len(document["pairs"]) == 6


def test_languages_that_a_benchmark_does_not_count_are_shown_but_not_averaged() -> None:
    rows = [
        ScoreRow("none", "udpos", 1, "test", language, "f1", value, 10)
        for language, value in (("en", 0.9), ("de", 0.7), ("lt", 0.1))
    ]
    pair = Pair("none", "udpos")
    assert set(task_scores(rows, pair, "xtreme")) == {"en", "de"}
    assert set(task_scores(rows, pair, "xtreme-r")) == {"en", "de", "lt"}
    assert xtreme_scores(rows, {"udpos": pair}).tasks == {"udpos": pytest.approx(80.0)}
    assert xtreme_scores(rows, {"udpos": pair}, "xtreme-r").tasks["udpos"] == pytest.approx(170 / 3)
    assert xtreme_scores(rows, {"udpos": pair}).groups == {}


def test_the_demo_world_s_languages_count() -> None:
    rows = [ScoreRow("none", "udpos", 1, "test", language, "f1", 0.5, 10) for language in ("en", "xa", "lt")]
    assert set(task_scores(rows, Pair("none", "udpos"), "xtreme")) == {"en", "xa"}


def test_a_target_trained_in_another_language_is_scored_as_its_task() -> None:
    rows = [
        ScoreRow("none", "tydiqa@sw", 1, "test", "sw", metric, value, 10)
        for metric, value in (("f1", 0.6), ("exact_match", 0.4))
    ]
    assert task_scores(rows, Pair("none", "tydiqa@sw"), "xtreme") == {"sw": pytest.approx(50.0)}


def test_it_is_said_that_answers_are_scored_by_two_metrics() -> None:
    rows = [
        ScoreRow("none", "tydiqa", 1, "test", "sw", metric, value, 10)
        for metric, value in (("f1", 0.6), ("exact_match", 0.4))
    ]
    summary = summarise(rows, [ranked("tydiqa", "none", 0.5)])
    assert summary is not None
    assert re.search(r"^tydiqa +none +50\.0 .* mean of exact_match, f1$", summary_text(summary), re.MULTILINE)
