"""Imports a sibling only when its button is pressed."""

from bokeh.layouts import column
from bokeh.models import Button, Div
from bokeh.plotting import curdoc

result = Div(text="", name="result")
button = Button(label="Ask", name="ask")


def ask():
    import answer

    result.text = str(answer.ANSWER)


button.on_click(ask)
curdoc().add_root(column(button, result))
