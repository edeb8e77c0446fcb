"""A plot of one column over another: a few hundred of the rows that a user sees, as a document of Bokeh."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from bokeh.embed import json_item
from bokeh.models import BasicTickFormatter, HoverTool, PlainText
from bokeh.plotting import figure

from ...datasets.opened import OpenDataset
from .preview import text_of

#: Points at most, taken evenly from all rows.
POINTS = 400
#: Dark enough on white, and light enough on a dark page.
_COLOR = "#3b86c8"
_TIMES = ("date", "datetime")
_NUMBERS = ("number", "integer")
_HEIGHT = 300


@dataclass(frozen=True)
class Axes:
    """What can be drawn of a data set, and what is: names of columns; no x: the number of the row."""

    xs: list[str]
    ys: list[str]
    x: str
    y: str


@dataclass(frozen=True)
class Drawing:
    """A plot as ``plot.js`` shows it."""

    axes: Axes
    item: Any
    #: What it shows, in words
    summary: str
    points: int
    rows: int


def axes_of(types: dict[str, str], x: str | None, y: str | None) -> Axes | None:
    """The columns to draw, the asked ones if that can be; None when there is no column of numbers."""
    ys = [name for kind in _NUMBERS for name, type in types.items() if type == kind]
    xs = [name for kinds in (_TIMES, _NUMBERS) for name, type in types.items() if type in kinds]
    if not ys:
        return None
    times = [name for name in xs if types[name] in _TIMES]
    if x not in ("", *xs):
        x = times[0] if times else ""
    if y not in ys:
        y = next((name for name in ys if name != x), ys[0])
    assert x is not None
    assert y is not None
    return Axes(xs, ys, x, y)


def draw(opened: OpenDataset, axes: Axes) -> Drawing | None:
    """The plot; None when there is no value to draw. Raises ``MayNotSee``."""
    table = opened.to_arrow([axes.y, *([axes.x] if axes.x else [])])
    places = np.unique(np.linspace(0, table.num_rows - 1, POINTS).round().astype(int))
    some = table.take(pa.array(places if table.num_rows else [], pa.int64()))
    types = opened.columns
    xs = _values(some.column(axes.x), types[axes.x]) if axes.x else [int(place) + 1 for place in places]
    ys = _values(some.column(axes.y), types[axes.y])
    points = [(x, y) for x, y in zip(xs, ys, strict=False) if x is not None]
    known = [y for _, y in points if y is not None]
    if not known:
        return None
    over = f" over {axes.x}" if axes.x else " by row"
    summary = f"{axes.y}{over}, from {text_of(min(known))} to {text_of(max(known))}"
    item = json_item(_figure(points, axes, types.get(axes.x, "")))
    return Drawing(axes, item, summary, len(points), table.num_rows)


def _values(column: Any, type: str) -> list[Any]:
    if type in _TIMES:
        # As BokehJS has times
        column = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    return [None if value is None or value != value else value for value in column.to_pylist()]


def _figure(points: list[tuple[Any, Any]], axes: Axes, x_type: str) -> Any:
    is_time = x_type in _TIMES
    plot: Any = figure(
        height=_HEIGHT,
        sizing_mode="stretch_width",
        x_axis_type="datetime" if is_time else "linear",
        tools="",
        toolbar_location=None,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    # No TeX: a column may be called as it likes
    plot.xaxis.axis_label = PlainText(text=axes.x or "row")
    plot.yaxis.axis_label = PlainText(text=axes.y)
    # Few enough for a phone
    plot.xaxis.ticker.desired_num_ticks = 4
    if not is_time:
        plot.xaxis.formatter = _numbers()
    plot.yaxis.formatter = _numbers()
    data = {
        "x": [x for x, _ in points],
        "y": [float("nan") if y is None else y for _, y in points],
    }
    if all(before < after for before, after in pairwise(data["x"])):
        plot.line("x", "y", source=data, line_width=2, line_color=_COLOR)
    dots = plot.scatter("x", "y", source=data, size=5, color=_COLOR, line_color=None, alpha=0.8)
    when = "@x{%F %R}" if x_type == "datetime" else "@x{%F}"
    # As the table below the plot has numbers: Bokeh itself would show a few digits of them
    hover = HoverTool(
        tooltips=[(axes.x or "row", when if is_time else "@x{%.15g}"), (axes.y, "@y{%.15g}")],
        formatters={"@x": "datetime" if is_time else "printf", "@y": "printf"},
        renderers=[dots],
    )
    plot.add_tools(hover)
    return plot


def _numbers() -> BasicTickFormatter:
    """Numbers in full, as long as they are short enough for the edge of a plot."""
    return BasicTickFormatter(power_limit_low=-5, power_limit_high=9)
