"""This is where a sweep's data are read once before any work, so that every problem shows at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split, Task
from xtr.data.source import Source
from xtr.errors import InputError, Problem
from xtr.spec.expressions import Member, parse_intermediate, parse_target, target_task
from xtr.spec.sweep import SweepSpec
from xtr.stages.path import Paths


def check_data(spec: SweepSpec, source: Source) -> None:
    """Read every training and select row that the sweep needs.

    Raises:
        InputError: all problems of all files.
    """
    read_all(source, needed_rows(spec, source))


def read_all(source: Source, wanted: Iterable[tuple[Task, Split, str]]) -> None:
    """Read these splits, (task, split, language) each.

    Raises:
        InputError: all problems of all files.
    """
    problems: list[Problem] = []
    for task, split, language in wanted:
        try:
            source.rows(task, split, language)
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(dict.fromkeys(problems))


def needed_rows(spec: SweepSpec, source: Source) -> Iterator[tuple[Task, Split, str]]:
    """List what a search reads: (task, split, language), each once."""
    targets = [(find_task(target_task(text)), parse_target(text)) for text in spec.pairs.target]
    members = [member for text in spec.pairs.intermediate for member in parse_intermediate(text).members]
    for target, member in targets:
        if target.training_task is not None:
            members.append(Member(target.training_task, member.languages))
    paths = Paths(spec, source)
    wanted: dict[tuple[str, Split, str], None] = {}
    for member in members:
        for split, languages in paths.rows_read(member):
            wanted |= dict.fromkeys((member.task, split, language) for language in languages)
    for target, _ in targets:
        if target.training_task is None:
            languages = source.languages(target, "select") or target.select_languages
            wanted |= dict.fromkeys((target.name, "select", language) for language in languages)
    for name, split, language in wanted:
        yield find_task(name), split, language
