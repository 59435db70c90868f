"""This is where data of the Hugging Face hub become a source: the catalogue's ids at locked revisions.

source = HubSource(Path("runs"))
source.identity(XNLI, "test", "de")    -> "facebook/xnli@b8dd5d7af51c.../de/test"
source.rows(XNLI, "test", "de")        -> [PairRow(...), ...], fetched once, then read from runs/data/hub/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from xtr.catalogue.languages import LANGUAGES
from xtr.catalogue.task import HubFiles, Split, Task
from xtr.data.hublock import HubLock, Kind
from xtr.data.jsonfiles import Record
from xtr.data.official import require_gold
from xtr.data.parsing import BadRows, LeftOut, leaving_out, parse_rows
from xtr.data.records import RECORDS
from xtr.data.rows import Row
from xtr.data.subsets import held_out_ids
from xtr.errors import InputError, Problem
from xtr.fingerprint import JSON, digest, known_digest
from xtr.storage import open_sealed
from xtr.storage.workplace import Workplace, workplace

if TYPE_CHECKING:
    from xtr.data.hub import HubSplit


def resolve_on_hub(kind: Kind, name: str) -> str:
    """Ask the hub for a commit; its libraries are imported only now."""
    from xtr.data.hub import resolve

    return resolve(kind, name)


class HubSource:
    """Data sets of the hub, a `Source`.

    Attributes:
        root: folder on this machine; fetched splits lie below its `data`, the lock in the store's.
        folders: data set id to a local folder in the hub's layout that is read instead.
        skip_bad: how many malformed rows of a split may be left out.
    """

    def __init__(
        self,
        root: Path | Workplace,
        folders: Mapping[str, str] | None = None,
        *,
        resolve: bool = True,
        skip_bad: int = 0,
    ) -> None:
        place = root if isinstance(root, Workplace) else workplace(root)
        self.root = place.here
        self.folders = {name: Path(folder).expanduser() for name, folder in (folders or {}).items()}
        self.lock = HubLock(place.store, resolve_on_hub if resolve else None)
        self.skip_bad = skip_bad
        self._left_out: dict[tuple[str, str, str], tuple[Problem, ...]] = {}

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """List the languages of the catalogue that the hub's layout has; nothing is asked."""
        files = _files(task, split)
        if files is None:
            return ()
        known = (task.select_languages if split == "select" else ()) or task.all_languages
        if split == "train":
            known = tuple(dict.fromkeys((*known, *LANGUAGES)))  # translations of a training set among them
        return tuple(code for code in known if _has_language(files.of(code), task, code))

    def rows(self, task: Task, split: Split, language: str) -> Sequence[Row]:
        """Read a split, fetched first where it is not at hand.

        Raises:
            InputError: it cannot be had, or it is malformed, or has no labels to train or select with.
        """
        files = self._located(task, split, language)
        rows = self._parsed(files, task, split, language)
        if split in ("train", "select"):
            require_gold(rows, f"{files.dataset}/{files.split}", split)
        if not _splits_train(task, split):
            return rows
        held_out = held_out_ids([row.id for row in rows], task.held_out, task=task.name)
        return [row for row in rows if (row.id in held_out) == (split == "select")]

    def identity(self, task: Task, split: Split, language: str) -> str:
        """Name a split by id, locked revision, configuration and split, without reading rows.

        Raises:
            InputError: the catalogue has no such split on the hub, or its revision cannot be resolved.
        """
        files = self._located(task, split, language)
        parts = [f"{files.dataset}@{self._revision(files.dataset)}", files.config or "default", files.split]
        name = "/".join(parts)
        if files.keep:
            name += f" keep {files.keep[0]}={files.keep[1]}"
        if _splits_train(task, split):
            name += f" held_out {task.held_out} {split}"
        return name + (" well-formed" if self.skip_bad else "")

    def n_rows(self, task: Task, split: Split, language: str) -> int | None:
        """Nobody counts before the rows have been fetched."""
        return None

    def left_out(self) -> LeftOut:
        """Say what malformed rows were left out of the splits read so far."""
        return dict(self._left_out)

    def _located(self, task: Task, split: Split, language: str) -> HubFiles:
        files = _files(task, split)
        at_hand = self.languages(task, split)
        own = files.of(language) if files is not None and language in at_hand else None
        if own is not None:
            return _filled(own, language)
        raise InputError(
            Problem(
                "the hub has no such split of this task",
                f"{task.name} {split} {language}",
                allowed=f"languages {', '.join(at_hand)}" if at_hand else f"splits {', '.join(task.hub)}",
                hint="data.source official reads the original files",
            )
        )

    def _revision(self, dataset: str) -> str:
        folder = self.folders.get(dataset)
        return self.lock.revision("datasets", dataset) if folder is None else folder_digest(folder)

    def _parsed(self, files: HubFiles, task: Task, split: Split, language: str) -> list[Row]:
        from xtr.data.hub import HubSplit, read

        place = HubSplit(
            files.dataset,
            self._revision(files.dataset),
            files.config,
            files.split,
            self.folders.get(files.dataset),
        )
        records: Iterable[Record] = read(self._fetched(place))
        parse, trains = RECORDS[files.columns], split in ("train", "select")
        bad = BadRows(self.skip_bad)
        items = ((number, record) for number, record in enumerate(records) if _kept(record, files.keep))
        with leaving_out(bad):
            rows = parse_rows(
                str(place), items, lambda number, record: parse(number, _labelled(record, trains), task)
            )
        if bad.left_out:
            self._left_out[task.name, split, language] = tuple(bad.left_out)
        return rows

    def _fetched(self, place: HubSplit) -> Path:
        """Return the folder of a split's rows, whole and checked."""
        from xtr.data.hub import fetch

        parts = (f"{place.dataset}@{place.revision}", place.config or "default", place.split)
        folder = self.root.joinpath("data", "hub", *(part.replace("/", "--") for part in parts))
        if open_sealed(folder) is None:
            fetch(place, folder)
        return folder


