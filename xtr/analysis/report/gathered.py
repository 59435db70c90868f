"""This is where all that a report stands on is gathered: trials, scores, winners, stages, what was spent.

    gathered = gather(spec, folder, importances={}, date="2026-11-20")
    gathered.standings[0].difference     -> Interval(mean=0.198, low=0.15, high=0.246, ...)

Sections read nothing themselves. A score that is not a finite number is left out here, and said so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean

from xtr.analysis.answers.leaderboard import Row, leaderboard, winners
from xtr.analysis.findings.verdicts import Finding, findings_of
from xtr.analysis.records.links import LinkRow, read_links
from xtr.analysis.records.openings import Opening, read_openings
from xtr.analysis.records.references import stage_keys
from xtr.analysis.records.results import results_of
from xtr.analysis.records.scores import ScoreRow, read_scores
from xtr.analysis.records.spending import Ended, Spent, read_ended, read_spent
from xtr.analysis.records.trials import TrialRow, Winner, read_trials
from xtr.analysis.report.standings import Scored, Standing, over_all_settings, standings_of
from xtr.catalogue.lookup import find_task
from xtr.spec.expressions import target_task
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.index import Entry, read_index
from xtr.stages.store import StageStore
from xtr.statistics.intervals import Interval, mean_interval, paired_differences

Importances = Mapping[Pair, Mapping[str, float]]
"""How much each dimension of a pair's search matters, as shares of 1; pairs with too few trials are left out."""


