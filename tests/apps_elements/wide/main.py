"""Wider than a phone."""

from bokeh.layouts import column
from bokeh.plotting import curdoc, figure

plot = figure(name="plot", width=900, height=200)
plot.line([1, 2], [1, 2])
curdoc().add_root(column(plot))
