"""This is where scores in many languages are told by what the languages are like: family, script, resources.

    groups_of(["de", "nl", "tr", "sw"])[0]    -> Group("branch", "Germanic", ("de", "nl"))
    groups_text({"none": {...}, "mnli": {...}}, "en")

Languages outside the catalogue, such as the demo world's, are in no group. The language that was trained in stands
apart: every gap is held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from xtr.analysis.tables import columns, percent
from xtr.catalogue.typology import FACTS, Facts

FEWEST_LANGUAGES = 4
"""Fewer than these known languages are seen at a glance without groups."""


@dataclass(frozen=True, slots=True)
class Group:
    """Languages that are alike in one way."""

    by: str
    name: str
    languages: tuple[str, ...]


def _resources(facts: Facts) -> str:
    return ("low (0-2)", "middle (3)", "high (4-5)")[(facts.resources > 2) + (facts.resources > 3)]


GROUPINGS: Mapping[str, Callable[[Facts], str]] = {
    "branch": lambda facts: facts.branch,
    "script": lambda facts: facts.script,
    "resources": _resources,
    "in XLM-R": lambda facts: "seen" if facts.in_xlm_r else "unseen",
}
"""How languages are grouped; a family that has branches in the catalogue is told by branch."""


def groups_of(languages: Iterable[str]) -> list[Group]:
    """Group the languages that the catalogue knows, in each way, larger groups first."""
    known = [code for code in languages if code in FACTS]
    groups = []
    for by, name_of in GROUPINGS.items():
        members: dict[str, list[str]] = {}
        for code in known:
            members.setdefault(name_of(FACTS[code]), []).append(code)
        found = [Group(by, name, tuple(codes)) for name, codes in members.items()]
        groups += sorted(found, key=lambda group: (-len(group.languages), group.name))
    return groups


def groups_text(scores: Mapping[str, Mapping[str, float]], source: str) -> str:
    """Write the mean over each group after each intermediate task, and how far it lies behind the source language.

    Args:
        scores: by intermediate task, then by language, in [0, 1].

    Returns:
        Nothing where too few languages are known.
    """
    shared = set.intersection(*(set(each) for each in scores.values())) if scores else set()
    groups = groups_of(sorted(shared - {source}))
    if len(shared & FACTS.keys() - {source}) < FEWEST_LANGUAGES:
        return ""
    gaps = [f"gap {name}" for name in scores if source in shared]
    header = ("languages by", "", "n", *scores, *gaps)
    rows = []
    for i, group in enumerate(groups):
        means = {name: fmean(each[code] for code in group.languages) for name, each in scores.items()}
        behind = [percent(scores[name][source] - mean) for name, mean in means.items() if source in shared]
        by = group.by if i == 0 or groups[i - 1].by != group.by else ""
        rows.append((by, group.name, str(len(group.languages)), *map(percent, means.values()), *behind))
    return columns(header, rows)
