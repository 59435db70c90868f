"""This is where a sweep's data are made ready before anything is trained: `xtr data prepare`.

Revisions are locked, data and encoder downloaded, every split read and encoded once. Workers then only read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xtr.catalogue.lookup import find_task, training_task
from xtr.catalogue.task import Split, Task
from xtr.data.source import Source
from xtr.errors import InputError, Problem
from xtr.fingerprint import JSON
from xtr.model.encoder import Encoder, load_encoder
from xtr.spec.expressions import Member, parse_intermediate, parse_target, target_task
from xtr.spec.sweep import SweepSpec
from xtr.stages.encoding import Encoding, keep_encoded
from xtr.stages.path import Paths, evaluated_languages
from xtr.stages.preflight import evaluated_rows, left_out_rows, left_out_text, needed_rows
from xtr.stages.run import Runner
from xtr.stages.stage import Pretrained
from xtr.stages.training import check_length

Say = Callable[[str], None]
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Use:
    """A split as a stage reads it."""

    task: Task
    split: Split
    language: str
    max_length: int


def prepare_data(spec: SweepSpec, say: Say) -> dict[str, JSON]:
    """Lock, download and read what the sweep and its evaluation read, and encode it where that can be kept.

    Raises:
        InputError: all problems of all splits, after everything else has been prepared.
    """
    runner = Runner(spec)
    source = runner.source
    problems: list[Problem] = []
    splits: list[JSON] = []
    for task, split, language in dict.fromkeys((*needed_rows(spec, source), *evaluated_rows(spec, source))):
        try:
            rows, identity = source.rows(task, split, language), source.identity(task, split, language)
        except InputError as error:
            problems.extend(error.problems)
            continue
        say(f"{task.name} {split} {language}: {len(rows)} rows")
        place: dict[str, JSON] = {"task": task.name, "split": split, "language": language}
        splits.append({**place, "rows": len(rows), "identity": identity})
    if problems:
        raise InputError(dict.fromkeys(problems))
    document: dict[str, JSON] = {"schema_version": SCHEMA_VERSION, "splits": splits}
    document["left_out"] = list(left_out_rows(source))
    return {**document, **_encode(spec, runner, say)}


def prepared_text(document: Mapping[str, Any]) -> str:
    """Say what was done in a few lines."""
    encoded = document["encoded"]
    lines = [f"{len(document['splits'])} splits are ready, {encoded['splits']} of them encoded"]
    lines += [f"{encoded['new']} were new and took {encoded['seconds']:.1f} s"] if encoded["new"] else []
    lines += [left_out_text(document["left_out"])] if document["left_out"] else []
    return "\n".join(lines)


def _encode(spec: SweepSpec, runner: Runner, say: Say) -> dict[str, JSON]:
    """Encode every split with the sweep's tokenizer."""
    start = Paths(spec, runner.source).start
    name = runner.ensure_start(start)
    encoder = load_encoder(name, start.revision if isinstance(start, Pretrained) else None)
    for use in _uses(spec, runner.source, encoder):
        check_length(encoder, use.max_length, use.task.name)
    began, n_new = time.monotonic(), 0
    uses = dict.fromkeys(_uses(spec, runner.source, encoder))
    for use in uses:
        identity = runner.source.identity(use.task, use.split, use.language)
        encoding = Encoding(use.task, identity, start.key, use.max_length)
        rows = runner.source.rows(use.task, use.split, use.language)
        if keep_encoded(runner.root, encoding, rows, encoder.tokenizer):
            n_new += 1
            say(f"{use.task.name} {use.split} {use.language}: encoded at {use.max_length} tokens")
    return {
        "model": start.key,
        "encoded": {"splits": len(uses), "new": n_new, "seconds": round(time.monotonic() - began, 3)},
    }


def _uses(spec: SweepSpec, source: Source, encoder: Encoder) -> Iterator[Use]:
    """List the splits that are encoded, at the lengths that the sweep's settings give."""
    paths = Paths(spec, source)
    for text in spec.pairs.intermediate:
        for member in parse_intermediate(text).members:
            length = spec.stages.intermediate.resolved_for(member.task, {}).max_length
            yield from _training(paths, member, length)
    for text in spec.pairs.target:
        target, member = find_task(target_task(text)), parse_target(text)
        training = training_task(target)
        if training is None:
            continue
        length = spec.stages.target.resolved_for(training.name, {}).max_length
        yield from _training(paths, Member(training.name, member.languages), length)
        split = spec.stages.evaluate.split
        for language in evaluated_languages(spec, source, target, split):
            yield Use(target, split, language, min(length, encoder.max_length or length))


def _training(paths: Paths, member: Member, max_length: int) -> Iterator[Use]:
    for split, languages in paths.rows_read(member):
        for language in languages:
            yield Use(find_task(member.task), split, language, max_length)
