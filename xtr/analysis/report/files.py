"""This is where a report's tables become CSV and LaTeX.

CSV holds values as they are, scores in [0, 1]; LaTeX (booktabs) holds what the page shows, ready for a paper.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from xtr.analysis.report.section import Cell, Column, Table

LONGEST = 40
"""Signs of a cell that stands on one line in LaTeX."""
_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "−": "$-$",
}


def table_csv(table: Table) -> str:
    """Write a table as CSV; what is missing is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    writer.writerows([_plain(cell) for cell in row] for row in table.rows)
    return text.getvalue()


def table_latex(table: Table) -> str:
    """Write a table as LaTeX, for `\\usepackage{booktabs}`."""
    shown = table.shown()
    sides = "".join(_side(column, [row[i] for row in shown]) for i, column in enumerate(table.columns))
    head = " & ".join(latex(column.name) for column in table.columns)
    lines = [" & ".join(map(_set, table.columns, row)) + r" \\" for row in shown]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex(table.caption.replace('`', ''))}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def is_text(column: Column) -> bool:
    """Say whether a column holds words, which stand to the left."""
    return column.kind == "text"


def _side(column: Column, cells: Sequence[str]) -> str:
    """Set numbers to the right, words to the left, sentences in lines."""
    if not is_text(column):
        return "r"
    return "l" if max(map(len, cells), default=0) <= LONGEST else r"p{0.25\textwidth}"


def _set(column: Column, cell: str) -> str:
    """Give a negative number a minus, where text would have a hyphen."""
    is_negative = not is_text(column) and cell[:1] == "-" and cell[1:2].isdigit()
    return "$-$" + latex(cell[1:]) if is_negative else latex(cell)


def latex(text: str) -> str:
    """Write text so that LaTeX sets it as it stands."""
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))


def _plain(cell: Cell) -> Cell:
    return "" if cell is None else f"{cell:.10g}" if isinstance(cell, float) else cell
