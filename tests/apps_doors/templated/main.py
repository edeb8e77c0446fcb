"""Lays out its page by a template of its own."""

from bokeh.models import Div
from bokeh.plotting import curdoc
from journal import note

note("built", curdoc().session_context.request)
curdoc().add_root(Div(name="words", text="Placed by the template."))
curdoc().title = "Templated"
