"""Calls sys.exit() while it is built."""

import sys

from bokeh.models import Div
from bokeh.plotting import curdoc

curdoc().add_root(Div(text="Never seen."))
sys.exit(3)
