"""This is where a report is put together and written: one page, its figures and its tables.

    DIR/report.html              everything, in one file
    DIR/figures/NAME.svg|png     each figure, for a paper
    DIR/tables/NAME.csv|tex      each table, for a paper and for a program
    DIR/report.json              what was written

Written again, a report replaces the earlier one: files that it does not have any more are removed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from xtr.analysis.report.chains import chains
from xtr.analysis.report.claims import claims
from xtr.analysis.report.costs import costs
from xtr.analysis.report.files import table_csv, table_latex
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.head import head
from xtr.analysis.report.history import history
from xtr.analysis.report.languages import languages
from xtr.analysis.report.leaders import leaders
from xtr.analysis.report.page import page_html
from xtr.analysis.report.rates import rates
from xtr.analysis.report.scaling import scaling
from xtr.analysis.report.section import Section
from xtr.analysis.report.selection import selection
from xtr.errors import InputError, Problem
from xtr.fingerprint import JSON
from xtr.storage import write_atomic

SCHEMA_VERSION = 1
PAGE, LIST = "report.html", "report.json"
SECTIONS: tuple[Callable[[Gathered], Section | None], ...] = (
    head,
    leaders,
    claims,
    languages,
    chains,
    scaling,
    rates,
    history,
    costs,
    selection,
)
"""The page from top to bottom. A section is a function of what was gathered, None where it has no place;
a new one is entered here."""


def write_report(gathered: Gathered, folder: Path) -> dict[str, JSON]:
    """Write a report into a folder, and return what was written.

    Raises:
        InputError: the folder's name is that of a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(Problem("this is a file, not a folder", "--to", str(folder), "a folder, new or not"))
    sections = [section for make in SECTIONS if (section := make(gathered)) is not None]
    page = page_html(gathered.spec.name, gathered.date, sections)
    files = {PAGE: page.encode(), **_parts(sections)}
    document = _document(gathered, sections, files)
    for name in _written_before(folder) - files.keys():
        (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    write_atomic(folder / LIST, json.dumps(document, indent=1, ensure_ascii=False))
    return document


def _parts(sections: Sequence[Section]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for section in sections:
        for figure in section.figures:
            files[f"figures/{figure.name}.svg"] = figure.svg.encode()
            files[f"figures/{figure.name}.png"] = figure.png
        for table in (*section.tables, *section.kept_apart):
            files[f"tables/{table.name}.csv"] = table_csv(table).encode()
            files[f"tables/{table.name}.tex"] = table_latex(table).encode()
    return files


def _document(gathered: Gathered, sections: Sequence[Section], files: Mapping[str, bytes]) -> dict[str, JSON]:
    return {
        "schema_version": SCHEMA_VERSION,
        "sweep": gathered.spec.name,
        "page": PAGE,
        "page_bytes": len(files[PAGE]),
        "sections": [
            {"name": each.name, "title": each.title, "words": list(each.words), "unsaid": list(each.unsaid)}
            for each in sections
        ],
        "files": [*sorted(files)],
    }


def _written_before(folder: Path) -> set[str]:
    """List what an earlier report has written here, by its own list."""
    try:
        return set(json.loads((folder / LIST).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def written_files(document: Mapping[str, JSON]) -> list[str]:
    """List the files of a report, below its folder."""
    files = document["files"]
    assert isinstance(files, list)
    return [str(each) for each in files]


def written_text(document: Mapping[str, JSON], folder: Path) -> str:
    """Say what was written."""
    files = written_files(document)
    n_figures, n_tables = (sum(each.endswith(end) for each in files) for end in (".svg", ".csv"))
    size = int(str(document["page_bytes"])) / 1e6
    return f"wrote {folder / PAGE} ({size:.1f} MB), {n_figures} figures (SVG, PNG), {n_tables} tables (CSV, LaTeX)"
