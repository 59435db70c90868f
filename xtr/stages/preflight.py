"""This is where a sweep's data are read once before any work, so that every problem shows at once.

`sweeps/<name>/left-out.json` keeps what malformed rows were left out, where the user allowed that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split, Task
from xtr.data.source import Source
from xtr.errors import InputError, Problem
from xtr.fingerprint import JSON
from xtr.spec.expressions import Member, parse_intermediate, parse_target, target_task
from xtr.spec.sweep import SweepSpec
from xtr.stages.path import Paths, evaluated_languages
from xtr.storage import write_atomic

LEFT_OUT, SCHEMA_VERSION = "left-out.json", 1


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
        if _mixes_languages(spec, member.task):
            others = source.languages(find_task(member.task), "train")
            wanted |= dict.fromkeys((member.task, "train", language) for language in others)
    for target, member in targets:
        own = _own_rows(paths, target, member.languages)
        wanted |= dict.fromkeys((target.name, split, language) for split, language in own)
    for name, split, language in wanted:
        yield find_task(name), split, language


def _own_rows(paths: Paths, target: Task, languages: tuple[str, ...]) -> Iterator[tuple[Split, str]]:
    """List what a target's trials are scored on besides what is read of its training task."""
    if target.training_task is None:
        own = paths.source.languages(target, "select") or target.select_languages
        yield from (("select", language) for language in own)
    elif paths.spec.search.select_on == "oracle":
        (_, trained_in), _ = paths.rows_read(Member(target.training_task, languages))
        yield from (("dev", language) for language in paths.oracle_languages(target, trained_in))


def _mixes_languages(spec: SweepSpec, task: str) -> bool:
    stages = (spec.stages.intermediate, spec.stages.target)
    shares = [settings.resolved_for(task, {}).cross_lingual_share for settings in stages]
    return find_task(task).family == "ranking" and any(shares)


def evaluated_rows(spec: SweepSpec, source: Source) -> Iterator[tuple[Task, Split, str]]:
    """List what the winners are scored on: (task, split, language)."""
    split = spec.stages.evaluate.split
    for target in map(find_task, dict.fromkeys(target_task(text) for text in spec.pairs.target)):
        for language in evaluated_languages(spec, source, target, split):
            yield target, split, language
        if target.pool:
            for language in source.languages(target, "pool"):
                yield target, "pool", language


def left_out_rows(source: Source) -> list[dict[str, JSON]]:
    """Say how many malformed rows of which split were left out, and why, in JSON's terms."""
    return [
        {
            "task": task,
            "split": split,
            "language": language,
            "rows": len(each),
            "problems": [str(p) for p in each],
        }
        for (task, split, language), each in sorted(source.left_out().items())
    ]


def record_left_out(folder: Path, source: Source) -> None:
    """Keep with the sweep what was left out, besides what is known already."""
    new = left_out_rows(source)
    if not new:
        return
    known = {_place(each): each for each in (*read_left_out(folder), *new)}
    document = {"schema_version": SCHEMA_VERSION, "left_out": [known[place] for place in sorted(known)]}
    write_atomic(folder / LEFT_OUT, json.dumps(document, indent=1, ensure_ascii=False))


def read_left_out(folder: Path) -> list[dict[str, JSON]]:
    """Read what a sweep's data left out; nothing where they were well-formed."""
    try:
        rows: list[dict[str, JSON]] = json.loads((folder / LEFT_OUT).read_text(encoding="utf-8"))["left_out"]
    except FileNotFoundError:
        return []
    return rows


def left_out_text(rows: Iterable[dict[str, JSON]]) -> str:
    """Write one line a split."""
    return "\n".join(
        f"left out of {' '.join(_place(each))}: {each['rows']} malformed rows (data.skip_bad)"
        for each in rows
    )


def _place(row: dict[str, JSON]) -> tuple[str, str, str]:
    return str(row["task"]), str(row["split"]), str(row["language"])
