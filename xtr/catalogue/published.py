"""Published numbers and settings of XTREME and X-STILTs, as data: what a replication is held against.

PUBLISHED[0].score("tydiqa")             -> Number(65.1, exact_match=45.0, confidence="read")
TARGET_RECIPES["panx"].settings          -> {"learning_rate": 1e-05, "epochs": 10, ...}

Nothing here is computed or rounded by xtr. `read` numbers stand in a text that was read (the RemBERT paper's
tables, mT5's README, jiant's pull request 128, the abstract of X-STILTs); `recalled` ones are from memory and may
be off in the last digit. Gains of single intermediate tasks on single targets are not here: the paper's table was
not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Confidence = Literal["read", "recalled"]


@dataclass(frozen=True, slots=True)
class Number:
    """A score, 0 to 100: accuracy, F1 or mAP as XTREME reports the task; for answers also exact match."""

    value: float
    exact_match: float | None = None
    confidence: Confidence = "read"


@dataclass(frozen=True, slots=True)
class Published:
    """One system's scores on one split.

    Attributes:
        scores: task to number; tasks that the source does not give are absent.
        average: the mean over the nine tasks, where the source gives it.
    """

    system: str
    split: Literal["test", "dev"]
    source: str
    scores: Mapping[str, Number]
    average: Number | None = None

    def score(self, task: str) -> Number | None:
        """Return a task's number, None where the source has none."""
        return self.scores.get(task)


XLMR_LARGE = Published(
    system="XLM-R large, no intermediate task",
    split="test",
    source="XTREME (Hu et al. 2020), as RemBERT's table 16 and mT5's README give it",
    scores={
        "xnli": Number(79.2),
        "pawsx": Number(86.4),
        "udpos": Number(73.8),
        "panx": Number(65.4),
        "xquad": Number(76.6, 60.8),
        "mlqa": Number(71.6, 53.2),
        "tydiqa": Number(65.1, 45.0),
        "bucc2018": Number(66.0, confidence="recalled"),
        "tatoeba": Number(57.3, confidence="recalled"),
    },
    average=Number(68.1),
)
STILTS_LEADERBOARD = Published(
    system="X-STILTs, best intermediate per target",
    split="test",
    source="XTREME's leaderboard, as RemBERT's table 16 gives it",
    scores={
        "xnli": Number(80.0),
        "pawsx": Number(87.9),
        "udpos": Number(74.9),
        "panx": Number(64.0),
        "xquad": Number(78.7, 63.3),
        "mlqa": Number(72.4, 53.7),
        "tydiqa": Number(76.0, 59.5),
    },
)
XLMR_LARGE_DEV = Published(
    system="XLM-R large, no intermediate task, jiant",
    split="dev",
    source="jiant-dev pull request 128: hidden state 14, mean over tokens",
    scores={"bucc2018": Number(71.5), "tatoeba": Number(31.0)},
)
PUBLISHED = (XLMR_LARGE, STILTS_LEADERBOARD, XLMR_LARGE_DEV)

STILTS_GAIN = Number(5.4)
"""Test gain of the best intermediate per target over XLM-R large, points of the average (X-STILTs, abstract)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Published settings of one training, by the names that `search.space` has for them."""

    source: str
    settings: Mapping[str, int | float]


_JIANT_XTREME = "jiant, scripts/benchmarks/xtreme: the target stage of X-STILTs (Phang et al. 2020)"


def _jiant(epochs: int, batch_size: int = 32) -> Recipe:
    common = {"learning_rate": 1e-5, "weight_decay": 0.01, "warmup_fraction": 0.1}
    return Recipe(_JIANT_XTREME, {**common, "epochs": epochs, "batch_size": batch_size})


TARGET_RECIPES: Mapping[str, Recipe] = {
    "mnli": _jiant(epochs=2),
    "pawsx": _jiant(epochs=5),
    "udpos": _jiant(epochs=10),
    "panx": _jiant(epochs=10),
    "squad_v1": _jiant(epochs=2, batch_size=16),
    "tydiqa": _jiant(epochs=2, batch_size=16),
}
"""By training task: XNLI trains on mnli, XQuAD and MLQA on squad_v1. XLM-R large, one recipe for all languages."""

INTERMEDIATE_RECIPE = Recipe(
    "jiant, proj/simple/runscript.py: the defaults with which its guide to X-STILTs trains an intermediate task",
    {"learning_rate": 1e-5, "epochs": 3, "batch_size": 32, "warmup_fraction": 0.1},
)
