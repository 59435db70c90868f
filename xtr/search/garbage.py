"""This is where a store is cleared of what nobody needs, while every sweep in it is held still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from xtr.analysis.records.references import JOURNAL, read_references
from xtr.analysis.upkeep.care import Leftover, leftovers, remove
from xtr.catalogue.lookup import forget_own
from xtr.errors import SweepBusy, XtrError
from xtr.search.book import read_journal
from xtr.search.sweep import hold_sweep
from xtr.spec.load import load_stored
from xtr.stages.index import Index, read_index
from xtr.stages.store import StageStore
from xtr.storage.workplace import Workplace


@dataclass(frozen=True, slots=True)
class Clearing:
    """What a look at a store came to.

    Attributes:
        index: the stages before anything was removed.
        busy: why nothing may be removed now: a driver that runs; empty where something may.
    """

    index: Index
    found: tuple[Leftover, ...]
    busy: str = ""


def clear(store: StageStore, *, keep_days: float, dry_run: bool) -> Clearing:
    """Find what nobody needs and remove it.

    While it looks and removes, no driver can run a sweep that the store knows; a sweep that is run for the first
    time in these seconds loses no more than stages it could have read.

    Raises:
        SweepBusy: a driver runs a sweep; with `dry_run` it is told in the answer.
        XtrError: it is not known what somebody needs, so nothing may be removed.
    """
    with ExitStack() as held:
        busy = ""
        try:
            held.enter_context(_still(store.place))
        except SweepBusy as error:
            if not dry_run:
                raise
            busy = str(error)
        index, references = read_index(store), read_references(store.place)
        if index.unreadable:
            references.unknown.append(f"what {len(index.unreadable)} damaged stages need")
        if references.unknown:
            raise XtrError(_refusal(references.unknown))
        found = leftovers(store, index, references, keep_days=keep_days)
        if not dry_run:
            remove(store, found)
            read_index(store)
    return Clearing(index, tuple(found), busy)


@contextmanager
def _still(place: Workplace) -> Iterator[None]:
    """Hold every sweep, and bring the views of its trials up to its journal."""
    with ExitStack() as held:
        for name in place.sweeps():
            folder = held.enter_context(hold_sweep(place, name, lambda _: None)).folder
            if (folder / JOURNAL).exists():
                forget_own()
                read_journal(load_stored(folder, place.store.uri), folder)
        yield


def _refusal(unknown: list[str]) -> str:
    lines = [f"    not known  {each}" for each in unknown]
    hints = (
        "    try        xtr store verify --repair for damaged stages; xtr run or xtr track sync for a sweep,",
        "               or delete its folder below sweeps/ if it is given up",
    )
    return "\n".join(["nothing is removed while it is not known what is needed", *lines, *hints])
