"""The word on whether chance explains a gain: wrong as seldom as it says, whatever has chosen the winner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, product
from typing import Any

import numpy as np
import pytest

from xtr.analysis.answers.leaderboard import leaderboard, winners
from xtr.analysis.records.trials import Phase, TrialRow, finalists
from xtr.analysis.report.standings import Standing, over_all_settings, standings_of
from xtr.spec.space import Value
from xtr.spec.sweep import SweepSpec

FRACTIONS, RATES, SEEDS = (0.2, 0.4, 0.6, 0.8, 1.0), (1e-5, 2e-5, 4e-5), (1, 2, 3)
NOISE, WORLDS = 0.01, 400
MOST = 0.05
"""Share of worlds in which `helps` is said of nothing: .025, and three standard errors of so many worlds."""


def spec(**search: Any) -> SweepSpec:
    space = {"intermediate.fraction": {"choice": FRACTIONS}, "target.learning_rate": {"choice": RATES}}
    return SweepSpec.model_validate(
        {
            "version": 1,
            "name": "luck",
            "model": {"name": "demo"},
            "pairs": {"intermediate": ["mnli"], "target": ["xnli"]},
            "search": {"space": space, **search},
        }
    )


DESIGN = spec(design={"seeds": SEEDS})
TOP = spec(trials_per_pair=15, confirm={"top": 5, "seeds": [2, 3, 4]})


@dataclass
class World:
    """One sweep's trials, all scores 0.7 by chance; `gain` is what the intermediate task brings."""

    seed: int
    gain: float = 0.0
    rows: list[TrialRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw, self.numbers = np.random.default_rng(self.seed), count()

    def trial(
        self, name: str, params: dict[str, Value], seed: int, phase: Phase = "search", of: int | None = None
    ) -> TrialRow:
        value = 0.7 + self.gain * (name == "mnli") + float(self.draw.normal(0, NOISE))
        number = next(self.numbers)
        row = TrialRow(name, "xnli", number, phase, number, seed, params, "complete", value, of=of)
        self.rows.append(row)
        return row

    def design(self) -> list[TrialRow]:
        for name, params in (*settings("none"), *settings("mnli")):
            first = self.trial(name, params, SEEDS[0])
            for seed in SEEDS[1:]:
                self.trial(name, params, seed, "confirm", first.number)
        return self.rows

    def search(self) -> list[TrialRow]:
        """A search that is confirmed in five finalists, and `none` at each of their target settings."""
        found = [self.trial(name, params, 1) for name, params in settings("mnli")]
        for row in finalists(found, 5):
            for seed in (2, 3, 4):
                self.trial("mnli", row.params, seed, "confirm", row.number)
        for (name, params), seed in product(settings("none"), (1, 2, 3, 4)):
            self.trial(name, params, seed, "search" if seed == 1 else "control")
        return self.rows


def settings(name: str) -> Iterator[tuple[str, dict[str, Value]]]:
    for fraction, rate in product(FRACTIONS if name == "mnli" else (None,), RATES):
        params: dict[str, Value] = {"target.learning_rate": rate}
        yield name, params if fraction is None else params | {"intermediate.fraction": fraction}


def standing(spec: SweepSpec, rows: list[TrialRow]) -> Standing:
    found = standings_of(spec.search, leaderboard(spec, rows), winners(spec, rows), rows)
    return next(each for each in found if each.row.intermediate == "mnli")


@pytest.mark.parametrize(("spec", "make"), [(DESIGN, World.design), (TOP, World.search)])
def test_what_chose_the_winner_does_not_make_it_help(spec: SweepSpec, make: Any) -> None:
    found = [standing(spec, make(World(seed))).verdict for seed in range(WORLDS)]
    assert found.count("helps") <= MOST * WORLDS
    assert found.count("harms") <= MOST * WORLDS


@pytest.mark.parametrize(("spec", "make"), [(DESIGN, World.design), (TOP, World.search)])
def test_what_helps_is_found(spec: SweepSpec, make: Any) -> None:
    told = standing(spec, make(World(0, gain=0.15)))
    assert told.verdict == "helps"
    assert told.difference is not None
    assert told.difference.low is not None
    assert told.difference.low > 0.1


def test_of_a_design_the_settings_that_every_seed_has_are_tested() -> None:
    rows = World(0).design()
    mnli, none = (
        [(row.seed, row.params, row.value or 0.0) for row in rows if row.intermediate == name]
        for name in ("mnli", "none")
    )
    one = mnli[-1]
    at_most = [each for each in mnli if each is not one]
    complete = [each for each in mnli if each[1] != one[1]]
    assert over_all_settings(at_most, none) == over_all_settings(complete, none)
    assert over_all_settings(mnli, none).keys() == set(SEEDS)
    assert over_all_settings(mnli, []) == {}
    of_none = {(seed, params["target.learning_rate"]): value for seed, params, value in none}
    by_hand = [
        value - of_none[2, params["target.learning_rate"]] for seed, params, value in mnli if seed == 2
    ]
    assert over_all_settings(mnli, none)[2] == pytest.approx(sum(by_hand) / 15)
