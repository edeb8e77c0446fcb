"""Pushes a slider, shows it, and doubles its value for whoever moves it. Takes a URL, and maybe a session id."""

import sys

from bokeh.client import push_session
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import Div, Slider

number = Slider(name="number", title="Number", start=0, end=100, value=1)
double = Div(name="double", text="2")


def compute(attr, old, new):
    double.text = str(2 * new)


number.on_change("value", compute)
document = Document()
document.add_root(column(number, double))
document.title = "Double"

name = sys.argv[2] if len(sys.argv) > 2 else None
session = push_session(document, session_id=name, url=sys.argv[1])
session.show()
session._loop_until_closed()
