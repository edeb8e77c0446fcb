"""Keeps a processor busy for as many seconds as its spinner says, each time its button is pressed."""

import time

from bokeh.layouts import column
from bokeh.models import Button, Div, Spinner
from bokeh.plotting import curdoc

seconds = Spinner(title="Seconds", value=2, low=0, step=0.5, name="seconds")
button = Button(label="Burn", name="burn")
done = Div(text="0", name="done")


def burn():
    until = time.monotonic() + seconds.value
    rounds = 0
    while time.monotonic() < until:
        rounds += sum(range(1000)) > 0
    done.text = str(int(done.text) + 1)


button.on_click(burn)
curdoc().add_root(column(seconds, button, done))
