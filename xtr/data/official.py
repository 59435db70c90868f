"""This is where the official files of every data set are read, as XTREME's download scripts place them.

source = OfficialSource(Path("download"), folders={"mnli": "glue/MNLI"})
source.languages(XNLI, "dev")        -> ("ar", "bg", ...): whose files are there
source.rows(XNLI, "dev", "de")[0]    -> PairRow(id="0", first=..., second=..., label="neutral")
source.identity(XNLI, "dev", "de")   -> "5f0c...": the SHA-256 of the file
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from xtr.catalogue.languages import LANGUAGES, iso3
from xtr.catalogue.task import Files, Format, Split, Task
from xtr.data.parsing import BadRows, LeftOut, leaving_out
from xtr.data.readers import READERS
from xtr.data.rows import (
    Candidate,
    ChoiceRow,
    MiningRow,
    PairRow,
    RankingRow,
    RetrievalRow,
    Row,
    SpanRow,
    TaggingRow,
    TextRow,
)
from xtr.data.subsets import held_out_ids
from xtr.data.words import words_and_numbers
from xtr.errors import InputError, Problem
from xtr.fingerprint import digest, known_digest

SEVERAL_LANGUAGES: frozenset[Format] = frozenset(
    ("xnli_tsv", "xnli_jsonl", "tydiqa_json", "mewslix_mentions")
)
SMALL_BYTES = 16 * 2**20
"""Files that are read in about a second."""

SPLITS: tuple[Split, ...] = ("train", "select", "dev", "test")


@dataclass(frozen=True, slots=True)
class OfficialSource:
    """Data files on disk, a `Source`.

    Where a task keeps no file for selection (TyDiQA), its training rows are split: the share
    `held_out` is `select`, the rest is `train`, the same rows for ever.

    Attributes:
        root: the folder that holds the tasks' folders.
        folders: task to its folder below root, where that is not the catalogue's.
        files: task to split to a path below root, with `{lang}`, `{iso3}` and `{side}` as in the catalogue,
            instead of the catalogue's; a path without them is English. The format is that of the split's
            first layout in the catalogue, or of the task's training or test files where it has none, unless it
            is said before the path: `nli_tsv:glue/dev_mismatched.tsv`.
    """

    root: Path
    folders: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    skip_bad: int = 0
    _left_out: dict[tuple[str, str, str], tuple[Problem, ...]] = field(default_factory=dict, repr=False)

    def languages(self, task: Task, split: Split) -> tuple[str, ...]:
        """List the languages whose files are there, without reading them.

        In the catalogue's order; languages that no benchmark counts follow, translations of a training set among
        them.
        """
        known = (task.select_languages if split == "select" else ()) or task.all_languages
        others = (code for code in LANGUAGES if code not in known) if split != "select" else ()
        return tuple(code for code in (*known, *others) if self._existing(task, split, code))

    def rows(self, task: Task, split: Split, language: str) -> Sequence[Row]:
        """Read a split in file order.

        Raises:
            InputError: the file is missing, empty or malformed, or has no labels to train or select with.
        """
        file_format, paths = self._located(task, split, language)
        bad = BadRows(self.skip_bad)
        with leaving_out(bad):
            rows = READERS[file_format](paths, task, language)
        if bad.left_out:
            self._left_out[task.name, split, language] = tuple(bad.left_out)
        if split in ("train", "select"):
            require_gold(rows, paths[0], split)
        if not self._splits_train(task, split, language):
            return rows
        if len(rows) < 2:
            raise InputError(Problem("one row cannot be split into train and select", where=f"{paths[0]}:1"))
        held_out = held_out_ids([row.id for row in rows], task.held_out, task=task.name)
        return [row for row in rows if (row.id in held_out) == (split == "select")]

    def identity(self, task: Task, split: Split, language: str) -> str:
        """Return the SHA-256 of the split's files, with what was held out where that applies.

        Raises:
            InputError: the file is missing.
        """
        layout_format, paths = self._located(task, split, language)
        digests = [known_digest(path) for path in paths]
        name = digests[0] if len(digests) == 1 else digest(digests)
        if self.skip_bad:
            name += " well-formed"
        if self._splits_train(task, split, language):
            name = f"{name} held_out {task.held_out} {split}"
        if layout_format in SEVERAL_LANGUAGES:  # of one file, each language is other data
            name = f"{name} in {language}"
        return f"{name} as {_reading(task, layout_format)}" if task.own else name

    def n_rows(self, task: Task, split: Split, language: str) -> int | None:
        """Count the rows of files that are read at once; None where they are absent, malformed or large."""
        try:
            if sum(path.stat().st_size for path in self.paths(task, split, language)) > SMALL_BYTES:
                return None
            return len(self.rows(task, split, language))
        except InputError:
            return None

    def paths(self, task: Task, split: Split, language: str) -> tuple[Path, ...]:
        """Name the files of a split.

        Raises:
            InputError: a file is missing.
        """
        return tuple(self._located(task, split, language)[1])

    def left_out(self) -> LeftOut:
        """Say what malformed rows were left out of the splits read so far."""
        return dict(self._left_out)

    def _located(self, task: Task, split: Split, language: str) -> tuple[Format, list[Path]]:
        found = self._existing(task, split, language)
        if found:
            return found
        asked = f"{task.name} {split} {language}"
        candidates = [str(path) for _, paths in self._candidates(task, split, language) for path in paths]
        if not candidates:
            allowed = f"splits {', '.join(name for name in SPLITS if self._layouts(task, name))}"
            raise InputError(Problem("there is no such split", asked, allowed=allowed, hint="xtr tasks"))
        raise InputError(
            Problem(
                "the data file is missing",
                where=asked,
                received=f"none of {', '.join(candidates)}",
                hint=f"set data.official_root to the folder that holds {task.folder}/, "
                f"or data.folders.{task.name} to the task's folder below it",
            )
        )

    def _existing(self, task: Task, split: Split, language: str) -> tuple[Format, list[Path]] | None:
        candidates = self._candidates(task, split, language)
        return next((found for found in candidates if all(path.is_file() for path in found[1])), None)

    def _candidates(self, task: Task, split: Split, language: str) -> list[tuple[Format, list[Path]]]:
        if split == "select" and task.training_task is None and language not in task.select_languages:
            return []
        return [
            (layout.format, self._paths(task, layout, language))
            for layout in self._layouts(task, split)
            if _covers(layout, language, task.home)
        ]

    def _paths(self, task: Task, layout: Files, language: str) -> list[Path]:
        """The files of a layout in a language; where nothing matches a `*`, the pattern itself."""
        paths: list[Path] = []
        for pattern in (layout.pattern, *layout.also):
            for path in _written_out(pattern, language, layout.format):
                matching = sorted(self.root.glob(path), key=lambda each: each.name) if "*" in path else []
                paths += matching or [self.root / path]
        return words_and_numbers(paths) if layout.format == "rejoined_words" else paths

    def _layouts(self, task: Task, split: Split) -> list[Files]:
        """The layouts of a split with patterns below root, the user's own instead of the catalogue's."""
        overrides = self.files.get(task.name, {})
        if split not in overrides:
            split = self._stand_in(task, split)
        known = task.layouts(split)
        if split in overrides:
            said, colon, path = overrides[split].partition(":")
            if colon and said in READERS:
                in_one_file = task.all_languages if said in SEVERAL_LANGUAGES else ()
                return [Files(path, said, in_one_file)]  # type: ignore[arg-type]
            first = (known or task.train or task.test)[0]
            return [Files(overrides[split], first.format, mixed=first.mixed)]
        folder = self.folders.get(task.name, task.folder)
        return [
            replace(
                layout,
                pattern=_below(folder, layout.pattern),
                also=tuple(_below(folder, pattern) for pattern in layout.also),
            )
            for layout in known
        ]

    def _stand_in(self, task: Task, split: Split) -> Split:
        """The split whose files are read for one that has none of its own."""
        if split == "dev" and not task.dev:
            return "test"
        return "train" if split == "select" and self._holds_out(task) else split

    def _holds_out(self, task: Task) -> bool:
        return task.held_out > 0 and not task.select and "select" not in self.files.get(task.name, {})

    def _splits_train(self, task: Task, split: Split, language: str) -> bool:
        return split in ("train", "select") and self._holds_out(task)


def _reading(task: Task, layout_format: Format) -> str:
    """Name how the files of a user's own task are read: its words are not fixed by xtr's version."""
    return digest([task.family, list(task.labels), layout_format])[:16]


def _covers(layout: Files, language: str, home: str) -> bool:
    if layout.mixed:
        return True
    if layout.languages:
        return language in layout.languages
    return "{" in layout.pattern or language == home


def _below(folder: str, pattern: str) -> str:
    """Put a pattern below the task's folder, or below the root where it begins with a slash."""
    return pattern[1:] if pattern.startswith("/") else f"{folder}/{pattern}"


