"""Imports its parts as a package does, and as a script does; both give the same modules."""

import shapes.round
from bokeh.models import Div
from bokeh.plotting import curdoc

from . import runs, shapes as own_shapes
from .shapes.round import area

assert own_shapes is shapes
assert shapes.round.area is area
curdoc().add_root(Div(text=f"{area(2):.2f} {runs}", name="area"))
