"""Shows what its own helpers.py says, which another app has too."""

import helpers
from bokeh.models import Div
from bokeh.plotting import curdoc

curdoc().add_root(Div(text=helpers.words(), name="words"))
