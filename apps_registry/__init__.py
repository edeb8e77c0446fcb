"""Serve Bokeh applications from Django and Channels."""

__version__ = "0.1.0"
