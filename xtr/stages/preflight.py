"""This is where a sweep's data are read once before any work, so that every problem shows at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xtr.catalogue.lookup import find_task, training_task
from xtr.catalogue.task import Split, Task
from xtr.data.source import Source
from xtr.errors import InputError, Problem
from xtr.spec.intermediate import parse_intermediate
from xtr.spec.sweep import SweepSpec
from xtr.stages.path import SOURCE_LANGUAGE


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
    targets = [find_task(name) for name in spec.pairs.target]
    links = {link for expression in spec.pairs.intermediate for link in parse_intermediate(expression)}
    trained = {task.name: task for task in map(training_task, targets) if task is not None}
    trained |= {name: find_task(name) for name in links}
    for task in trained.values():
        yield task, "train", SOURCE_LANGUAGE
        yield task, "select", SOURCE_LANGUAGE
    for target in targets:
        if target.training_task is None:
            languages = source.languages(target, "select") or target.select_languages
            for language in languages:
                yield target, "select", language
