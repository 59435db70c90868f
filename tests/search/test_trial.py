"""A trial says in its detail what has collapsed on its way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stages.sample import a_sweep
from xtr.search.study import Job
from xtr.search.trial import perform
from xtr.spec.sweep import Pair

BREAKS, TRAINS = 1.0, 1e-3
"""A learning rate that leaves a model with one answer, and one that does not by itself."""


@pytest.mark.parametrize(
    ("pair", "params", "named"),
    [
        (Pair("none", "xnli"), {"target.learning_rate": BREAKS}, ["xnli"]),
        (Pair("mnli+squad_v1", "tatoeba"), {"intermediate.learning_rate": BREAKS}, ["mnli"]),
        (Pair("squad_v1", "tydiqa"), {"target.learning_rate": TRAINS}, None),
    ],
)
def test_what_predicts_one_class_is_named_by_the_trial(
    pair: Pair, params: dict[str, float], named: list[str] | None, encoder_folder: Path, tmp_path: Path
) -> None:
    spec = a_sweep(tmp_path / "runs", str(encoder_folder))
    report = perform(spec, Job(pair, 0, "search", params, 1, None))
    assert report["state"] == "complete", "its value is told, so that the search learns to avoid it"
    assert json.loads(report["detail"]).get("collapsed") == named
    again = perform(spec, Job(pair, 1, "search", params, 1, None))
    assert json.loads(again["detail"]).get("collapsed") == named, "a stage that is read says so, too"
