"""This is where the catalogue becomes plain text: its list, one task in full, and a row of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from xtr.analysis.tables import columns
from xtr.catalogue.published import PUBLISHED
from xtr.catalogue.task import Files, HubFiles, Split, Task
from xtr.data.official import OfficialSource

SPLITS: tuple[Split, ...] = get_args(Split)
_LONGEST = 300


def tasks_text(tasks: Sequence[Task]) -> str:
    """Write the catalogue, one line a task."""
    rows = [
        (
            task.name,
            task.family,
            "/".join(sorted(task.roles)),
            task.training_task or "-",
            task.metric,
            str(len(task.languages)),
            task.title,
        )
        for task in tasks
    ]
    return columns(("task", "family", "role", "trained on", "metric", "languages", "what it asks"), rows)


def task_text(task: Task) -> str:
    """Write one task in full."""
    facts = (
        ("family", task.family),
        ("role", ", ".join(sorted(task.roles))),
        ("trained on", task.training_task or "nothing"),
        ("metrics", ", ".join(task.metrics)),
        ("labels", _shortened(task.labels)),
        ("languages", " ".join(task.languages)),
        ("XTREME-R", f"and {' '.join(task.added_languages)}" if task.added_languages else "-"),
        ("select on", " ".join(task.select_languages) or "the language it is trained in"),
        ("rows", _sizes(task)),
        ("test rows", _by_language(task.n_test)),
        ("held out", f"{task.held_out:.0%} of the training rows select" if task.held_out else "-"),
        ("overlaps", "; ".join(task.overlaps) or "-"),
        ("notes", "; ".join(task.notes) or "-"),
        ("licence", task.licence or "not known to xtr; see the data's own page"),
        ("citation", task.citation or "-"),
    )
    return "\n".join(
        [
            f"{task.name}: {task.title}",
            *(f"  {name:<11}{value}" for name, value in facts),
            *_published(task),
            "files",
            *(line for split in SPLITS for line in _files(task, split)),
            "hub",
            *([line for split in SPLITS for line in _hub(split, task.hub.get(split))] or ["  -"]),
        ]
    )


def row_text(task: Task, root: Path) -> str:
    """Write the first row that is at hand below a folder of official data."""
    source = OfficialSource(root)
    order: tuple[Split, ...] = ("select", "dev", "train", "test")
    for split in order:
        for language in source.languages(task, split):
            row = source.rows(task, split, language)[0]
            fields = (f"  {name:<11}{_cut(value)}" for name, value in asdict(row).items())
            return "\n".join([f"first row of {split} {language}", *fields])
    return f"no file of {task.name} below {root}"


def _published(task: Task) -> list[str]:
    """Write what others reached, 0 to 100, and how sure the number is."""
    lines = []
    for each in PUBLISHED:
        number = each.score(task.name)
        if number is not None:
            value = (
                f"{number.value}"
                if number.exact_match is None
                else f"F1 {number.value}, EM {number.exact_match}"
            )
            lines.append(f"  {value} on {each.split}: {each.system} ({each.source}; {number.confidence})")
    return ["published", *lines] if lines else []


def _sizes(task: Task) -> str:
    counts = ((task.n_train, "for training"), (task.n_select, "to select on"))
    return ", ".join(f"{count:,} {what}" for count, what in counts if count) or "-"


def _by_language(sizes: Mapping[str, int]) -> str:
    """Group languages of equal size: `5,010 in ar bg de`."""
    groups: dict[int, list[str]] = {}
    for language, count in sizes.items():
        groups.setdefault(count, []).append(language)
    return "; ".join(f"{count:,} in {' '.join(codes)}" for count, codes in groups.items()) or "-"


def _files(task: Task, split: Split) -> Iterator[str]:
    layouts = task.layouts(split)
    if not layouts:
        yield f"  {split:<8}-"
    for number, layout in enumerate(layouts):
        yield f"  {'or' if number else split:<8}{_layout(task, layout)}"


def _layout(task: Task, layout: Files) -> str:
    paths = [
        path[1:] if path.startswith("/") else f"{task.folder}/{path}"
        for path in (layout.pattern, *layout.also)
    ]
    languages = f" ({' '.join(layout.languages)})" if layout.languages else ""
    return f"{' + '.join(paths)} [{layout.format}]{languages}"


def _hub(split: Split, files: HubFiles | None) -> Iterator[str]:
    name: str = split
    while files is not None:
        where = " ".join(filter(None, (files.dataset, files.config, files.split)))
        kept = f", rows whose {files.keep[0]} begins with {files.keep[1]}" if files.keep else ""
        languages = f" ({' '.join(files.languages)})" if files.languages else ""
        yield f"  {name:<8}{where} [{files.columns}]{kept}{languages}"
        name, files = "or", files.otherwise


def _shortened(labels: Sequence[str]) -> str:
    text = ", ".join(labels) or "-"
    return text if len(text) <= _LONGEST else f"{len(labels)}: {text[: _LONGEST - 20]} ..."


def _cut(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."
