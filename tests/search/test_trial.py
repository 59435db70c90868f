"""What a trial comes to, and what it says of how it went."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stages.sample import a_sweep
from xtr.catalogue.lookup import find_task
from xtr.search.study import Job
from xtr.search.trial import perform
from xtr.spec.sweep import Pair
from xtr.stages.alone import Trial, make_alone
from xtr.stages.path import Paths
from xtr.stages.run import Runner

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


def test_under_an_oracle_a_trial_comes_to_the_mean_over_other_languages_dev_sets(
    encoder_folder: Path, tmp_path: Path
) -> None:
    plain = a_sweep(tmp_path / "runs", str(encoder_folder))
    spec = plain.model_copy(update={"search": plain.search.model_copy(update={"select_on": "oracle"})})
    pair = Pair("none", "xnli")
    report = perform(spec, Job(pair, 0, "search", {}, 1, None))
    runner = Runner(plain)
    paths = Paths(plain, runner.source)
    path = paths.path(pair, {}, 1)
    stages = paths.evaluations(path.end, path.target, find_task("xnli"), "dev", ("xa", "xb", "xc", "xd"))
    outcomes = runner.evaluate(stages)
    assert all(each.reused for each in outcomes), "what selects is what xtr evaluate --split dev reads"
    assert report["score"] == pytest.approx(sum(each.scores["accuracy"] for each in outcomes) / 4)
    detail = json.loads(report["detail"])
    assert detail["select_on"] == "oracle"
    assert [each["key"] for each in detail["stages"]] == [path.end.key, *(stage.key for stage in stages)]
    alone = make_alone(spec, Trial(pair, {}), device="cpu")
    assert alone.select["accuracy"] == pytest.approx(report["score"])
    other = perform(plain, Job(pair, 1, "search", {}, 1, None))
    assert "select_on" not in json.loads(other["detail"])
