"""This is where scores in many languages are told by what the languages are like: family, script, resources.

    groups_of(["de", "nl", "tr", "sw"])[0]    -> Group("branch", "Germanic", ("de", "nl"))
    groups_text({"none": {...}, "mnli": {...}}, "en")

    members_of("low_resource", ["en", "de", "sw"], "en", [])        -> ("sw",)

Languages outside the catalogue, such as the demo world's, are in no group of the tables. The language that was
trained in stands apart: every gap is held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from xtr.analysis.tables import columns, percent
from xtr.catalogue.lookup import find_task
from xtr.catalogue.typology import FACTS, HIGH_RESOURCE, LOW_RESOURCE, Facts
from xtr.data.demo.world import LOW_RESOURCE as DEMO_LOW_RESOURCE
from xtr.data.demo.world import TARGET_LANGUAGES as DEMO_LANGUAGES
from xtr.spec.contrasts import LanguageGroup
from xtr.spec.expressions import parse_intermediate

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


def members_of(
    group: LanguageGroup | tuple[str, ...], scored: Iterable[str], source: str, arms: Sequence[Sequence[str]]
) -> tuple[str, ...]:
    """Tell which of the languages that were scored a contrast means.

    Args:
        arms: the intermediates that are compared, first those whose languages are `seen`.
    """
    scored = tuple(scored)
    if isinstance(group, tuple):
        return tuple(code for code in scored if code in group)
    others = [code for code in scored if code != source]
    first, trained = (_trained_in(each, source, scored) for each in (arms[:1], arms))
    wanted: dict[LanguageGroup, Container[str]] = {
        "source": {source},
        "all": {source, *others},
        "other": others,
        "seen": first - {source},
        "unseen": set(others) - trained,
        "low_resource": {*LOW_RESOURCE, *DEMO_LOW_RESOURCE} - {source},
        "high_resource": {*HIGH_RESOURCE, *DEMO_LANGUAGES} - {source, *DEMO_LOW_RESOURCE},
    }
    return tuple(code for code in scored if code in wanted[group])


def _trained_in(arms: Iterable[Sequence[str]], source: str, scored: Sequence[str]) -> set[str]:
    """List the languages that expressions name, or their tasks are trained in where they name none.

    What pools the languages at hand, such as masked language modelling, may have seen every language there is.
    """
    return {
        code
        for arm in arms
        for expression in arm
        for member in parse_intermediate(expression).members
        for code in member.languages or find_task(member.task).trained_in(source, scored)
    }
