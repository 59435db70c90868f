"""The calibration: it asks what is planted, is silent where nothing is, and one world of ten is really run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from scipy import stats

from benchmarks.calibrate import SIZE, looks_planted, null, planted, points_of, score_world
from xtr.analysis.findings.verdicts import findings_of
from xtr.catalogue.lookup import forget_own
from xtr.data.demo import PLANTED
from xtr.spec.space import Choice
from xtr.spec.sweep import Pair, SweepSpec


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SweepSpec]:
    yield planted(tmp_path_factory.mktemp("calibration"), range(1))
    forget_own()  # the world's own task is nobody else's


def test_everything_that_the_world_has_planted_is_looked_for(spec: SweepSpec) -> None:
    looked = {(pair.intermediate, pair.target) for pair, _ in points_of(spec, [*spec.contrasts.values()])}
    assert {(truth.intermediate, truth.target) for truth in PLANTED} <= looked
    assert {(truth.beside, truth.target) for truth in PLANTED} <= looked
    assert len(spec.contrasts) == 10


def test_a_seed_is_a_world_and_its_training(tmp_path: Path) -> None:
    spec = planted(tmp_path, range(4), world=3)
    assert (spec.data.demo_seed, spec.search.design.seeds if spec.search.design else ()) == (3, (0, 1, 2, 3))
    assert spec.storage.root == str(tmp_path / "world-3")


def test_only_points_of_the_design_are_scored_and_curves_at_all_their_sizes(spec: SweepSpec) -> None:
    sizes = spec.search.space[SIZE]
    assert isinstance(sizes, Choice)
    points = points_of(spec, [*spec.contrasts.values()])
    assert len(points) == len({(pair, *params.items()) for pair, params in points})
    assert all(pair in spec.pairs.pairs() for pair, _ in points)
    of_squad = [params[SIZE] for pair, params in points if pair == Pair("squad_v1", "tydiqa")]
    assert sorted(of_squad) == sorted(sizes.values)
    assert [params for pair, params in points if pair == Pair("none", "tydiqa")] == [{}]


@pytest.mark.parametrize(
    ("name", "like", "unlike"),
    [
        ("squad-helps", 6.0, 4.0),
        ("csqa-nothing", -4.0, -6.0),
        ("spelling-hurts", -1.0, 1.0),
        ("mnli-size", 1, -1),
    ],
)
def test_what_looks_planted_lies_where_it_is_expected(
    spec: SweepSpec, name: str, like: float, unlike: float
) -> None:
    assert looks_planted(spec.contrasts[name], like)
    assert not looks_planted(spec.contrasts[name], unlike)
    assert not looks_planted(spec.contrasts[name], None)


def test_tables_without_effects_raise_no_more_alarms_than_chance(tmp_path: Path) -> None:
    _, high = (float(each) for each in stats.binom.interval(0.999, 60, 0.05))
    figures = [*null(60, tmp_path, (5,))]
    assert len(figures) == 2
    assert all(figure.value <= 100 * high / 60 for figure in figures)
    assert any(figure.value > 0 for figure in figures), "a test that never rejects is no test"


@pytest.mark.slow
def test_one_world_shows_what_was_planted_in_it(spec: SweepSpec) -> None:
    """What needs no large intermediate task; `make calibrate` looks for all of it, in ten worlds."""
    asked = {name: each for name, each in spec.contrasts.items() if "pawsx" not in each.targets}
    rows = score_world(spec, points_of(spec, [*asked.values()]))
    found = findings_of(spec.model_copy(update={"contrasts": asked}), rows)
    assert {each.verdict for each in found} == {"open"}, "one seed says nothing of chance"
    assert [each.name for each in found if not looks_planted(asked[each.name], each.measured)] == []
