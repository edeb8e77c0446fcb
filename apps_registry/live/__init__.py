"""The engine: live Bokeh documents on asyncio, with no web framework in it."""
