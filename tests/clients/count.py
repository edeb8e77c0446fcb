"""Pushes a document, counts in it five times by a periodic callback, and pulls it again. Takes a URL."""

import json
import sys

from bokeh.client import pull_session, push_session
from bokeh.document import Document
from bokeh.models import Div

number = Div(name="number", text="0")
document = Document()
document.add_root(number)
document.title = "Count"
session = push_session(document, url=sys.argv[1])


def count():
    number.text = str(int(number.text) + 1)
    if number.text == "5":
        document.remove_periodic_callback(callback)
        document.add_next_tick_callback(session.close)


callback = document.add_periodic_callback(count, 10)
session._loop_until_closed()

with pull_session(session_id=session.id, url=sys.argv[1]) as pulled:
    found = {
        "number": pulled.document.get_model_by_name("number").text,
        "title": pulled.document.title,
        "server": pulled.request_server_info()["version_info"]["bokeh"],
    }
json.dump(found, sys.stdout)
