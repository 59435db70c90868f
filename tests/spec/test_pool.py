"""A pool has different settings, sees all of every dimension, and is the same wherever it is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.specs import sweep
from xtr.spec.budget import POOLED, grid, pair_dimensions, search_trials, space_size
from xtr.spec.pool import draw_pool
from xtr.spec.space import Choice, Dimension, FloatRange, IntRange, LogFloatRange, Pool
from xtr.spec.sweep import Pair

RATE, EPOCHS, SHARE = LogFloatRange(1e-6, 1e-4), IntRange(1, 6), FloatRange(0.0, 0.3)
ALL: dict[str, Dimension] = {"rate": RATE, "epochs": EPOCHS, "share": SHARE, "rows": Choice((0.1, 0.5, 1.0))}


def test_every_stratum_of_every_dimension_is_met_once() -> None:
    settings = draw_pool(ALL, 6, seed=1).settings
    rates = sorted(float(setting["rate"]) for setting in settings)
    shares = sorted(float(setting["share"]) for setting in settings)
    for place in range(6):
        assert 1e-6 * 100 ** (place / 6) * 0.999 <= rates[place] <= 1e-6 * 100 ** ((place + 1) / 6) * 1.001
        assert 0.05 * place - 1e-6 <= shares[place] <= 0.05 * (place + 1) + 1e-6
    assert sorted(setting["epochs"] for setting in settings) == [1, 2, 3, 4, 5, 6]
    assert sorted(setting["rows"] for setting in settings) == [0.1, 0.1, 0.5, 0.5, 1.0, 1.0]


kinds = st.one_of(
    st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True).map(lambda each: Choice(tuple(each))),
    st.integers(0, 5).map(lambda low: IntRange(low, low + 3)),
    st.just(RATE),
)


@given(
    dimensions=st.dictionaries(st.sampled_from("abc"), kinds, min_size=1),
    size=st.integers(1, 12),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_settings_differ_lie_in_the_space_and_begin_as_told(
    dimensions: dict[str, Dimension], size: int, seed: int, data: st.DataObject
) -> None:
    points = draw_pool(dimensions, 3, seed=seed + 1).settings
    first = data.draw(st.lists(st.sampled_from(points), max_size=3))
    pool = draw_pool(dimensions, size, seed, first)
    assert pool == draw_pool(dimensions, size, seed, first)
    points_in_all = space_size(dimensions)
    assert pool.size == (size if points_in_all is None else min(size, points_in_all))
    assert len({tuple(setting.items()) for setting in pool.settings}) == pool.size
    for setting in pool.settings:
        assert all(dimensions[name].contains(value) for name, value in setting.items())
    assert all(pool.find(told) is not None for told in first[:size])


def test_a_small_space_gives_all_its_points() -> None:
    pool = draw_pool({"a": Choice((1, 2)), "b": IntRange(1, 3)}, 6, seed=0)
    assert pool.settings == tuple({"a": a, "b": b} for a in (1, 2) for b in (1, 2, 3))


CONTINUOUS = {
    "intermediate.learning_rate": {"log_float": [1e-5, 1e-3]},
    "intermediate.epochs": {"int": [1, 4]},
    "intermediate.weight_decay": 0.01,
    "target.epochs": {"int": [1, 3]},
}


def test_a_pool_is_common_to_all_targets_and_its_own_for_each_intermediate(tmp_path: Path) -> None:
    spec = sweep(tmp_path, space=CONTINUOUS, share="intermediate", pool=4, trials_per_pair=20)
    dimensions = {pair: pair_dimensions(spec, pair) for pair in spec.pairs.pairs()}
    squad, other = dimensions[Pair("squad_v1", "tydiqa")], dimensions[Pair("csqa", "tydiqa")]
    assert squad[POOLED] == dimensions[Pair("squad_v1", "tatoeba")][POOLED] != other[POOLED]
    assert isinstance(squad[POOLED], Pool)
    assert POOLED not in dimensions[Pair("none", "tydiqa")]
    assert space_size(squad) == 4 * 3 == len(grid(squad))
    assert all(point.keys() == CONTINUOUS.keys() for point in grid(squad))
    assert search_trials(spec, Pair("squad_v1", "tydiqa")) == 12
    assert search_trials(spec, Pair("squad_v1", "tatoeba")) == 4
    assert search_trials(spec, Pair("none", "tydiqa")) == 3
    reseeded = sweep(tmp_path, space=CONTINUOUS, share="intermediate", pool=4, seed=7)
    assert pair_dimensions(reseeded, Pair("squad_v1", "tydiqa"))[POOLED] != squad[POOLED]


@pytest.mark.parametrize("share", [None, "intermediate"])
def test_what_the_file_starts_with_is_in_the_pool(tmp_path: Path, share: str | None) -> None:
    first = {"intermediate.learning_rate": 2e-4, "intermediate.epochs": 3, "target.epochs": 2}
    spec = sweep(tmp_path, space=CONTINUOUS, share=share, start_with=[first])
    pooled = pair_dimensions(spec, Pair("csqa", "tydiqa")).get(POOLED)
    if share is None:
        assert pooled is None
    else:
        assert isinstance(pooled, Pool)
        assert pooled.settings[0] == {"intermediate.learning_rate": 2e-4, "intermediate.epochs": 3}
