"""Clearing a store: every sweep is held, and what only its journal knows is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.specs import finish, sweep
from xtr.analysis.records.references import read_references
from xtr.analysis.records.trials import read_trials
from xtr.data.open import open_source
from xtr.errors import SweepBusy, XtrError
from xtr.search.book import Book
from xtr.search.garbage import clear
from xtr.search.sweep import sweep_folder
from xtr.spec.dump import to_yaml
from xtr.spec.sweep import SweepSpec
from xtr.stages.path import Paths
from xtr.stages.store import StageStore
from xtr.storage import write_atomic
from xtr.storage.lease import Lease


@pytest.fixture
def spec(tmp_path: Path) -> SweepSpec:
    spec = sweep(tmp_path / "runs")
    write_atomic(sweep_folder(spec) / "spec.yaml", to_yaml(spec))
    return spec


def test_a_trial_that_only_the_journal_knows_keeps_its_stages(spec: SweepSpec) -> None:
    book = Book(spec, sweep_folder(spec))
    first, second = book.next_job(), book.next_job()
    assert first is not None
    assert second is not None
    finish(book, first)
    assert [row.state for row in read_trials(sweep_folder(spec))] == ["complete"], "the view does not know it"
    store = StageStore(Path(spec.storage.root).resolve())
    path = Paths(spec, open_source(spec.data, store.place)).path(second.pair, second.params, second.seed)
    wanted = (path.start, *path.intermediate)
    other = Paths(spec, open_source(spec.data, store.place)).path(second.pair, second.params, 99).training[0]
    for stage in (*wanted, other):
        with store.workspace(stage.key) as folder:
            store.publish(stage, folder, {}, {})  # type: ignore[arg-type]
    found = clear(store, keep_days=30, dry_run=True).found
    assert [each.key for each in found] == [other.key]
    assert len(store.keys()) == len(wanted) + 1
    clear(store, keep_days=30, dry_run=False)
    assert store.keys() == {stage.key for stage in wanted}
    assert Book(spec, sweep_folder(spec)).rows == book.rows, "the journal is as it was"


def test_nothing_is_removed_while_a_driver_runs(spec: SweepSpec) -> None:
    lease = Lease.claim(spec.storage.workplace().store, f"sweeps/{spec.name}/driver.lease")
    assert lease is not None
    store = StageStore(Path(spec.storage.root).resolve())
    with lease:
        with pytest.raises(SweepBusy, match="another driver"):
            clear(store, keep_days=30, dry_run=False)
        assert "another driver" in clear(store, keep_days=30, dry_run=True).busy
    assert clear(store, keep_days=30, dry_run=False).busy == ""


def test_nothing_is_removed_while_a_stage_cannot_be_read(spec: SweepSpec) -> None:
    store = StageStore(Path(spec.storage.root).resolve())
    write_atomic(store.root / "stages" / ("0" * 32) / "manifest.json", "torn")
    with pytest.raises(XtrError, match="verify --repair"):
        clear(store, keep_days=30, dry_run=False)
    assert read_references(store.place).unknown == []
