"""The empty app: takes the documents that ``bokeh.client`` pushes."""
