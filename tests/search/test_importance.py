"""Which dimensions of a search mattered, told from its trials alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.search.specs import sweep
from xtr.analysis.records.trials import TrialRow
from xtr.search.importance import FEWEST_TRIALS, importances
from xtr.spec.sweep import Pair, SweepSpec

PAIR = Pair("squad_v1", "tydiqa")


def trials(n: int, *, flat: bool = False) -> list[TrialRow]:
    """Trials whose score the learning rate decides alone."""
    draw, rows = random.Random(0), []
    for number in range(n):
        rate = 10 ** draw.uniform(-5, -3)
        params = {
            "intermediate.fraction": draw.choice([0.25, 0.5, 1.0]),
            "target.learning_rate": rate,
            "target.epochs": draw.randint(1, 3),
        }
        value = 0.5 if flat else 0.9 - 300 * abs(rate - 2e-4)
        rows.append(
            TrialRow(PAIR.intermediate, PAIR.target, number, "search", number, 1, params, "complete", value)
        )
    return rows


@pytest.fixture
def spec(tmp_path: Path) -> SweepSpec:
    return sweep(tmp_path)


def test_the_dimension_that_decides_weighs_most(spec: SweepSpec) -> None:
    found = importances(spec, trials(40))
    assert list(found) == [PAIR]
    shares = found[PAIR]
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=lambda name: shares[name]) == "target.learning_rate"
    assert shares["target.learning_rate"] > 0.7


def test_where_trials_say_nothing_nothing_is_said(spec: SweepSpec) -> None:
    assert importances(spec, trials(FEWEST_TRIALS - 1)) == {}
    assert importances(spec, trials(20, flat=True)) == {}
    outside = [row for row in trials(20) if row.params["target.epochs"] == 3]
    narrow = sweep(
        Path(spec.storage.root), space={"target.epochs": {"int": [1, 2]}, "target.learning_rate": 1e-4}
    )
    assert importances(narrow, outside * 3) == {}
