"""This is where the store is shown: its stages as a table, one stage in words, and what may be removed."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict

from xtr.analysis.records.references import References
from xtr.analysis.tables import columns, percent
from xtr.analysis.upkeep.care import Leftover
from xtr.analysis.upkeep.recipes import parts_of
from xtr.fingerprint import JSON
from xtr.stages.index import Entry, Index
from xtr.stages.store import Manifest, StageStore

SHORT, WIDTH, SHOWN = 8, 100, 20
ENCODER, NO_BREAK = "encoder", "\u00a0"


def size_text(n_bytes: float) -> str:
    """Write bytes as people do: `812 B`, `1.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def stages_text(entries: Sequence[Entry], index: Index, references: References, kept: Collection[str]) -> str:
    """List stages, and sum them up."""
    if not entries:
        n = len(index.entries)
        return f"none of the {n} stages" if n else "no stage is finished yet below this root"
    header = ("key", "kind", "task", "parent", "steps", "tokens", "seconds", "size", "used by")
    rows = [
        (
            entry.key[:SHORT],
            entry.kind,
            cut(task_text(entry), 24),
            short_parent(entry.parent),
            str(entry.steps or ""),
            f"{entry.tokens:,}" if entry.tokens else "",
            f"{entry.seconds:.1f}",
            size_text(entry.bytes),
            cut(used_by(entry, index, references, kept), 30),
        )
        for entry in entries
    ]
    lines = [columns(header, rows), "", _total(entries), *_computed_on(entries)]
    if index.unreadable:
        lines.append(f"{len(index.unreadable)} stages cannot be read; which: xtr store verify")
    return "\n".join(lines)


def stages_document(
    entries: Sequence[Entry], index: Index, references: References, kept: Collection[str]
) -> dict[str, JSON]:
    """Return the list of stages as a JSON document."""
    rows: list[JSON] = [
        {
            **asdict(entry),
            "needs": list(entry.needs),
            "used_by": list(references.of(entry.key)),
            "kept": entry.key in kept,
        }
        for entry in entries
    ]
    return {
        "schema_version": 1,
        "stages": rows,
        "bytes": sum(entry.bytes for entry in entries),
        "unreadable": list(index.unreadable),
    }


def used_by(entry: Entry, index: Index, references: References, kept: Collection[str]) -> str:
    """Say in a few words who needs a stage; a dash for nobody."""
    named = references.holders.get(entry.key)
    if named:
        return ", ".join(named)
    return f"{len(index.children(entry.key))} stages" if entry.key in kept else "-"


def task_text(entry: Entry) -> str:
    """Say what a stage works on: `tydiqa test sw`."""
    return " ".join(word for word in (entry.task, entry.split, entry.language) if word)


def short_parent(parent: str) -> str:
    """Shorten a parent's key; an encoder from elsewhere keeps the beginning of its name."""
    return cut(parent, 20) if parent.startswith("model:") else parent[:SHORT]


def stage_text(
    store: StageStore, manifest: Manifest, index: Index, references: References, kept: Collection[str]
) -> str:
    """Tell one stage in words: what it is, what it came to, how it was made, who needs it, where it lies."""
    entry = index.entries[manifest.key]
    chain = [f"{each.kind} {each.task}".strip() + f" ({each.key[:SHORT]})" for each in index.chain(entry.key)]
    first = index.chain(entry.key)[-1].parent
    told = {
        "stage": f"{entry.key}: {entry.kind} {task_text(entry)}".rstrip(),
        "settings": ", ".join(f"{path}{NO_BREAK}{value}" for path, value in _settings(manifest)),
        "chain": " -> ".join([*([first] if first else []), *reversed(chain)]),
        "result": _result_text(manifest),
        "made": _made_text(manifest, entry),
        "size": f"{size_text(entry.bytes)} in {len(manifest.files)} files, below {store.folder(entry.key)}",
        "used by": ", ".join(references.of(entry.key)) or ("nobody" if entry.key not in kept else ""),
        "needed by": _children_text(index.children(entry.key)),
    }
    if (place := encoder_folder(store, manifest)) is not None:
        told["load it"] = f'from_pretrained("{place}")'
    lines = [_paragraph(name, text) for name, text in told.items() if text]
    files = [
        (name, f"{manifest.sizes.get(name, 0):,}", sha[:16]) for name, sha in sorted(manifest.files.items())
    ]
    tables = [_epochs_table(manifest), columns(("file", "bytes", "SHA-256"), files) if files else ""]
    return "\n\n".join(["\n".join(lines), *(table for table in tables if table)])


def stage_document(
    store: StageStore, manifest: Manifest, index: Index, references: References, kept: Collection[str]
) -> dict[str, JSON]:
    """Return one stage as a JSON document: its manifest, and how it stands among the others."""
    chain = [each.key for each in index.chain(manifest.key)]
    return {
        **asdict(manifest),
        "chain": [*chain],
        "used_by": [*references.of(manifest.key)],
        "needed_by": [each.key for each in index.children(manifest.key)],
        "kept": manifest.key in kept,
        "folder": str(store.folder(manifest.key)),
        "encoder": encoder_folder(store, manifest),
    }


def encoder_folder(store: StageStore, manifest: Manifest) -> str | None:
    """Say where `from_pretrained` finds a stage's encoder; None where it has none."""
    has = f"{ENCODER}/config.json" in manifest.files
    return str(store.folder(manifest.key) / ENCODER) if has else None


def leftovers_text(found: Sequence[Leftover], index: Index, *, removed: bool) -> str:
    """List what may be removed, or has been, and why; a long list is cut."""
    if not found:
        return f"nothing to remove: all {len(index.entries)} stages are needed"
    biggest = sorted(found, key=lambda each: -each.bytes)[:SHOWN]
    rows = [(each.kind, each.key[:SHORT], size_text(each.bytes), each.why) for each in biggest]
    lines = [columns(("what", "key", "size", "why"), rows)]
    if len(found) > SHOWN:
        lines.append(f"... and {len(found) - SHOWN} smaller ones; --json lists all")
    counts = Counter(each.kind for each in found)
    kinds = ", ".join(f"{n} {kind}{'s' * (n > 1 and kind != 'quarantine')}" for kind, n in counts.items())
    size = size_text(sum(each.bytes for each in found))
    n_kept = len(index.entries) - counts["stage"]
    verb = "removed" if removed else "may go"
    return "\n".join([*lines, "", f"{verb}: {kinds}, {size}; kept: {n_kept} stages"])


def leftovers_document(found: Sequence[Leftover], index: Index, *, removed: bool) -> dict[str, JSON]:
    """Return what may be removed, or has been, as a JSON document."""
    rows: list[JSON] = [
        {"what": each.kind, "key": each.key, "name": each.name, "bytes": each.bytes, "why": each.why}
        for each in found
    ]
    return {
        "schema_version": 1,
        "removed": removed,
        "leftovers": rows,
        "bytes": sum(each.bytes for each in found),
        "kept_stages": len(index.entries) - sum(each.kind == "stage" for each in found),
    }


def _settings(manifest: Manifest) -> list[tuple[str, str]]:
    """List a recipe without what is told elsewhere: kind, version, parent, and the data's identities."""
    told = ("kind", "version", "parent", "task", "split", "language", "calibration", "pool")
    return [
        (path, value.strip('"'))
        for path, value in parts_of({k: v for k, v in manifest.recipe.items() if k not in told})
        if "data" not in path.split(".")[-1]
    ]


def _result_text(manifest: Manifest) -> str:
    result = manifest.result
    scores = result.get("scores")
    told = [
        f"{value:,} {name}"
        for name in ("steps", "tokens")
        if isinstance(value := result.get(name), (int, float))
    ]
    if isinstance(scores, dict):
        told += [f"{name} {_score(value)}" for name, value in scores.items()]
    if isinstance(result.get("n"), int):
        told.append(f"{result['n']:,} rows")
    return ", ".join(told)


def _made_text(manifest: Manifest, entry: Entry) -> str:
    made = manifest.made
    when = entry.at[:19].replace("T", " ") + " UTC" if entry.at else ""
    workers = f"{entry.workers} worker{'s' * (entry.workers > 1)}"
    versions = [f"{name} {made[name]}" for name in ("torch", "transformers", "python") if name in made]
    told = (when, f"in {entry.seconds:.1f} s", f"on {entry.device}, {workers}", entry.hardware, *versions)
    return ", ".join(each for each in told if each)


def _epochs_table(manifest: Manifest) -> str:
    epochs = [each for each in _list(manifest.result.get("epochs")) if isinstance(each, dict)]
    metrics = list(dict.fromkeys(name for each in epochs for name in _dict(each.get("scores"))))
    rows = [
        (
            str(each.get("epoch", "")),
            f"{float(str(each.get('loss', 'nan'))):.4f}",
            *(_score(_dict(each.get("scores")).get(metric)) for metric in metrics),
        )
        for each in epochs
    ]
    return columns(("epoch", "loss", *metrics), rows) if rows else ""


def _children_text(children: Sequence[Entry]) -> str:
    if not children:
        return ""
    shown = ", ".join(f"{each.kind} {task_text(each)} ({each.key[:SHORT]})" for each in children[:4])
    more = f" and {len(children) - 4} more" if len(children) > 4 else ""
    return f"{shown}{more}"


def _total(entries: Sequence[Entry]) -> str:
    counts = Counter(entry.kind for entry in entries)
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))
    seconds, tokens = sum(entry.seconds for entry in entries), sum(entry.tokens for entry in entries)
    size = size_text(sum(entry.bytes for entry in entries))
    return f"{len(entries)} stages ({kinds}), {size}, {tokens:,} tokens, {seconds:,.0f} s"


def _computed_on(entries: Iterable[Entry]) -> list[str]:
    """Sum up by hardware, which would make the table's lines too long."""
    seconds: Counter[str] = Counter()
    for entry in entries:
        seconds[entry.hardware or entry.device or "unknown"] += entry.seconds  # type: ignore[assignment]
    return [f"computed on {name}: {spent:,.0f} s" for name, spent in seconds.items()]


def _paragraph(name: str, text: str) -> str:
    indent = " " * 11
    first = f"{name:<11}"
    wrapped = textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped.replace(NO_BREAK, " ")


def _score(value: JSON) -> str:
    return percent(float(value)) if isinstance(value, (int, float)) else "-"


def cut(text: str, width: int) -> str:
    """Shorten a text that is too long for its column."""
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []


def _dict(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}
