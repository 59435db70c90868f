"""Long tables whose truth is planted: what contrasts must find in them is known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from xtr.analysis.records.results import Result
from xtr.catalogue.lookup import find_task

LANGUAGES = ("en", "xa", "xb", "xc", "xd")
FRACTIONS, EXAMPLES = (0.125, 0.25, 0.5, 1.0), (10, 30, 100, 300)

SPEC = """\
version: 1
name: planted
model: {name: demo}
pairs:
  intermediate: [squad_v1, csqa, "mnli>squad_v1"]
  target: [tydiqa, tatoeba]
search:
  space:
    intermediate.fraction: {choice: [0.125, 0.25, 0.5, 1.0]}
    target.examples: {choice: [10, 30, 100, 300]}
  design: {seeds: [1, 2, 3]}
storage: {root: ROOT}
contrasts:
"""


def direct(examples: int) -> float:
    """The score of direct training, 0 to 1."""
    return 0.8 - 1.5 / math.sqrt(examples)


def transferred(examples: int, fraction: float) -> float:
    """The score after squad_v1: ahead of direct training up to some 25 examples, then behind it."""
    return 0.7 - 0.55 / float(examples**0.3 * fraction**0.1)


@dataclass
class World:
    """A world's scores: squad_v1 helps tydiqa where examples are few, csqa does nothing, the chain hurts xd.

    Attributes:
        harm: of the chain to xd, in [0, 1].
        effect: 0 makes all arms alike.
        noise: standard deviation of a score.
    """

    seeds: Iterable[int] = (1, 2, 3)
    noise: float = 0.005
    effect: float = 1.0
    harm: float = 0.04
    draw: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def rows(self) -> list[Result]:
        """The long table of the design."""
        return [row for seed in self.seeds for row in self._of_seed(seed)]

    def _of_seed(self, seed: int) -> list[Result]:
        rows = []
        for target, arm in itertools.product(
            ("tydiqa", "tatoeba"), ("none", "squad_v1", "csqa", "mnli>squad_v1")
        ):
            fractions = (None,) if arm == "none" else FRACTIONS
            for fraction, examples in itertools.product(
                fractions, EXAMPLES if target == "tydiqa" else (None,)
            ):
                settings = {"intermediate.fraction": fraction, "target.examples": examples}
                said = {name: value for name, value in settings.items() if value is not None}
                for language in LANGUAGES:
                    score = self._score(arm, language, fraction or 1.0, examples or 100)
                    rows.append(result(arm, target, seed, language, score, said))
        return rows

    def _score(self, arm: str, language: str, fraction: float, examples: int) -> float:
        score = direct(examples) - 0.02 * LANGUAGES.index(language)
        if "squad_v1" in arm:
            score += self.effect * (transferred(examples, fraction) - direct(examples))
        if ">" in arm and language == "xd":
            score -= self.effect * self.harm
        return score + self.draw.normal(0, self.noise) if self.noise else score


def result(
    arm: str,
    target: str,
    seed: int,
    language: str,
    value: float,
    settings: Mapping[str, float] | None = None,
    stage: str = "",
) -> Result:
    """One row of scores on test."""
    metric = find_task(target).metric
    return Result(
        arm, target, seed, None, None, "test", language, metric, float(value), 100, settings or {}, stage
    )
