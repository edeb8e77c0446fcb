"""The user guide's example, in today's form: a curve that a Python client keeps moving. Takes a URL."""

import sys

import numpy as np
from bokeh.client import push_session
from bokeh.driving import cosine
from bokeh.plotting import curdoc, figure

x = np.linspace(0, 4 * np.pi, 80)
y = np.sin(x)

p = figure()
r1 = p.line([0, 4 * np.pi], [-1, 1], color="firebrick")
r2 = p.line(x, y, color="navy", line_width=4)
r2.glyph.name, r2.data_source.name = "line", "curve"
curdoc().add_root(p)

# open a session to keep our local document in sync with server
session = push_session(curdoc(), url=sys.argv[1])


@cosine(w=0.03)
def update(step):
    r2.data_source.data["y"] = y * step
    r2.glyph.line_alpha = 1 - 0.8 * abs(step)


curdoc().add_periodic_callback(update, 50)

session.show()  # open the document in a browser

session._loop_until_closed()  # run forever
