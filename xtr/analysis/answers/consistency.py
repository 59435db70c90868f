"""This is where it is told whether a target's languages agree with the source language, right or wrong: RankC.

    agreements(store, score_rows, "en")    -> [Agreement("mnli", "xnli", 1, "sw", 0.71, 5010), ...]

Two languages may have one accuracy and yet answer other items right. Where the items are the same in all
languages and their candidates are ranked (XNLI, PAWS-X, XCOPA), the rankings that evaluations keep are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from xtr.analysis.records.scores import ScoreRow
from xtr.analysis.tables import columns, percent
from xtr.catalogue.lookup import find_task
from xtr.metrics.consistency import rank_consistency
from xtr.stages.scoring import read_rankings
from xtr.stages.store import StageStore


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike one language ranks the candidates of `n` items as the source language does.

    Attributes:
        value: RankC, in [0, 1].
    """

    intermediate: str
    target: str
    seed: int
    language: str
    value: float
    n: int


def agreements(store: StageStore, rows: Sequence[ScoreRow], source: str) -> list[Agreement]:
    """Compare every winner's languages with the source language, seed by seed.

    A winner is left out where it was not scored in the source language, or before rankings were kept; a language,
    where its items are others.
    """
    stages: dict[tuple[str, str, int], dict[str, str]] = {}
    for row in rows:
        if find_task(row.pair.target_task).parallel:
            stages.setdefault((row.intermediate, row.target, row.seed), {})[row.language] = row.stage
    found = []
    for winner, by_language in stages.items():
        of_source = read_rankings(store, by_language[source]) if source in by_language else {}
        for language, key in by_language.items() if of_source else ():
            rankings = read_rankings(store, key)
            if language != source and rankings.keys() == of_source.keys():
                value = rank_consistency([of_source[item] for item in rankings], list(rankings.values()))
                found.append(Agreement(*winner, language, value, len(rankings)))
    return found


def agreements_text(found: Sequence[Agreement], target: str, source: str) -> str:
    """Write one line an intermediate: RankC with the source language by language, 0 to 100, and the mean."""
    values: dict[str, dict[str, list[float]]] = {}
    for each in found:
        if each.target == target:
            values.setdefault(each.intermediate, {}).setdefault(each.language, []).append(each.value)
    if not values:
        return ""
    languages = list(dict.fromkeys(language for each in values.values() for language in each))
    lines = []
    for intermediate, by_language in values.items():
        means = {language: fmean(each) for language, each in by_language.items()}
        cells = [percent(means.get(language)) for language in languages]
        lines.append((intermediate, *cells, percent(fmean(means.values()))))
    return f"{target}: RankC with {source} on the same items\n{columns(('after', *languages, 'mean'), lines)}"
