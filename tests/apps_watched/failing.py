"""Fails when its button is pressed."""

from bokeh.models import Button
from bokeh.plotting import curdoc


def fail():
    raise RuntimeError("It failed, \0 with an odd sign.")


button = Button(name="fail", label="Fail")
button.on_click(fail)
curdoc().add_root(button)
