"""Does not start as long as the file that MOOD names is there."""

import os
from pathlib import Path

from bokeh.models import Div
from bokeh.plotting import curdoc

if Path(os.environ["MOOD"]).exists():
    raise RuntimeError("not today")
curdoc().add_root(Div(name="mood", text="Well."))
