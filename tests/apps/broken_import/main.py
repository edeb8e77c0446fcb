"""Imports a module that is not there."""

import a_module_that_nobody_has_written
from bokeh.plotting import curdoc

curdoc().add_root(a_module_that_nobody_has_written.plot())
