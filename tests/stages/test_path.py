"""From a trial to its stages: shared where they can be, and named without the target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.stages.sample import SMALL, a_sweep
from xtr.catalogue.lookup import find_task
from xtr.data.demo import SELECT_LANGUAGES
from xtr.data.demo.source import DemoSource
from xtr.spec.space import Value
from xtr.spec.sweep import Pair
from xtr.stages.path import Path as StagePath
from xtr.stages.path import Paths
from xtr.stages.stage import PretrainStage


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(a_sweep(tmp_path), DemoSource(tmp_path / "data", seed=0, scale=0.01))


def plan(
    paths: Paths,
    intermediate: str,
    target: str,
    params: Mapping[str, Value] | None = None,
    seed: int = 1,
) -> StagePath:
    return paths.path(Pair(intermediate, target), params or {}, seed)


def test_none_trains_the_target_alone(paths: Paths) -> None:
    path = plan(paths, "none", "pawsx")
    assert path.intermediate == ()
    assert path.target is not None
    assert path.target.task == "pawsx"
    assert path.target.parent == path.start
    assert path.training == (path.target,)
    assert path.end == path.target
    assert path.select == (), "the target stage itself gives the score"
    assert isinstance(path.start, PretrainStage)


def test_a_chain_hangs_each_link_on_the_one_before(paths: Paths) -> None:
    path = plan(paths, "mnli>squad_v1", "pawsx")
    first, second, target = path.training
    assert [stage.task for stage in path.training] == ["mnli", "squad_v1", "pawsx"]
    assert (first.parent, second.parent, target.parent) == (path.start, first, second)
    assert {stage.seed for stage in path.training} == {1}, "one seed covers the whole path"


def test_retrieval_trains_no_target_and_selects_on_its_own_languages(paths: Paths) -> None:
    path = plan(paths, "mnli", "tatoeba")
    assert path.target is None
    assert path.end == path.intermediate[-1]
    assert [stage.language for stage in path.select] == list(SELECT_LANGUAGES)
    assert all((stage.split, stage.parent) == ("select", path.end) for stage in path.select)
    untouched = plan(paths, "none", "tatoeba")
    assert untouched.training == ()
    assert untouched.end == untouched.start


@pytest.mark.parametrize(
    ("intermediate", "target"), [("mnli", "xnli"), ("squad_v1", "xquad"), ("copa", "xcopa")]
)
def test_a_training_is_the_same_stage_in_either_role(intermediate: str, target: str, paths: Paths) -> None:
    as_intermediate = plan(paths, intermediate, "tydiqa").intermediate[0]
    as_target = plan(paths, "none", target).target
    assert as_target is not None
    assert as_intermediate.key == as_target.key


def test_the_intermediate_stage_does_not_depend_on_target_or_target_settings(paths: Paths) -> None:
    keys = {
        plan(paths, "mnli", target, {"target.learning_rate": rate}).intermediate[0].key
        for target in ("pawsx", "tydiqa", "tatoeba")
        for rate in (1e-5, 3e-5)
    }
    assert len(keys) == 1


def test_parameters_reach_the_stages_of_their_role(paths: Paths) -> None:
    path = plan(
        paths,
        "mnli>csqa",
        "pawsx",
        {"intermediate.epochs": 5, "target.learning_rate": 2e-5, "target.examples": 4},
    )
    *links, target = path.training
    assert [link.settings for link in links] == [SMALL.model_copy(update={"epochs": 5})] * 2
    assert (target.settings.learning_rate, target.settings.examples) == (2e-5, 4)
    assert target.settings.epochs == SMALL.epochs


def test_another_seed_gives_other_stages(paths: Paths) -> None:
    one, other = (plan(paths, "mnli", "pawsx", seed=seed) for seed in (1, 2))
    assert one.start == other.start
    assert {stage.key for stage in one.training}.isdisjoint(stage.key for stage in other.training)


def test_an_evaluation_uses_the_trained_length_and_retrieval_its_own(paths: Paths) -> None:
    path = plan(paths, "none", "xnli")
    assert path.target is not None
    stages = paths.evaluations(path.end, path.target, find_task("xnli"), "test", ("en", "xa"))
    assert [(stage.language, stage.max_length, stage.max_rows) for stage in stages] == [
        ("en", 32, 8),
        ("xa", 32, 8),
    ]
    assert len({stage.data for stage in stages}) == 2
    [found] = paths.evaluations(path.end, None, find_task("tatoeba"), "test", ("xa",))
    assert found.max_length == paths.spec.stages.evaluate.retrieval_max_length


def test_planning_writes_and_reads_no_data(paths: Paths, tmp_path: Path) -> None:
    plan(paths, "mnli>squad_v1", "xquad")
    assert list(tmp_path.iterdir()) == []


def test_an_oracle_selects_by_the_evaluations_that_winners_have_on_dev(paths: Paths) -> None:
    spec = paths.spec
    oracle = Paths(
        spec.model_copy(update={"search": spec.search.model_copy(update={"select_on": "oracle"})}),
        paths.source,
    )
    plain, told = plan(paths, "mnli", "xnli"), plan(oracle, "mnli", "xnli")
    assert told.training == plain.training, "the same stages under the same names"
    assert plain.select == ()
    xnli = find_task("xnli")
    languages = tuple(each for each in paths.source.languages(xnli, "dev") if each != "en")
    assert told.select == paths.evaluations(plain.end, plain.target, xnli, "dev", languages)
    assert {stage.split for stage in told.select} == {"dev"}
    assert plan(oracle, "mnli", "tatoeba") == plan(paths, "mnli", "tatoeba")
