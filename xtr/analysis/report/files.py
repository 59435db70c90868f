"""This is where a report's tables become CSV and LaTeX.

CSV holds values as they are, scores in [0, 1]; LaTeX (booktabs) holds what the page shows, ready for a paper.
"""

from __future__ import annotations

import csv
import io

from xtr.analysis.report.section import Cell, Column, Table

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
    sides = "".join("l" if is_text(column) else "r" for column in table.columns)
    head = " & ".join(latex(column.name) for column in table.columns)
    lines = [" & ".join(map(latex, row)) + r" \\" for row in table.shown()]
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


def latex(text: str) -> str:
    """Write text so that LaTeX sets it as it stands."""
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))


def _plain(cell: Cell) -> Cell:
    return "" if cell is None else f"{cell:.10g}" if isinstance(cell, float) else cell
