"""Takes SECONDS to start."""

import time

from bokeh.models import Div
from bokeh.plotting import curdoc

SECONDS = 1.0

time.sleep(SECONDS)
curdoc().add_root(Div(text="At last."))
