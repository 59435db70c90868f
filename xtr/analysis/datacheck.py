"""This is where data are looked at before they are used: `xtr data check`.

Counts against the catalogue, labels, lengths in tokens, duplicates, and rows that training and test share.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xtr.analysis.tables import columns
from xtr.catalogue.benchmarks import benchmark_languages
from xtr.catalogue.lookup import find_task, training_task
from xtr.catalogue.task import Split, Task
from xtr.data.rows import Candidate, ChoiceRow, MiningRow, PairRow, Row, SpanRow, TaggingRow, TextRow
from xtr.data.source import Source
from xtr.data.subsets import nested_subset
from xtr.errors import CorruptArtefact, InputError, Problem
from xtr.fingerprint import JSON, digest
from xtr.spec.expressions import parse_intermediate, target_task
from xtr.spec.sweep import SweepSpec
from xtr.stages.preflight import evaluated_rows, left_out_rows, needed_rows

SCHEMA_VERSION = 1
MEASURED_ROWS = 20_000
"""Rows of a split whose tokens are counted at most."""
MANY_CUT, MANY_TWICE = 0.1, 0.02
PERCENTILES = (50, 90, 99)
WHAT_HAPPENS = {"span": "windowed", "tagging": "split"}

Count = Callable[[Sequence[Row]], Sequence[int]]
Place = tuple[str, Split, str]


@dataclass(frozen=True, slots=True)
class Looked:
    """A split's rows as they are compared: its texts and, where they mean something, its ids."""

    texts: frozenset[str]
    ids: frozenset[str]
    identity: str


def check_data_of(spec: SweepSpec, source: Source, count: Count | None, note: str = "") -> dict[str, JSON]:
    """Look at every split of a sweep and of its evaluation.

    Args:
        spec: the sweep.
        source: its data.
        count: gives the length of rows in tokens; None where no tokenizer is at hand, as `note` says.

    Raises:
        InputError: all that is missing or malformed.
    """
    wanted = dict.fromkeys((*needed_rows(spec, source), *evaluated_rows(spec, source)))
    looked: dict[Place, Looked] = {}
    splits: list[dict[str, JSON]] = []
    problems: list[Problem] = []
    for task, split, language in wanted:
        try:
            rows = source.rows(task, split, language)
            place: Place = (task.name, split, language)
            splits.append({**_named(place), "identity": source.identity(task, split, language)})
        except InputError as error:
            problems.extend(error.problems)
            continue
        texts = [_text(row) for row in rows]
        looked[place] = Looked(frozenset(texts), _ids(rows), str(splits[-1]["identity"]))
        length = _max_length(spec, task, split)
        splits[-1] |= {
            "rows": len(rows),
            "expected": None if spec.data.source == "demo" else expected_rows(task, split, language),
            "duplicates": len(texts) - len(looked[place].texts),
            "labels": _labels(task, rows),
            "max_length": length,
            "tokens": None if count is None else _lengths(count, rows, length, place),
        }
    if problems:
        raise InputError(dict.fromkeys(problems))
    document: dict[str, JSON] = {"schema_version": SCHEMA_VERSION, "splits": list(splits)}
    overlaps, missing = list(_overlaps(looked)), list(_missing(spec, source))
    document |= {
        "overlaps": list(overlaps),
        "missing": list(missing),
        "left_out": list(left_out_rows(source)),
    }
    return document | {"note": note, "warnings": list(_warnings(splits, overlaps, missing))}


def expected_rows(task: Task, split: Split, language: str) -> int | None:
    """How many rows the catalogue says a split has; None where it does not, or where a part is held out."""
    known = {"train": task.n_train, "select": task.n_select, "dev": 0, "test": task.n_test.get(language, 0)}
    return None if task.held_out and split in ("train", "select") else known[split] or None


