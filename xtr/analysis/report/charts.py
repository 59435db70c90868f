"""This is where the kinds of charts stand that sections draw: a map of numbers, dots by name, panels of curves.

    heat_map(about, ["squad_v1"], ["tydiqa"], {("squad_v1", "tydiqa"): 0.198})
    dots(about, ["de", "sw"], [Dots("none", {"de": 0.31, "sw": 0.24})], "F1")
    panels(about, [Panel("tydiqa", (Series("squad_v1", xs, ys),))], x="rate", y="score")

Values are drawn as they come; who calls has made points of shares.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from xtr.analysis.report.drawing import (
    FAINT,
    INK,
    Line,
    Look,
    draw,
    legend_above,
    legend_columns,
    looks,
    wrapped,
)
from xtr.analysis.report.section import Figure, shown

MANY = 40
"""Points of a series from which on their markers are small, and on a line only some of them are marked."""
MOST_APART = 8
"""Rows of dots up to which series that coincide are set a little apart."""
WIDTH = 7.2
"""Inches: what a page of the report takes without scaling."""
AXIS, LINE = 0.35, 0.15
"""Inches that the numbers beside a small chart take, and a further line of its title."""


@dataclass(frozen=True, slots=True)
class About:
    """What a figure is called, what it shows, and what is seen in it.

    Attributes:
        order: names of all series of a report, so that each looks the same in every figure.
    """

    name: str
    caption: str
    alt: str
    order: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Dots:
    """A series over names: a value each, with an interval where there is one."""

    name: str
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """A series over numbers.

    Attributes:
        joined: whether its points are joined by a line.
        curve: points of a fitted curve, drawn instead of joining.
        band: x, low and high of what surrounds the curve.
        marked: an x and a y that stand out, such as the best.
        ends: x, low and high of points that have an interval.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    joined: bool = True
    curve: Sequence[tuple[float, float]] = ()
    band: Sequence[tuple[float, float, float]] = ()
    marked: tuple[float, float] | None = None
    ends: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """One of several small charts that share their axes' meaning.

    Attributes:
        upright: an x where a line stands, such as where two curves meet.
        between: the interval of that x.
    """

    title: str
    series: tuple[Series, ...]
    upright: float | None = None
    between: tuple[float, float] | None = None


def heat_map(
    about: About,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Mapping[tuple[str, str], float],
    strong: Collection[tuple[str, str]] = (),
) -> Figure:
    """Draw a map of numbers, each written in its cell, the lighter the higher; what is missing stays white.

    Args:
        values: by (row, column).
        strong: cells whose number is printed bold.
    """
    height = 0.5 + 0.32 * len(rows) + 0.055 * max(map(len, columns))
    scale = Normalize(min(values.values()), max(values.values()) + 1e-9)
    shades = colormaps["cividis"]

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.grid(visible=False)
        for side in axes.spines.values():
            side.set_visible(False)
        for (row, column), value in values.items():
            x, y = columns.index(column), rows.index(row)
            shade = shades(0.08 + 0.88 * float(scale(value)))
            axes.fill([x - 0.5, x + 0.5, x + 0.5, x - 0.5], [y - 0.5, y - 0.5, y + 0.5, y + 0.5], color=shade)
            dark = 0.3 * shade[0] + 0.59 * shade[1] + 0.11 * shade[2] < 0.5
            weight = "bold" if (row, column) in strong else "normal"
            ink = "white" if dark else "black"
            axes.text(
                x, y, shown(value / 100, "signed"), color=ink, ha="center", va="center", fontweight=weight
            )
        _name_cells(axes, rows, columns)

    return draw(about.name, about.caption, about.alt, (min(WIDTH, 2.2 + 0.75 * len(columns)), height), paint)


