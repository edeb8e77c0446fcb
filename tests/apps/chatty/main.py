"""Streams POINTS points to its tabs every PERIOD milliseconds."""

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.plotting import curdoc, figure

POINTS = 20_000
PERIOD = 20

source = ColumnDataSource({"x": np.empty(0), "y": np.empty(0)}, name="source")
plot = figure(height=200)
plot.line("x", "y", source=source)
start = 0


def talk():
    global start
    x = np.arange(start, start + POINTS, dtype=float)
    source.stream({"x": x, "y": np.sin(x)}, rollover=2 * POINTS)
    start += POINTS


curdoc().add_periodic_callback(talk, PERIOD)
curdoc().add_root(plot)
