"""This is where a query meets an answer in another language: rows of a ranking mixed from parallel files."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from xtr.data.rows import RankingRow, Row


def mix_languages(
    rows: Sequence[Row], parallel: Sequence[Sequence[Row]], *, share: float, seed: int
) -> list[Row]:
    """Give a share of the rows a query and an answer in two different languages; the others stay as they are.

    The pairs of languages, the rows' own among them, are drawn alike for each row; which rows are mixed and how
    depends on the seed and the number of rows alone. A row that no other file has stays as it is.

    Args:
        rows: rows of a ranking.
        parallel: the same rows, by id, in other languages; some may be missing.
    """
    files = [{row.id: row for row in file if isinstance(row, RankingRow)} for file in parallel]
    generator = random.Random(seed)
    mixed = set(generator.sample(range(len(rows)), round(share * len(rows))))
    return [_mixed(row, files, generator) if i in mixed else row for i, row in enumerate(rows)]


def _mixed(row: Row, files: Sequence[Mapping[str, RankingRow]], generator: random.Random) -> Row:
    assert isinstance(row, RankingRow)
    spoken = [row, *(file[row.id] for file in files if row.id in file)]
    if len(spoken) < 2:
        return row
    asks, answers = generator.sample(spoken, 2)
    return replace(row, query=asks.query, candidates=answers.candidates)