def folder_digest(folder: Path) -> str:
    """Name a local folder in the hub's layout by the content of its files."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder))
    if not paths:
        raise InputError(
            Problem(
                "no data files lie in this folder", "data.hub_folders", str(folder), "parquet or JSON lines"
            )
        )
    content: list[JSON] = [[path.relative_to(folder).as_posix(), known_digest(path)] for path in paths]
    return f"folder-{digest(content)[:32]}"


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _files(task: Task, split: Split) -> HubFiles | None:
    """Where a split lies; dev falls back to test, and select to the training rows it is held out of."""
    if split not in task.hub and split == "dev":
        return task.hub.get("test")
    if split not in task.hub and split == "select" and task.held_out > 0:
        return task.hub.get("train")
    return task.hub.get(split)


def _splits_train(task: Task, split: Split) -> bool:
    held_out = task.held_out > 0 and "select" not in task.hub
    return held_out and split in ("train", "select")


def _has_language(files: HubFiles | None, task: Task, language: str) -> bool:
    """A layout that does not name the language is in the task's own."""
    if files is None:
        return False
    if files.languages:
        return language in files.languages
    patterns = (files.config or "", files.split, files.keep[1] if files.keep else "")
    return any("{" in pattern for pattern in patterns) or language == task.home


def _filled(files: HubFiles, language: str) -> HubFiles:
    known = LANGUAGES[language]

    def fill(pattern: str) -> str:
        pattern = pattern.replace("{lang}", language).replace("{iso3}", known.iso3)
        return pattern.replace("{language}", known.name)

    keep = (files.keep[0], fill(files.keep[1]).lower()) if files.keep else None
    config = fill(files.config) if files.config else None
    return replace(files, config=config, split=fill(files.split), keep=keep)


def _kept(record: Record, keep: tuple[str, str] | None) -> bool:
    if keep is None:
        return True
    column, prefix = keep
    if column not in record:
        raise InputError(Problem("the column to keep rows by is missing", "", column, ", ".join(record)))
    return str(record[column]).casefold().startswith(prefix.casefold())


def _labelled(record: Record, trains: bool) -> Record:
    """Drop labels that are hidden: `-` says no consensus where rows are trained on, and nothing in a test."""
    if trains:
        return record
    return {name: value for name, value in record.items() if not (name == "label" and value == "-")}
