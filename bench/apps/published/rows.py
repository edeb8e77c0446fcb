"""A plot of what the viewer may see of the published table."""

from bokeh.io import curdoc

from apps_registry.data import open_dataset
from bench.table import plot

curdoc().add_root(plot(open_dataset("rows").source(live=True)))