def _written_out(pattern: str, language: str, file_format: Format) -> list[str]:
    """Put a language into a pattern; one with `{side}` names several files."""
    name = LANGUAGES[language].name.lower() if language in LANGUAGES else language
    path = pattern.replace("{lang}", language).replace("{iso3}", iso3(language)).replace("{language}", name)
    sides = {
        "bitext": (iso3(language), "eng"),
        "mining": (language, "en", "gold"),
        "mining_hidden": (language, "en"),
    }
    return [path.replace("{side}", side) for side in sides.get(file_format, ("",))]


def require_gold(rows: Sequence[Row], path: Path | str, split: Split) -> None:
    """Refuse rows without labels where labels are needed.

    Raises:
        InputError: some rows have none.
    """
    n_hidden = sum(_gold(row) is None for row in rows)
    if n_hidden:
        raise InputError(
            Problem(
                f"{split} needs labels",
                where=f"{path}:1",
                received=f"{n_hidden} of {len(rows)} rows without one",
                hint="XTREME's test files carry no labels; name a labelled file",
            )
        )


def _gold(row: Row) -> object:
    match row:
        case PairRow() | ChoiceRow():
            return row.label
        case TaggingRow():
            return row.tags
        case SpanRow():
            return row.answers
        case RetrievalRow():
            return row.gold
        case TextRow():
            return row.text
        case MiningRow():
            return row.translations
        case RankingRow():
            return row.key
        case Candidate():
            return row.keys
