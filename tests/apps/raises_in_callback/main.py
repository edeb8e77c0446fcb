"""Works until its button is pressed."""

from bokeh.layouts import column
from bokeh.models import Button, Div
from bokeh.plotting import curdoc

presses = 0
count = Div(text="0", name="count")


def press():
    global presses
    presses += 1
    count.text = str(presses)


def fail():
    raise ZeroDivisionError("the secret is 42")


good = Button(label="Count", name="good")
good.on_click(press)
bad = Button(label="Fail", name="bad")
bad.on_click(fail)
curdoc().add_root(column(good, bad, count))
