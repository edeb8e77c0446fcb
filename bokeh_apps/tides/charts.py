"""The tide curve; what its axes and grid look like stands in ``theme.yaml``."""

from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure

WATER, TURN = "#1387a6", "#e4572e"


def tide_chart(tide: ColumnDataSource, turns: ColumnDataSource) -> figure:
    """The height of the water over time, with its highs and lows marked."""
    plot = figure(
        name="tide_plot",
        x_axis_type="datetime",
        height=380,
        sizing_mode="stretch_width",
        tools="xpan,xwheel_zoom,reset,save",
        active_drag=None,
        toolbar_location="above",
    )
    plot.xaxis.ticker.desired_num_ticks = 4
    plot.varea("time", y1="height", y2="low", source=tide, fill_color=WATER, fill_alpha=0.25)
    plot.line("time", "height", source=tide, line_color=WATER, line_width=3)
    marks = plot.scatter("time", "height", source=turns, size=11, fill_color=TURN, line_color=None)
    hover = [("time", "@time{%a %H:%M}"), ("height", "@height{0.00}")]
    plot.add_tools(HoverTool(renderers=[marks], tooltips=hover, formatters={"@time": "datetime"}))
    return plot
