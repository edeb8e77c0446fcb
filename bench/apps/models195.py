"""A document of 195 models."""

from bokeh.io import curdoc

from bench.document import build

build(curdoc(), panels=5)
