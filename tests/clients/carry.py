"""Carries millions of bytes from one client to another and back, by way of the server. Takes a URL."""

import sys

import numpy as np
from bokeh.client import pull_session, push_session
from bokeh.document import Document
from bokeh.models import ColumnDataSource

numbers = np.random.default_rng(1).normal(size=1_000_000)
source = ColumnDataSource({"x": numbers}, name="numbers")
document = Document()
document.add_root(source)
giver = push_session(document, url=sys.argv[1])

taker = pull_session(session_id=giver.id, url=sys.argv[1])
taken = taker.document.get_model_by_name("numbers")
assert isinstance(taken.data["x"], np.ndarray)
assert np.array_equal(taken.data["x"], numbers)

source.on_change("data", lambda attr, old, new: document.add_next_tick_callback(giver.close))
taken.data = {"x": -numbers}
taker.force_roundtrip()
giver._loop_until_closed()
taker.close()
assert np.array_equal(source.data["x"], -numbers)
sys.stdout.write("as it was")
