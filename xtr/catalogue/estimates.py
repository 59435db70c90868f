"""Rough sizes for plans alone, where the catalogue has no counted ones: each with where it comes from.

Counts that hold stand with the task (`n_train`, `n_select`, `n_test`). What stands here was never counted by xtr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xtr.catalogue.task import Split


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of rows, and why it is believed."""

    rows: int
    why: str


_PAPER = "from memory of the data set's paper, not counted"
_BUCC = "corpora of BUCC's training set, from memory, not counted; a row is a sentence of either side"

ROWS: Mapping[tuple[str, Split, str | None], Estimate] = {
    ("ocnli", "train", None): Estimate(50_437, _PAPER),
    ("ocnli", "select", None): Estimate(2_950, _PAPER),
    ("jnli", "train", None): Estimate(20_073, _PAPER),
    ("jsquad", "train", None): Estimate(62_859, _PAPER),
    ("cmrc2018", "train", None): Estimate(10_142, _PAPER),
    ("mlm", "train", None): Estimate(100_000, "the text is yours, so its size is anybody's guess"),
    ("mlm", "select", None): Estimate(2_000, "the text is yours, so its size is anybody's guess"),
    ("xnli", "dev", None): Estimate(2_490, _PAPER),
    ("squad_qa_retrieval", "select", None): Estimate(10_570, "the questions of SQuAD's dev set"),
    ("lareqa", "test", None): Estimate(1_190, "the questions of XQuAD"),
    ("lareqa", "pool", None): Estimate(
        1_180, "the sentences that hold XQuAD's answers, about one a question"
    ),
    ("mewslix", "select", None): Estimate(1_500, _PAPER),
    ("mewslix", "test", None): Estimate(1_500, _PAPER),
    ("mewslix", "pool", None): Estimate(90_000, "about a million entities in eleven languages"),
    ("tatoeba", "select", None): Estimate(1_000, "at most 1,000 pairs a language"),
    ("bucc2018", "select", None): Estimate(70_000, "corpora of BUCC's sample set, from memory, not counted"),
    ("bucc2018", "test", "de"): Estimate(813_206, _BUCC),
    ("bucc2018", "test", "fr"): Estimate(641_683, _BUCC),
    ("bucc2018", "test", "ru"): Estimate(1_019_254, _BUCC),
    ("bucc2018", "test", "zh"): Estimate(183_497, _BUCC),
}
"""By task, split and language; None is any language."""

ANYBODYS_GUESS = Estimate(10_000, "nobody has said how many rows there are")

DEMO_TOKENS: Mapping[str, float] = {
    "mnli": 13.9, "xnli": 13.8, "pawsx": 13.8, "squad_v1": 21.2, "xquad": 21.2, "tydiqa": 21.1, "csqa": 52.1,
    "copa": 64.6, "xcopa": 64.6, "udpos": 13.7, "panx": 13.8, "mlm": 19.5, "tatoeba": 13.7, "bucc2018": 13.7,
    "squad_qa_retrieval": 21.2, "lareqa": 21.2,
}  # fmt: skip
"""Mean tokens of a row of the demo world in its own encoder's vocabulary, counted on seed 0 at scale 1."""


def estimated_rows(task: str, split: Split, language: str) -> Estimate:
    """Return the best guess for a split that nobody has counted."""
    return ROWS.get((task, split, language)) or ROWS.get((task, split, None)) or ANYBODYS_GUESS
