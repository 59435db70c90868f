"""This is where a report becomes one HTML page that needs nothing else: styles and figures stand in it.

Figures are SVG pictures, each with words for who does not see it; tables scroll sideways on a narrow screen. No
script runs and nothing is loaded, so the page reads the same in ten years, offline, and on paper.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape

from xtr.analysis.report.files import is_text
from xtr.analysis.report.section import Figure, Section, Table

MOST_ROWS = 120
"""Rows of a table that the page shows; its file has all."""
LONG = 24
"""Signs from which on a cell holds a sentence, and is given room."""
LARGEST_SVG = 150_000
"""Bytes; a figure that takes more as SVG stands in the page as PNG."""

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.2rem 4rem; max-width: 60rem; background: #fff; color: #1c1c1c;
  font: 16px/1.55 Georgia, "DejaVu Serif", "Times New Roman", serif; }
h1, h2, th, nav, figcaption, caption, .kind { font-family: system-ui, "DejaVu Sans", Verdana, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .2rem 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.8rem 0 .6rem; padding-top: .7rem; border-top: 2px solid #1c1c1c; }
p { margin: .5rem 0; max-width: 46rem; }
.kind { color: #555; font-size: .85rem; margin: 0; }
.question { font-size: 1.12rem; font-style: italic; }
nav { font-size: .85rem; margin: 1rem 0 0; line-height: 1.9; }
nav a { color: #1c1c1c; margin-right: 1.1rem; white-space: nowrap; }
code { font: .88em ui-monospace, "DejaVu Sans Mono", Menlo, monospace; background: #f3f3f3; padding: .05em .25em; }
.wide { overflow-x: auto; margin: 1.1rem 0; }
table { border-collapse: collapse; font: .82rem/1.35 system-ui, "DejaVu Sans", Verdana, sans-serif;
  font-variant-numeric: tabular-nums; border-bottom: 1.5px solid #1c1c1c; }
caption { caption-side: top; text-align: left; font-size: .82rem; color: #333; padding-bottom: .4rem; }
th { border-top: 1.5px solid #1c1c1c; border-bottom: 1px solid #1c1c1c; font-weight: 600; vertical-align: bottom; }
th, td { padding: .22rem .65rem .22rem 0; text-align: left; }
td:not(:first-child), th:not(:first-child) { padding-left: .3rem; }
td { white-space: nowrap; }
.n { text-align: right; }
td.long { min-width: 11rem; white-space: normal; }
tr.new td { border-top: 1px solid #d0d0d0; }
figure { margin: 1.4rem 0; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .82rem; color: #333; max-width: 46rem; margin-top: .3rem; }
.unsaid { border-left: 4px solid #1c1c1c; padding: .1rem 0 .1rem .9rem; margin: 1rem 0; }
.unsaid p:first-child { font-weight: bold; }
footer { margin-top: 3rem; border-top: 1px solid #999; font-size: .82rem; color: #444; }
@media (max-width: 40rem) {
  body { padding: 1.2rem .9rem 3rem; font-size: 15px; }
  figure img { max-width: none; min-width: 34rem; }
  figure img.small { min-width: 0; max-width: 100%; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav { display: none; }
  figure, tr, .unsaid { break-inside: avoid; }
  h2, caption { break-after: avoid; }
  .wide { overflow: visible; }
  table { font-size: 8pt; }
}
"""


def page_html(title: str, date: str, sections: Sequence[Section]) -> str:
    """Write the page."""
    links = "\n".join(f'<a href="#{each.name}">{escape(each.title)}</a>' for each in sections[1:])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}: report</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<p class="kind">xtr report, {escape(date)}</p>
<h1>{escape(title)}</h1>
<nav>{links}</nav>
</header>
<main>
{"".join(_section(each) for each in sections)}
</main>
<footer>
<p>Scores are points of 100. Tables are beside this page as CSV and LaTeX, figures as SVG and PNG.</p>
</footer>
</body>
</html>
"""


def _section(section: Section) -> str:
    parts = [
        *(f"<p>{prose(each)}</p>" for each in section.words),
        *(_unsaid(section.unsaid) if section.unsaid else ()),
        *map(_figure, section.figures),
        *map(_table, section.tables),
    ]
    body = "\n".join(parts)
    return f'<section id="{section.name}">\n<h2>{escape(section.title)}</h2>\n{body}\n</section>\n'


def _unsaid(sentences: Iterable[str]) -> Iterable[str]:
    told = "\n".join(f"<p>{prose(each)}</p>" for each in sentences)
    yield f'<div class="unsaid"><p>What cannot be concluded here</p>\n{told}</div>'


def _figure(figure: Figure) -> str:
    svg = figure.svg.encode()
    kind, content = ("svg+xml", svg) if len(svg) <= LARGEST_SVG else ("png", figure.png)
    data = base64.b64encode(content).decode()
    return (
        f'<figure><div class="wide"><img src="data:image/{kind};base64,{data}" alt="{escape(figure.alt)}"'
        f' width="{figure.width}"{" class=small" if figure.width < 550 else ""}></div>\n'
        f"<figcaption>{prose(figure.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    sides = ["" if is_text(column) else ' class="n"' for column in table.columns]
    head = "".join(f"<th{side}>{escape(c.name)}</th>" for side, c in zip(sides, table.columns, strict=True))
    rows, before = list[str](), ""
    for cells in table.shown()[:MOST_ROWS]:
        told = "".join(_cell(cell, side) for side, cell in zip(sides, cells, strict=True))
        rows.append(f"<tr{' class=new' if rows and cells[0] != before else ''}>{told}</tr>")
        before = cells[0]
    rest = len(table.rows) - MOST_ROWS
    more = f" {rest:,} more rows stand in tables/{table.name}.csv." if rest > 0 else ""
    caption = f"<caption>{prose(table.caption)}{more}</caption>"
    return (
        f'<div class="wide"><table>{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table></div>"
    )


def _cell(cell: str, side: str) -> str:
    return f"<td{side or (' class=long' if len(cell) > LONG else '')}>{escape(cell)}</td>"


def prose(text: str) -> str:
    """Write words as HTML: `code` and *emphasis* as they are meant."""
    told = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", told)
