"""This is where a comparison of two answers is written, for a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from xtr.analysis.answers.compare import Side, TargetComparison
from xtr.analysis.tables import columns, percent
from xtr.catalogue.task import Split
from xtr.fingerprint import JSON
from xtr.spec.space import Value
from xtr.statistics.intervals import Interval

SCHEMA_VERSION = 2
"""1 had the items' p under `p`."""


def comparison_document(
    one: Side, other: Side, compared: Sequence[TargetComparison], split: Split
) -> dict[str, JSON]:
    """Write a comparison as JSON."""
    return {
        "schema_version": SCHEMA_VERSION,
        "one": one.name,
        "other": other.name,
        "split": split,
        "targets": [json.loads(json.dumps(asdict(each))) for each in compared],
    }


def comparison_text(one: Side, other: Side, compared: Sequence[TargetComparison]) -> str:
    """Write a comparison for a terminal: what differs, then a line a language."""
    caveats = [f"{side.name}: {each}" for side in (one, other) for each in side.caveat]
    return "\n\n".join([*caveats, *(_target_text(one, other, each) for each in compared)])


def _target_text(one: Side, other: Side, each: TargetComparison) -> str:
    lines = [f"{each.target} ({each.metric}, points): {one.name} minus {other.name}"]
    lines += [f"  after {each.intermediates[0]} and after {each.intermediates[1]}"]
    lines += [
        f"  {name}: {_setting(ours)} and {_setting(theirs)}" for name, (ours, theirs) in each.changed.items()
    ]
    header = ("language", one.name, other.name, "difference", "95 %", "p", "p (Holm)", "p (items)", "items")
    rows = [
        (
            language.language,
            percent(language.one),
            percent(language.other),
            percent(language.difference.mean, signed=True),
            _range(language.difference),
            *(_p(each) for each in (language.p, language.p_holm, language.p_items)),
            str(language.n_items),
        )
        for language in each.languages
    ]
    rows.append(("mean", "", "", percent(each.mean.mean, signed=True), _range(each.mean), *[""] * 4))
    table = columns(header, rows)
    return "\n".join([*lines, *(f"  {line}" for line in (*table.splitlines(), *_notes(each.mean.n_seeds)))])


def _notes(seeds: int) -> tuple[str, str]:
    """Say what the numbers stand on, and what each p is of."""
    if seeds == 1:
        return (
            "one seed: no interval can be given, and nothing is known of the luck of training",
            "p (items) is of these two checkpoints alone, after Holm: another seed may well turn it round",
        )
    return (
        f"over {seeds} seeds that both have; p is of the paired t test over them",
        "p (items) is of these checkpoints alone, after Holm: it takes a seed's luck for an effect",
    )


def _range(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "-"
    return f"{percent(interval.low, signed=True)} to {percent(interval.high, signed=True)}"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _setting(value: Value | None) -> str:
    return "-" if value is None else f"{value:g}"
