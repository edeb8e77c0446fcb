"""A published curve."""

from bokeh.io import curdoc
from bokeh.plotting import figure

from apps_registry.data import open_dataset

curve = figure()
curve.line("x", "y", source=open_dataset("curve").source(live=True))
curdoc().add_root(curve)
