"""Raises when it is run."""

from bokeh.models import Div
from bokeh.plotting import curdoc

curdoc().add_root(Div(text="Half a document."))
password = "hunter2"
raise ValueError(f"the password is {password}")
