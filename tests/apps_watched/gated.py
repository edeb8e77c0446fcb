"""Starts when the file that MOOD names is there, and notes in the journal that it waits for it."""

import os
import time
from pathlib import Path

from bokeh.models import Div
from bokeh.plotting import curdoc

with Path(os.environ["JOURNAL"]).open("a") as file:
    file.write("building -\n")
while not Path(os.environ["MOOD"]).exists():
    time.sleep(0.01)
curdoc().add_root(Div(name="built", text="built"))
