"""Mixed languages: the asked share of rows, two languages each, the same for equal seeds."""

from __future__ import annotations

import pytest

from xtr.data.parallel import mix_languages
from xtr.data.rows import Candidate, RankingRow


def file(language: str, ids: range) -> list[RankingRow]:
    return [
        RankingRow(f"q{i}", language, f"q{i}", (Candidate(f"{language}_{i}", language, None, (f"q{i}",)),))
        for i in ids
    ]


ROWS, OTHERS = file("en", range(100)), [file("de", range(100)), file("zh", range(50))]


def languages(row: object) -> tuple[str, str]:
    assert isinstance(row, RankingRow)
    return row.query, row.candidates[0].text


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_asked_share_asks_in_one_language_and_answers_in_another(share: float) -> None:
    mixed = mix_languages(ROWS, OTHERS, share=share, seed=1)
    pairs = [languages(row) for row in mixed]
    assert sum(asked != answered for asked, answered in pairs) == round(100 * share)
    assert all(pair == ("en", "en") for pair in pairs if len(set(pair)) == 1)
    assert [row.id for row in mixed] == [row.id for row in ROWS]
    assert mixed == mix_languages(ROWS, OTHERS, share=share, seed=1)


def test_every_pair_of_languages_occurs_and_a_row_that_nobody_else_has_stays() -> None:
    pairs = {languages(row) for row in mix_languages(ROWS, OTHERS, share=1.0, seed=2)}
    assert len(pairs) == 6
    assert mix_languages(ROWS, [[]], share=1.0, seed=2) == ROWS
