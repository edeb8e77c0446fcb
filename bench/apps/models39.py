"""A document of 39 models."""

from bokeh.io import curdoc

from bench.document import build

build(curdoc(), panels=1)
