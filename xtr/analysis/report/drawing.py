"""This is where figures are drawn: one look for all of them, and the same bytes for the same numbers.

    draw("rates", "Caption.", "What is seen.", (6.8, 3.0), paint)     -> Figure, as SVG and PNG

`paint` is given an empty canvas. Colours are those of Okabe and Ito, which colour-blind people tell apart; as
prints are often grey, each series has a marker and a line style of its own besides, and shades run from dark to
light.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from xtr.analysis.report.section import Figure

Line = Literal["-", "--", "-."] | tuple[float, tuple[float, ...]]
INK, FAINT = "#222222", "#c8c8c8"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
LINES: tuple[Line, ...] = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)))
DOTS_PER_INCH = 160
PIXELS_PER_INCH = 110
"""On the page, so that a figure's words are about as large as a table's."""
HANDLE, LETTER = 0.6, 0.072
"""Inches that a legend gives to a sign with the room around it, and to a letter."""
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "xtr",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True, slots=True)
class Look:
    """How a series is told from the others, in colour and without."""

    colour: str
    marker: str
    line: Line
    filled: bool = True

    @property
    def face(self) -> str:
        """What its markers are filled with."""
        return self.colour if self.filled else "none"


BASELINE = Look(INK, "o", (0, (4, 2)), filled=False)


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Give every name its look, by its place; `none` is always the black, hollow one."""
    others = [name for name in dict.fromkeys(names) if name != "none"]
    found = {
        name: Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], LINES[i % len(LINES)])
        for i, name in enumerate(others)
    }
    return found | {"none": BASELINE}


def draw(
    name: str, caption: str, alt: str, size: tuple[float, float], paint: Callable[[Canvas], None]
) -> Figure:
    """Draw a figure.

    Args:
        size: width and height in inches.
        paint: draws on the canvas that it is given.
    """
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=size, dpi=DOTS_PER_INCH)
        FigureCanvasAgg(canvas)
        paint(canvas)
        svg, png = io.StringIO(), io.BytesIO()
        # No date and no version of the library: the same numbers are the same files.
        canvas.savefig(png, format="png", metadata={"Software": None})
        canvas.set_layout_engine("none")  # all has its place by now
        canvas.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return Figure(name, caption, alt, svg.getvalue(), png.getvalue(), round(size[0] * PIXELS_PER_INCH))


def wrapped(title: str, width: float) -> str:
    """Break a title that is wider than so many inches, behind a blank or a sign of an expression."""
    lines = [""]
    for piece in re.findall(r"[^>+ ]*[>+ ]*", title):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width / LETTER:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def legend_columns(labels: Sequence[str], width: float) -> int:
    """Say how many columns of a legend fit into so many inches: four at most."""
    widest = HANDLE + LETTER * max(map(len, labels), default=0)
    return max(1, min(4, int(width / widest)))


def legend_above(canvas: Canvas, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Put one legend for all panels above them."""
    columns = legend_columns(labels, canvas.get_figwidth())
    canvas.legend(list(handles), list(labels), loc="outside upper left", ncols=columns)
