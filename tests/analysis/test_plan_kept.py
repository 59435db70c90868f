"""A plan keeps its word: tokens that it foresees are the tokens that the sweep then trains on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from xtr.analysis.planning.plan import Plan, plan_sweep
from xtr.analysis.records.trials import TrialRow
from xtr.data.open import open_source
from xtr.search.book import Book
from xtr.search.trial import perform
from xtr.spec.sweep import SweepSpec
from xtr.stages.prepare import prepare_data
from xtr.stages.store import StageStore

pytestmark = pytest.mark.slow

GRID = {"intermediate.fraction": {"choice": [0.5, 1.0]}, "target.epochs": {"choice": [1, 2]}}
ADAPTIVE = {
    "intermediate.fraction": {"choice": [0.5, 1.0]},
    "target.epochs": {"int": [1, 2]},
    "target.learning_rate": {"log_float": [2e-4, 2e-3]},
}


def spec(root: Path, name: str, space: Mapping[str, Any], **search: Any) -> SweepSpec:
    small = {"learning_rate": 5e-4, "epochs": 1, "batch_size": 16, "max_length": 96}
    return SweepSpec.model_validate(
        {
            "version": 1,
            "name": name,
            "model": {"name": "demo"},
            "pairs": {"intermediate": ["squad_v1+csqa", "squad_v1>csqa"], "target": ["tydiqa"]},
            "stages": {"intermediate": small, "target": small},
            "search": {"space": space, "trials_per_pair": 4, "generation": 2, **search},
            "data": {"source": "demo", "demo_scale": 0.01},
            "storage": {"root": str(root)},
        }
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage root in which the data are prepared, so that every row's tokens are counted."""
    folder = tmp_path_factory.mktemp("kept")
    prepare_data(spec(folder, "grid", GRID), lambda _: None)
    return folder


def planned(of: SweepSpec, root: Path, rows: list[TrialRow]) -> Plan:
    return plan_sweep(of, open_source(of.data, root, resolve=False), StageStore(root), rows)


def trained(of: SweepSpec, root: Path) -> tuple[int, list[TrialRow]]:
    """Run a sweep's trials in this process; return the tokens that they trained on, and the trials."""
    book, tokens = Book(of, root / "sweeps" / of.name), 0
    while (job := book.next_job()) is not None:
        outcome = perform(of, job)
        detail = json.loads(outcome["detail"])
        assert "error" not in detail, detail
        tokens += detail["tokens"]
        book.report(job, outcome["state"], outcome["score"], detail)
    return tokens, book.rows


def test_a_grid_trains_on_the_tokens_that_were_planned_and_then_owes_nothing(root: Path) -> None:
    grid = spec(root, "grid", GRID)
    before = planned(grid, root, [])
    assert before.train_tokens.owed == before.train_tokens.likely > 0
    tokens, rows = trained(grid, root)
    assert tokens == before.train_tokens.owed
    after = planned(grid, root, rows)
    assert (after.owed, after.train_tokens.owed, after.run.cpu_hours) == (0, 0, 0.0)
    assert after.train_tokens.shared == before.train_tokens.shared
    assert all(count.stored == count.distinct for count in after.stages.values())
    assert after.trials == before.trials == len(rows)


def test_an_adaptive_sweep_trains_on_no_more_than_was_planned(root: Path) -> None:
    stopping = {"rung_epochs": 1, "keep": 0.5}
    adaptive = spec(
        root, "adaptive", ADAPTIVE, trials_per_pair=2, early_stopping=stopping, confirm={"seeds": [2]}
    )
    before = planned(adaptive, root, [])
    tokens, rows = trained(adaptive, root)
    assert 0 < tokens <= before.train_tokens.owed
    assert planned(adaptive, root, rows).train_tokens.owed == 0
    assert len(rows) <= before.trials