def dots(
    about: About,
    names: Sequence[str],
    series: Sequence[Dots],
    x: str,
    breaks: Sequence[int] = (),
    *,
    nought: bool = False,
) -> Figure:
    """Draw a row a name, a marker a series; of two series that belong together the distance is what counts.

    Args:
        breaks: rows above which a line parts groups of names.
        nought: whether a line marks 0.
    """
    height = 0.75 + 0.19 * max(len(names), 3) + _legend_height([each.name for each in series], WIDTH)
    look_of = looks([*about.order, *(each.name for each in series)])
    apart = len(names) <= MOST_APART or any(each.intervals for each in series)

    def paint(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        for i, each in enumerate(series):
            look = look_of[each.name]
            offset = 0.4 * (i + 0.5) / len(series) - 0.2 if apart else 0.0
            rows = [(names.index(name) + offset, value) for name, value in each.values.items()]
            for name, (low, high) in each.intervals.items():
                y = names.index(name) + offset
                axes.plot([low, high], [y, y], color=look.colour, linewidth=1.1, zorder=2)
            _mark(axes, [value for _, value in rows], [y for y, _ in rows], look, each.name)
        for row in breaks:
            axes.axhline(row - 0.5, color=FAINT, linewidth=0.8)
        if nought:
            axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlabel(x)
        if len(series) > 1:
            legend_above(canvas, *axes.get_legend_handles_labels())

    return draw(about.name, about.caption, about.alt, (WIDTH, height), paint)


def panels(about: About, drawn: Sequence[Panel], *, x: str, y: str, log: bool = False) -> Figure:
    """Draw small charts beside each other, up to three in a row, with one legend for all."""
    across = min(3, len(drawn))
    down = math.ceil(len(drawn) / across)
    names = list(dict.fromkeys(each.name for panel in drawn for each in panel.series))
    look_of = looks([*about.order, *names])
    width = WIDTH if across > 1 else 5.0
    titles = [wrapped(panel.title, width / across - AXIS) for panel in drawn]
    lines = sum(
        max(title.count("\n") for title in titles[i : i + across]) for i in range(0, len(drawn), across)
    )
    height = (2.0 if across > 1 else 2.8) * down + 0.35 + LINE * lines + _legend_height(names, width)

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(down, across, squeeze=False)
        places = [axes for row in grid for axes in row]
        for axes, panel, title in zip(places, drawn, titles, strict=False):
            for each in panel.series:
                _curve(axes, each, look_of[each.name])
            _scale(axes, panel, log=log)
            _stand(axes, panel)
            axes.set_title(title)
        for axes in places[len(drawn) :]:
            axes.set_axis_off()
        canvas.supxlabel(x, fontsize=8.5)
        canvas.supylabel(y, fontsize=8.5)
        if len(names) > 1:
            _legend_of(canvas, names, look_of)

    return draw(about.name, about.caption, about.alt, (width, height), paint)


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.set_xticks(range(len(columns)), columns, rotation=40 if max(map(len, columns)) > 7 else 0)
    if max(map(len, columns)) > 7:
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(length=0)


def _mark(axes: Axes, x: Iterable[float], y: Iterable[float], look: Look, label: str) -> None:
    axes.plot(
        list(x),
        list(y),
        linestyle="",
        marker=look.marker,
        color=look.colour,
        markerfacecolor=look.face,
        label=label,
        zorder=3 if look.filled else 4,
    )


def _curve(axes: Axes, each: Series, look: Look) -> None:
    if each.band:
        where, low, high = zip(*each.band, strict=True)
        axes.fill_between(where, low, high, color=look.colour, alpha=0.15, linewidth=0)
    if each.curve:
        axes.plot(*zip(*each.curve, strict=True), color=look.colour, linestyle=look.line)
    for x, low_end, high_end in each.ends:
        axes.plot([x, x], [low_end, high_end], color=look.colour, linewidth=0.9)
    line: Line | Literal[""] = look.line if each.joined and not each.curve else ""
    many = len(each.x) > MANY
    axes.plot(
        each.x,
        each.y,
        linestyle=line,
        marker=look.marker,
        markersize=3 if many and not line else 4.5,
        markevery=len(each.x) // 6 if many and line else None,
        color=look.colour,
        markerfacecolor=look.face,
    )
    if each.marked is not None:
        axes.plot(
            *([at] for at in each.marked),
            marker="o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor=INK,
            linestyle="",
        )


def _scale(axes: Axes, panel: Panel, *, log: bool) -> None:
    if not log:
        if all(isinstance(x, int) for each in panel.series for x in each.x):
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        return
    where = sorted({x for each in panel.series for x in each.x})
    axes.set_xscale("log")
    axes.set_xticks(where if len(where) <= 4 else _round_numbers(where[0], where[-1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, "number")))
    axes.xaxis.set_minor_locator(NullLocator())


def _stand(axes: Axes, panel: Panel) -> None:
    """Draw what stands upright; an interval that goes on beyond the points is cut where the chart ends."""
    low, high = axes.get_xlim()
    if panel.between is not None:
        begin, end = (min(max(each, low), high) for each in panel.between)
        axes.axvspan(begin, end, color=INK, alpha=0.1, linewidth=0)
    if panel.upright is not None:
        axes.axvline(panel.upright, color=INK, linewidth=0.8)
    axes.set_xlim(low, high)


def _round_numbers(low: float, high: float) -> list[float]:
    """Choose up to five numbers for a logarithmic axis: powers of ten, else 1, 2 and 5, else the ends."""
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        inside = [step * 10.0**ten for ten in tens for step in steps if low <= step * 10.0**ten <= high]
        if len(inside) > 2:
            return inside[:: math.ceil(len(inside) / 5)]
    return [low, high]


def _legend_height(names: Sequence[str], width: float) -> float:
    return 0.2 * math.ceil(len(names) / legend_columns(names, width))


def _legend_of(canvas: Canvas, names: Sequence[str], look_of: Mapping[str, Look]) -> None:
    handles = [
        Line2D(
            [],
            [],
            color=look_of[name].colour,
            marker=look_of[name].marker,
            markerfacecolor=look_of[name].face,
            linestyle=look_of[name].line,
        )
        for name in names
    ]
    legend_above(canvas, handles, names)
