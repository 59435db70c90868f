"""This is where all scores of a sweep become one long table, for pandas and R.

    intermediate,target,seed,phase,trial,split,language,metric,value,n,settings,stage,collapsed

Select scores stand by trial; scores in every language by split, once they are evaluated: of winners, and of all
points of a design. Values lie in [0, 1]; `n` is the number of rows that were scored, empty where the select split
does not tell. `settings` are the trial's dimensions, in CSV and Parquet as JSON: {"intermediate.fraction":0.5}.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from xtr.analysis.records.references import stage_keys
from xtr.analysis.records.scores import read_scores
from xtr.analysis.records.trials import read_trials
from xtr.catalogue.lookup import find_task
from xtr.fingerprint import JSON, canonical_json
from xtr.spec.expressions import target_task
from xtr.spec.space import Value

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Result:
    """One value.

    Attributes:
        phase, trial: of a trial's select score; None for scores in a language.
        split: `select`, or `oracle` where trials are scored on other languages' dev sets, or what was evaluated.
        settings: the trial's dimensions by dotted name.
        stage: key of the stage that has computed it, where that is kept.
        collapsed: those tasks of its path for which one class alone is predicted, with commas between them.
    """

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
    settings: Mapping[str, Value] = field(default_factory=dict)
    stage: str = ""
    collapsed: str = ""


def results_of(folder: Path) -> list[Result]:
    """List a sweep's scores: completed trials by pair and number, then what was evaluated."""
    rows = read_trials(folder)
    collapsed = {(row.pair, row.seed, _point(row.params)): ",".join(row.collapsed) for row in rows}
    trials = [
        Result(
            row.intermediate,
            row.target,
            row.seed,
            row.phase,
            row.number,
            row.scored_on,
            "",
            find_task(target_task(row.target)).metric,
            row.value,
            None,
            row.params,
            next(reversed(stage_keys(row)), ""),
            ",".join(row.collapsed),
        )
        for row in rows
        if row.value is not None
    ]
    evaluated = [
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
            row.settings,
            row.stage,
            collapsed.get((row.pair, row.seed, _point(row.settings)), ""),
        )
        for row in read_scores(folder)
    ]
    return [*trials, *evaluated]


def _point(settings: Mapping[str, Value]) -> str:
    return canonical_json(dict(settings))


def results_csv(rows: Sequence[Result]) -> str:
    """Write the table as CSV, what is not there as nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [each.name for each in fields(Result)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_plain, rows))
    return text.getvalue()


def results_table(rows: Sequence[Result]) -> pandas.DataFrame:
    """Make a data frame of the table, a column a field; trial and n are whole numbers that may be missing."""
    import pandas

    table = pandas.DataFrame(map(_plain, rows), columns=[each.name for each in fields(Result)])
    return table.astype({"trial": "Int64", "n": "Int64"})


def write_parquet(rows: Sequence[Result], path: Path) -> None:
    """Write the table as Parquet."""
    results_table(rows).to_parquet(path)


def _plain(row: Result) -> dict[str, JSON]:
    """Write a row for a table, whose cells hold no mappings."""
    return asdict(row) | {"settings": _point(row.settings)}
