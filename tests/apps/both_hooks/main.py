"""Does not load: it has two kinds of hooks file."""

from bokeh.models import Div
from bokeh.plotting import curdoc

curdoc().add_root(Div(text="Never seen."))