def check_text(document: Mapping[str, Any]) -> str:
    """Write the document as a table with its warnings."""
    table: list[tuple[str, ...]] = []
    for each in document["splits"]:
        tokens = each["tokens"] or {}
        shown = [str(tokens.get(name, "-")) for name in ("p50", "p90", "p99", "longest")]
        over = f"{tokens['over_fraction']:.1%} {tokens['what']}" if tokens else "-"
        labels = " ".join(f"{name} {share:.0%}" for name, share in list(each["labels"].items())[:3])
        more = f" +{len(each['labels']) - 3}" if len(each["labels"]) > 3 else ""
        name = f"{each['task']} {each['split']} {each['language']}"
        counts = [str(each["rows"]), str(each["expected"] or "-"), str(each["duplicates"])]
        table.append((name, *counts, *shown, over, labels + more))
    header = ("split", "rows", "expected", "duplicates", "p50", "p90", "p99", "longest", "over", "labels")
    lines = [columns(header, table)]
    lines += [f"note: {document['note']}"] if document["note"] else []
    lines += [f"warning: {warning}" for warning in document["warnings"]]
    n_left_out = sum(each["rows"] for each in document["left_out"])
    lines += [f"left out: {n_left_out} malformed rows (data.skip_bad)"] if n_left_out else []
    return "\n".join(lines)


def row_texts(row: Row) -> list[tuple[str, str]]:
    """Return the texts of a row as the encoder reads them: one pair, or one a choice."""
    match row:
        case PairRow():
            return [(row.first, row.second)]
        case ChoiceRow():
            return [(row.prompt, choice) for choice in row.choices]
        case SpanRow():
            return [(row.question, row.context)]
        case TaggingRow():
            return [(" ".join(row.words), "")]
        case TextRow() | MiningRow():
            return [(row.text, "")]
        case Candidate():
            return [(row.text, row.context or "")]
    return [(str(getattr(row, "query", row.id)), "")]


def _named(place: Place) -> dict[str, JSON]:
    return {"task": place[0], "split": place[1], "language": place[2]}


def _text(row: Row) -> str:
    """A row's text without what a copy may have changed: case, spacing, forms of a character."""
    joined = "\t".join(part for pair in row_texts(row) for part in pair) + str(getattr(row, "candidate", ""))
    plain = unicodedata.normalize("NFKC", joined).casefold()
    return digest(" ".join(plain.split()))[:24]


def _ids(rows: Sequence[Row]) -> frozenset[str]:
    """Ids that mean the same everywhere: those of questions."""
    return frozenset(row.id for row in rows if isinstance(row, SpanRow))


def _labels(task: Task, rows: Sequence[Row]) -> dict[str, JSON]:
    """The share of each label, commonest first; empty where there are none."""
    counts: Counter[str] = Counter()
    for row in rows:
        match row:
            case PairRow() | ChoiceRow():
                counts.update([] if row.label is None else [str(row.label)])
            case TaggingRow():
                counts.update(row.tags or ())
    total = counts.total()
    shares: dict[str, JSON] = {label: round(n / total, 4) for label, n in counts.most_common()}
    return shares | dict.fromkeys((label for label in task.labels if total and label not in counts), 0.0)


