"""This is where all scores of a sweep become one long table, for pandas and R.

    intermediate,target,seed,phase,trial,split,language,metric,value,n

Select scores stand by trial; scores of winners in every language by split, once they are evaluated. Values lie in
[0, 1]; `n` is the number of rows that were scored, empty where the select split does not tell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from xtr.analysis.scores import read_scores
from xtr.analysis.trials import read_trials
from xtr.catalogue.lookup import find_task
from xtr.spec.expressions import target_task

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Result:
    """One value; `phase` and `trial` are those of a trial's select score, None for a winner's scores."""

    intermediate: str
    target: str
    seed: int
    phase: str | None
    trial: int | None
    split: str
    language: str
    metric: str
    value: float
    n: int | None


def results_of(folder: Path) -> list[Result]:
    """List a sweep's scores: completed trials by pair and number, then winners by split and language."""
    trials = [
        Result(
            row.intermediate,
            row.target,
            row.seed,
            row.phase,
            row.number,
            "select",
            "",
            find_task(target_task(row.target)).metric,
            row.value,
            None,
        )
        for row in read_trials(folder)
        if row.value is not None
    ]
    winners = [
        Result(
            row.intermediate,
            row.target,
            row.seed,
            None,
            None,
            row.split,
            row.language,
            row.metric,
            row.value,
            row.n,
        )
        for row in read_scores(folder)
    ]
    return [*trials, *winners]


def results_csv(rows: Sequence[Result]) -> str:
    """Write the table as CSV, what is not there as nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [each.name for each in fields(Result)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def results_table(rows: Sequence[Result]) -> pandas.DataFrame:
    """Make a data frame of the table, a column a field; trial and n are whole numbers that may be missing."""
    import pandas

    columns = [each.name for each in fields(Result)]
    table = pandas.DataFrame([asdict(row) for row in rows], columns=columns)
    return table.astype({"trial": "Int64", "n": "Int64"})


def write_parquet(rows: Sequence[Result], path: Path) -> None:
    """Write the table as Parquet."""
    results_table(rows).to_parquet(path)