@dataclass(frozen=True)
class Gathered:
    """A sweep as a report sees it.

    Attributes:
        left_out: scores that are no finite numbers, and were left out.
        stages: what is stored of the stages that trials walked through, by key.
        openings: each time that a split was opened by an evaluation.
        links: scores after each link of the winners' chains, where they were asked for.
        date: of the report, as it is printed.
    """

    spec: SweepSpec
    trials: tuple[TrialRow, ...]
    scores: tuple[ScoreRow, ...]
    findings: tuple[Finding, ...] = ()
    importances: Importances = field(default_factory=dict)
    stages: Mapping[str, Entry] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    ended: Ended | None = None
    openings: tuple[Opening, ...] = ()
    links: tuple[LinkRow, ...] = ()
    left_out: int = 0
    date: str = ""

    @cached_property
    def winners(self) -> dict[Pair, Winner]:
        """Every pair's winner; pairs without a finished trial are left out."""
        return winners(self.spec, self.trials)

    @cached_property
    def leaders(self) -> list[Row]:
        """The leaderboard."""
        return leaderboard(self.spec, self.trials)

    @cached_property
    def standings(self) -> list[Standing]:
        """The leaderboard with intervals, in the same order."""
        return standings_of(self.spec.search, self.leaders, self.winners, self.trials)

    @property
    def is_design(self) -> bool:
        """Whether every setting was wanted, and not the best."""
        return self.spec.search.design is not None

    @cached_property
    def of_pair(self) -> dict[Pair, list[TrialRow]]:
        """Trials by pair, in the order of the sweep file; pairs without a trial have an empty list."""
        found: dict[Pair, list[TrialRow]] = {pair: [] for pair in self.spec.pairs.pairs()}
        for row in self.trials:
            found.setdefault(row.pair, []).append(row)
        return found

    def tried(self, pair: Pair) -> list[TrialRow]:
        """A pair's search trials; of a design, whose settings are all repeated, those of every seed."""
        phases = ("search", "confirm") if self.is_design else ("search",)
        return [row for row in self.of_pair.get(pair, ()) if row.phase in phases]

    def searched(self, pair: Pair) -> list[TrialRow]:
        """Those of them that have finished."""
        return [row for row in self.tried(pair) if row.value is not None]

    @cached_property
    def collapsed(self) -> list[TrialRow]:
        """Trials whose model has come to predict one class alone; curves leave them out."""
        return [row for row in self.trials if row.collapsed]

    @cached_property
    def scores_of_pair(self) -> dict[Pair, list[ScoreRow]]:
        """Scores in the targets' own metrics by pair, of all points of a design."""
        metrics = {target: self.metric(target) for target in self.targets}
        found: dict[Pair, list[ScoreRow]] = {}
        for row in self.scores:
            if row.metric == metrics.get(row.target):
                found.setdefault(row.pair, []).append(row)
        return found

    @cached_property
    def split(self) -> str | None:
        """The split whose scores are shown: the sweep's, or else one that was scored; None where none was."""
        scored = dict.fromkeys(row.split for row in self.scores)
        wanted = self.spec.stages.evaluate.split
        return wanted if wanted in scored else next(iter(scored), None)

    @cached_property
    def by_language(self) -> dict[Pair, dict[str, dict[int, float]]]:
        """What winners scored in their targets' own metric: by pair, language and seed, in [0, 1]."""
        found: dict[Pair, dict[str, dict[int, float]]] = {}
        for pair, rows in self.scores_of_pair.items():
            best = self.winners.get(pair)
            for row in rows:
                if best is None or row.split != self.split or row.settings not in ({}, best.params):
                    continue  # another point of a design
                found.setdefault(pair, {}).setdefault(row.language, {})[row.seed] = row.value
        return found

    def mean_in(self, pair: Pair, language: str) -> float | None:
        """A winner's mean over seeds in a language; None where it was not scored."""
        values = self.by_language.get(pair, {}).get(language)
        return sum(values.values()) / len(values) if values else None

    def gains(self, pair: Pair) -> dict[str, Interval]:
        """A winner minus the winner of `none`, by language, over the seeds that both have."""
        return self._gains.get(pair, {})

    @cached_property
    def _gains(self) -> dict[Pair, dict[str, Interval]]:
        found: dict[Pair, dict[str, Interval]] = {}
        for pair, ours in self.by_language.items():
            theirs = self.by_language.get(Pair("none", pair.target), {})
            pairs = {code: paired_differences(ours[code], theirs[code]) for code in ours if code in theirs}
            found[pair] = {code: mean_interval(list(each.values())) for code, each in pairs.items() if each}
        return found

    def brought(self, pair: Pair) -> dict[str, float]:
        """What a pair brings over `none`, by language: of its winner, in a design the mean over settings."""
        if not self.is_design:
            return {code: gain.mean for code, gain in self.gains(pair).items()}
        ours, theirs = self._points_by_language(pair), self._points_by_language(Pair("none", pair.target))
        found = {code: over_all_settings(ours[code], theirs[code]) for code in ours if code in theirs}
        return {code: fmean(each.values()) for code, each in found.items() if each}

    def _points_by_language(self, pair: Pair) -> dict[str, list[Scored]]:
        found: dict[str, list[Scored]] = {}
        for row in self.scores_of_pair.get(pair, ()):
            if row.split == self.split:
                found.setdefault(row.language, []).append((row.seed, row.settings, row.value))
        return found

    @property
    def targets(self) -> list[str]:
        """The targets, in the order of the sweep file."""
        return list(dict.fromkeys(self.spec.pairs.target))

    @property
    def intermediates(self) -> list[str]:
        """The intermediate tasks, `none` first."""
        names = dict.fromkeys(pair.intermediate for pair in self.spec.pairs.pairs())
        return sorted(names, key=lambda name: name != "none")

    def metric(self, target: str) -> str:
        """The metric that ranks a target's trials."""
        return find_task(target_task(target)).metric

    def ranked(self, target: str) -> list[Row]:
        """A target's pairs, best first."""
        return [row for row in self.leaders if row.target == target]


def gather(spec: SweepSpec, folder: Path, *, importances: Importances, date: str) -> Gathered:
    """Read a sweep's folder and the list of stored stages."""
    trials, scores = read_trials(folder), read_scores(folder)
    sound_trials = [row for row in trials if row.value is None or math.isfinite(row.value)]
    sound_scores = [row for row in scores if math.isfinite(row.value)]
    entries = read_index(StageStore(spec.storage.workplace())).entries
    asked = {key for row in trials for key in stage_keys(row)}
    return Gathered(
        spec=spec,
        trials=tuple(sound_trials),
        scores=tuple(sound_scores),
        findings=tuple(findings_of(spec, results_of(folder)) if spec.contrasts else ()),
        importances=importances,
        stages={key: entries[key] for key in sorted(asked & entries.keys())},
        spent=read_spent(folder),
        ended=read_ended(folder),
        openings=tuple(read_openings(folder)),
        links=tuple(row for row in read_links(folder) if math.isfinite(row.value)),
        left_out=len(trials) + len(scores) - len(sound_trials) - len(sound_scores),
        date=date,
    )