def _lengths(count: Count, rows: Sequence[Row], max_length: int, place: Place) -> dict[str, JSON]:
    chosen = sorted(nested_subset(len(rows), min(len(rows), MEASURED_ROWS), seed=0, task=" ".join(place)))
    lengths = sorted(count([rows[i] for i in chosen]))
    found: dict[str, JSON] = {
        f"p{percent}": lengths[min(len(lengths) - 1, len(lengths) * percent // 100)]
        for percent in PERCENTILES
    }
    over = sum(length > max_length for length in lengths) / len(lengths)
    what = WHAT_HAPPENS.get(find_task(place[0]).family, "cut")
    return {
        **found,
        "longest": lengths[-1],
        "over_fraction": round(over, 4),
        "what": what,
        "rows": len(chosen),
    }


def _max_length(spec: SweepSpec, task: Task, split: Split) -> int:
    """The longest input with which a stage reads a split; of several, the shortest."""
    stages = spec.stages
    trained = training_task(task)
    if trained is None:
        return stages.evaluate.retrieval_max_length
    links = {member.task for text in spec.pairs.intermediate for member in parse_intermediate(text).members}
    targets = {training_task(find_task(target_task(text))) for text in spec.pairs.target}
    lengths = [stages.target.resolved_for(trained.name, {}).max_length] if trained in targets else []
    if split in ("train", "select") and task.name in links:
        lengths.append(stages.intermediate.resolved_for(task.name, {}).max_length)
    return min(lengths)


def _overlaps(looked: Mapping[Place, Looked]) -> Iterator[dict[str, JSON]]:
    """Yield which rows that are trained or selected on are scored too."""
    seen = [place for place in looked if place[1] in ("train", "select")]
    scored = [place for place in looked if place[1] in ("dev", "test")]
    pairs = [(one, other) for one in seen for other in scored]
    pairs += [(one, other) for one in seen for other in seen if (one[1], other[1]) == ("train", "select")]
    for one, other in pairs:
        if looked[one].identity == looked[other].identity:  # XTREME's English dev is what a search selects on
            continue
        for by in ("texts", "ids"):
            n = len(getattr(looked[one], by) & getattr(looked[other], by))
            if n:
                yield {"seen": _named(one), "scored": _named(other), "by": by.removesuffix("s"), "rows": n}


def _missing(spec: SweepSpec, source: Source) -> Iterator[dict[str, JSON]]:
    """Yield languages that a benchmark counts and that are not at hand."""
    split = spec.stages.evaluate.split
    for target in map(find_task, dict.fromkeys(target_task(text) for text in spec.pairs.target)):
        at_hand = source.languages(target, split)
        counted = benchmark_languages(target, spec.stages.evaluate.benchmark) or target.languages
        absent = [language for language in counted if language not in at_hand]
        if absent and spec.data.source != "demo":
            yield {"task": target.name, "split": split, "languages": list(absent)}


def _warnings(
    splits: Iterable[Mapping[str, Any]],
    overlaps: Iterable[Mapping[str, Any]],
    missing: Iterable[Mapping[str, Any]],
) -> Iterator[str]:
    for each in splits:
        name = _name(each)
        if each["expected"] and each["expected"] != each["rows"]:
            yield f"{name} has {each['rows']} rows, the full set {each['expected']}"
        absent = [label for label, share in each["labels"].items() if share == 0]
        if absent and each["split"] in ("train", "select"):
            yield f"{name} has no row with {', '.join(absent)}"
        if each["duplicates"] > MANY_TWICE * each["rows"]:
            yield f"{name} has {each['duplicates']} of {each['rows']} rows twice"
        if each["tokens"] and each["tokens"]["over_fraction"] > MANY_CUT:
            share, what = each["tokens"]["over_fraction"], each["tokens"]["what"]
            yield f"{share:.0%} of {name} are {what} at {each['max_length']} tokens"
    for each in overlaps:
        yield f"{each['rows']} rows of {_name(each['scored'])} are in {_name(each['seen'])} by {each['by']}"
    for each in missing:
        yield f"{each['task']} {each['split']} is missing in {', '.join(each['languages'])}"


def _name(place: Mapping[str, Any]) -> str:
    return f"{place['task']} {place['split']} {place['language']}"


def token_counter(spec: SweepSpec, source: Source) -> tuple[Count | None, str]:
    """Return what counts a row's tokens, or None and why there is nothing."""
    from xtr.model.encoder import load_tokenizer
    from xtr.stages.path import Paths
    from xtr.stages.stage import Pretrained
    from xtr.stages.store import StageStore
    from xtr.stages.work import lock_model

    try:
        lock_model(spec)
        start = Paths(spec, source).start
        if isinstance(start, Pretrained):
            tokenizer = load_tokenizer(start.name, start.revision)
        else:
            store = StageStore(spec.storage.workplace())
            tokenizer = load_tokenizer(str(store.checked(start.key) / "encoder"))
    except (InputError, CorruptArtefact):
        return None, f"no tokenizer of {spec.model.name} is at hand, so lengths are not counted"

    def count(rows: Sequence[Row]) -> list[int]:
        texts = [row_texts(row) for row in rows]
        pairs = [pair for each in texts for pair in each]
        two = any(second for _, second in pairs)
        seconds = [second for _, second in pairs] if two else None
        encoded = tokenizer([first for first, _ in pairs], seconds, truncation=False, padding=False)
        lengths = iter([len(ids) for ids in encoded["input_ids"]])
        return [max(next(lengths) for _ in each) for each in texts]

    return count, ""
