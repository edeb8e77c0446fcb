"""Shows what it learns of its request, doubles a number, and says something when asked to."""

import json
import logging
import sys

from bokeh.layouts import column
from bokeh.models import Button, Div, Slider
from bokeh.plotting import curdoc
from journal import note

context = curdoc().session_context
request = context.request
note("built", request)

seen = {
    "arguments": {name: [value.decode() for value in values] for name, values in request.arguments.items()},
    "headers": dict(request.headers),
    "cookies": dict(request.cookies),
    "user": request.user.get_username(),
    "id": context.id,
    "token_payload": dict(context.token_payload),
    "logout_url": context.logout_url,
    "argv": sys.argv[1:],
}
number = Slider(name="number", title="Number", start=0, end=100, value=1)
double = Div(name="double", text="2")
speak = Button(name="speak", label="Speak")


def change(attr, old, new):
    double.text = str(2 * new)


def say():
    print("a word from print")
    logging.getLogger("witness").warning("a word from logging")


number.on_change("value", change)
speak.on_click(say)
curdoc().add_root(column(number, double, speak, Div(name="seen", text=json.dumps(seen))))
curdoc().title = "Witness"
