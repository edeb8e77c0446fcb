"""Measures this server beside `bokeh serve` and Bokeh's own ASGI server."""
