"""This is where the trunks of a sweep are looked after: which are worth keeping, and which nobody needs any more.

    progress/<lineage>/examples.json    how many examples the runs of a lineage have; there while trunks may be

A trunk stands where runs of the sweep part (`segments`). It is kept while a run is missing that would begin there,
and taken away when the last of them has been published.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from xtr.data.source import Source
from xtr.spec.sweep import SweepSpec
from xtr.stages.segments import Run, branches, shares_beginning, trunks
from xtr.stages.stage import TrainStage, TrunkStage, lineage
from xtr.stages.store import StageStore
from xtr.storage import write_atomic

COUNTS = "examples.json"


class Trunks:
    """The trunks of one sweep in its store."""

    def __init__(self, spec: SweepSpec, store: StageStore, source: Source) -> None:
        self.spec = spec
        self.store = store
        self.source = source

    def of(self, stage: TrainStage, until_epoch: int | None = None) -> list[TrunkStage]:
        """List the trunks that a run goes through, shortest first; the last is where it begins by itself.

        Those are worth it that another run will need, or that are there. A run that pauses after an epoch goes
        through none that lies behind it, but begins at one that is there: its epochs are in it.
        """
        others = [each for each in branches(stage, self.spec) if each.key != stage.key]
        missing = {each.key for each in others if not self.store.has(each.key)}
        if not missing and not self._counts(stage).exists():
            return []
        own, *runs = self._runs([stage, *others])
        wanted = {trunk.key for trunk in trunks(own, [run for run in runs if run.stage.key in missing])}
        pause = own.n_steps if until_epoch is None else until_epoch * own.steps_per_pass
        return [
            trunk
            for trunk in trunks(own, runs)
            if self.store.has(trunk.key) or (trunk.key in wanted and trunk.steps <= pause)
        ]

    def tidy(self, stage: TrainStage, *, only_leftovers: bool = False) -> None:
        """Take away the trunks at which no missing run of the sweep would begin.

        Args:
            only_leftovers: do it only where a sweep was cut short before it could.
        """
        if not shares_beginning(stage) or (only_leftovers and not self._counts(stage).exists()):
            return
        siblings = branches(stage, self.spec)
        if len(siblings) == 1:
            return
        runs = self._runs(siblings)
        passed = {run.stage.key: trunks(run, runs) for run in runs}
        missing = [run.stage.key for run in runs if not self.store.has(run.stage.key)]
        needed = {key for run in missing for key in self._nearest(passed[run])}
        for key in {trunk.key for each in passed.values() for trunk in each} - needed:
            if self.store.has(key):
                self.store.remove(key)
            if not missing:
                self.store.drop_states(key)
        if not missing:
            shutil.rmtree(self._counts(stage).parent, ignore_errors=True)

    def _nearest(self, passed: Sequence[TrunkStage]) -> list[str]:
        """Name the trunk that a run would begin at now."""
        return [trunk.key for trunk in passed if self.store.has(trunk.key)][-1:]

    def _counts(self, stage: TrainStage) -> Path:
        return self.store.progress_folder(lineage(stage)) / COUNTS

    def _runs(self, siblings: Sequence[TrainStage]) -> list[Run]:
        """Count the examples of runs, once for all processes."""
        path, known = self._counts(siblings[0]), {}
        with suppress(OSError, ValueError):
            known = json.loads(path.read_text())
        if any(each.key not in known for each in siblings):
            from xtr.stages.training import count_examples  # torch, which stored trunks do not need

            counts = count_examples(siblings, self.store, self.source)
            known |= {each.key: n for each, n in zip(siblings, counts, strict=True)}
            write_atomic(path, json.dumps(known, indent=1))
        return [Run(each, known[each.key]) for each in siblings]
