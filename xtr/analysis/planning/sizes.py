"""This is where it is known, counted or guessed how many rows and tokens a sweep's data have.

    sizes.one_pass(part, seed=1)     -> Pass(examples=352, tokens=10_412)

Best first: rows that `xtr data prepare` has encoded, whose tokens are counted for the very rows that training
will see; what earlier stages counted; rows at hand times the catalogue's tokens per row; the catalogue alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from xtr.analysis.planning.guesses import Guesses, PlannedSource
from xtr.catalogue.estimates import DEMO_TOKENS, estimated_rows
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split, Task
from xtr.stages.index import Entry
from xtr.stages.lengths import Lengths, encoded_lengths
from xtr.stages.stage import EvaluateStage, Part
from xtr.stages.subset import first_rows, n_chosen, rows_at_hand
from xtr.storage import write_atomic

SEQUENCES = 4
"""Choices, at most, that a row of multiple choice is cut in pieces of the longest input for."""

Place = tuple[str, Split, str]


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the training rows of a part."""

    examples: int
    tokens: float


class Sizes:
    """Rows and tokens of a sweep's data.

    Args:
        root: the storage root.
        start: key of the encoder that paths begin with.
        earlier: what earlier stages from this encoder took.
        prepare: the command that counts what is guessed here.
    """

    def __init__(
        self,
        source: PlannedSource,
        root: Path,
        start: str,
        earlier: Sequence[Entry],
        guesses: Guesses,
        prepare: str,
    ) -> None:
        self.source = source
        self.root = root
        self.start = start
        self.guesses = guesses
        self.prepare = prepare
        self._trained = [each for each in earlier if each.kind == "train" and len(each.parts) == 1]
        self._rows: dict[Place, int] = {}
        self._orders: dict[tuple[object, ...], tuple[list[int], list[int]]] = {}

    # -- rows ------------------------------------------------------------------------------------------

    def rows(self, task: Task, split: Split, language: str) -> int:
        """Count a split's rows."""
        place = (task.name, split, language)
        if place not in self._rows:
            self._rows[place] = self._count(task, split, language)
        return self._rows[place]

    def _count(self, task: Task, split: Split, language: str) -> int:
        data = self.source.identity(task, split, language)
        encoded = self._encoded_rows.get((task.name, data))
        if encoded is not None:
            return encoded
        counted = self._counted(task, split, language, data)
        return self._guessed_rows(task, split, language) if counted is None else counted

    def _counted(self, task: Task, split: Split, language: str, data: str) -> int | None:
        """Count rows that are at hand, once for each content."""
        name = f"{task.name} {split} {language} {data}"
        if (task.name, split, language) in self.source.absent:
            return None
        if self.source.is_demo:
            return self.source.n_rows(task, split, language)
        if name not in self._counts:
            n = self.source.n_rows(task, split, language)
            if n is None:
                return None
            self._counts[name] = n
        return self._counts[name]

    def keep_counts(self) -> None:
        """Keep what was counted for the next plan, where files were read for it."""
        if self._counts != self._known_counts():
            with suppress(OSError):  # a folder of somebody else's can be planned from, too
                write_atomic(self.root / "plan" / "rows.json", json.dumps(self._counts, indent=1))

    @cached_property
    def _counts(self) -> dict[str, int]:
        return self._known_counts()

    def _known_counts(self) -> dict[str, int]:
        try:
            known: dict[str, int] = json.loads((self.root / "plan" / "rows.json").read_text())
        except (OSError, ValueError):
            return {}
        return known

    def _guessed_rows(self, task: Task, split: Split, language: str) -> int:
        """Take the catalogue's count of the full set, or its estimate."""
        counted = {
            "train": round(task.n_train * (1 - task.held_out)),
            "select": task.n_select or round(task.n_train * task.held_out),
            "test": task.n_test.get(language, 0),
            "dev": task.n_test.get(language, 0) if not task.dev else task.n_select,
        }.get(split, 0)
        why = self.source.absent.get((task.name, split, language), "these data have not been read yet")
        estimate = estimated_rows(task.name, split, language)
        source = "the catalogue's count of the full set" if counted else estimate.why
        rows = counted or estimate.rows
        value = f"{rows:,}" if split == "train" else f"{rows:,} in {language}"
        self.guesses.note(f"{task.name} {split} rows", value, f"{why}; {source}", self.prepare)
        return rows

    # -- tokens ----------------------------------------------------------------------------------------

    def one_pass(self, part: Part, seed: int) -> Pass:
        """Size one pass over a part's training rows."""
        task = find_task(part.task)
        sizes = [self.rows(task, "train", language) for language in part.languages]
        n = n_chosen(sizes, part)
        lengths = [self._lengths(task, data, part.settings.max_length) for data in part.train_data]
        kept = [each for each in lengths if each is not None]
        if len(kept) == len(lengths) and not part.parallel_data:
            tokens, examples = self._prefixes(part, seed, sizes, kept)
            return Pass(examples[n], tokens[n])
        return Pass(n, n * self._trained_tokens_per_row(task, part, sizes))

    def _prefixes(
        self, part: Part, seed: int, sizes: Sequence[int], lengths: Sequence[Lengths]
    ) -> tuple[list[int], list[int]]:
        """Add up tokens and examples over the order in which rows are chosen; entry n is that of n rows."""
        everything = rows_at_hand(sizes, part)
        order = (part.task, part.languages, part.train_data, part.settings.max_length, seed)
        if order not in self._orders:
            places = first_rows(sizes, part, seed, everything)
            self._orders[order] = (
                list(accumulate((lengths[of].tokens[row] for of, row in places), initial=0)),
                list(accumulate((lengths[of].examples[row] for of, row in places), initial=0)),
            )
        return self._orders[order]

    def _trained_tokens_per_row(self, task: Task, part: Part, sizes: Sequence[int]) -> float:
        measured = self._measured.get((part.name, part.train_data, part.settings.max_length))
        if measured is None:
            return self.tokens_per_row(task, part.settings.max_length)
        return measured[0] / sum(n_chosen(sizes, _amount(part, recipe)) for recipe in measured[1])

    @cached_property
    def _measured(self) -> Mapping[tuple[str, tuple[str, ...], int], tuple[float, list[dict[str, object]]]]:
        """Tokens a pass that earlier stages counted, and on what part of the rows."""
        found: dict[tuple[str, tuple[str, ...], int], tuple[float, list[dict[str, object]]]] = {}
        for each in self._trained:
            recipe = each.parts[0]
            if "parallel_data" in recipe or not each.epochs:
                continue
            place = (recipe["task"], tuple(recipe["train_data"]), recipe["settings"]["max_length"])
            tokens, recipes = found.get(place, (0.0, []))
            found[place] = (tokens + each.tokens / each.epochs, [*recipes, recipe["settings"]])
        return found

    def tokens_per_row(self, task: Task, max_length: int) -> float:
        """Estimate a row's tokens from the catalogue."""
        if self.source.is_demo and task.name in DEMO_TOKENS:
            return DEMO_TOKENS[task.name]
        known = task.tokens_per_row or 64
        cut = {"pair": max_length, "tagging": max_length, "mlm": max_length, "choice": SEQUENCES * max_length}
        tokens = min(known, cut.get(task.family, known))
        why = "the catalogue's rough mean in XLM-R's vocabulary" if task.tokens_per_row else "nobody has said"
        self.guesses.note(f"{task.name} tokens per row", tokens, why, self.prepare)
        return tokens

    def scored_tokens(self, stage: EvaluateStage) -> float:
        """Estimate the tokens that an evaluation reads."""
        task = find_task(stage.task)
        rows = self.rows(task, stage.split, stage.language)
        rows = rows if stage.max_rows is None else min(rows, stage.max_rows)
        sides = 2 if task.family == "retrieval" else 1
        return sides * rows * self.tokens_per_row(task, stage.max_length)

    # -- what was encoded ------------------------------------------------------------------------------

    def _lengths(self, task: Task, data: str, max_length: int) -> Lengths | None:
        return self._encoded.get((task.name, data, self.start, max_length))

    @cached_property
    def _encoded(self) -> Mapping[tuple[str, str, str, int], Lengths]:
        return encoded_lengths(self.root)

    @cached_property
    def _encoded_rows(self) -> Mapping[tuple[str, str], int]:
        return {(task, data): each.n_rows for (task, data, _, _), each in self._encoded.items()}


def _amount(part: Part, recipe: Mapping[str, object]) -> Part:
    """Ask of a part as many rows as an earlier recipe did."""
    amount = {name: recipe.get(name) for name in ("examples", "max_rows")}
    fraction = recipe.get("fraction", 1.0)
    return replace(part, settings=part.settings.model_copy(update={**amount, "fraction": fraction}))
