"""What the apps of happiness have in common: their colours, and what their plots look like."""

from __future__ import annotations

from typing import Any

from bokeh.models import DatetimeTickFormatter, HoverTool, LinearColorMapper
from bokeh.palettes import BrBG
from bokeh.plotting import figure

from .models import BEST, WORST

#: In milliseconds, as on an axis of dates.
DAY = 24 * 60 * 60 * 1000
#: From brown for the worst to green for the best, which everybody can tell apart.
COLORS = BrBG[10][::-1]
DARK, LIGHT = COLORS[-2], COLORS[-3]
#: For ``rect``: one cell for each score, with an edge that shows also those that are like the ground.
CELL = {"height": 0.86, "line_color": "#808080", "line_alpha": 0.35}


def plot(**options: Any) -> figure:
    """A figure over time with nothing but the data, on the ground of the page around, also where that is narrow."""
    made = figure(
        x_axis_type="datetime",
        tools="",
        toolbar_location=None,
        sizing_mode="stretch_width",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        **options,
    )
    made.xaxis.formatter = DatetimeTickFormatter(days="%e %b", months="%b", years="%Y")
    return made


def mapper(low: float = WORST - 0.5, high: float = BEST + 0.5) -> LinearColorMapper:
    """Colours for scores."""
    return LinearColorMapper(palette=COLORS, low=low, high=high)


def hover(tooltip: str, **options: Any) -> HoverTool:
    """Tells what is under the pointer; in ``tooltip``, ``@day`` and ``@week`` are dates."""
    dates: Any = {"@day": "datetime", "@week": "datetime"}
    return HoverTool(tooltips=tooltip, formatters=dates, **options)
