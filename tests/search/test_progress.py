"""What a run says of its trials agrees with what the leaderboard says when it has ended."""

from __future__ import annotations

import random
from pathlib import Path

from tests.search.specs import drive, sweep
from xtr.analysis.answers.leaderboard import best_rows, leaderboard
from xtr.analysis.tables import percent
from xtr.search.book import Book
from xtr.search.progress import Progress


def test_the_last_line_of_each_target_has_its_score_on_the_leaderboard(tmp_path: Path) -> None:
    spec = sweep(tmp_path, confirm={"top": 2, "seeds": [2, 3]})
    book, said = Book(spec, tmp_path), list[str]()
    book.listener = Progress(book, 99, said.append).trial
    drive(book, 3, random.Random(0))
    for row in best_rows(leaderboard(spec, book.rows)):
        of_target = [line for line in said if f"best {row.target} " in line]
        assert of_target[-1].endswith(f"best {row.target} {percent(row.score)} ({row.intermediate})")
