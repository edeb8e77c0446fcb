"""Says how much of everything its process holds."""

import asyncio
import sys
import threading

from bokeh.io import curdoc
from bokeh.model import Model
from bokeh.models import Button, ColumnDataSource
from bokeh.plotting import figure

document = curdoc()
counts = ColumnDataSource(name="counts", data={})
count = Button(name="count", label="Count")


async def show(event):
    counts.data = {
        "sessions": [len(document.session_context.server_context.sessions)],
        "modules": [len([name for name in list(sys.modules) if name.startswith("bokeh_app_")])],
        "models": [len(Model.model_class_reverse_map)],
        "threads": [threading.active_count()],
        "tasks": [len(asyncio.all_tasks())],
    }


count.on_event("button_click", show)
plot = figure(width=300, height=200)
plot.line([1, 2, 3], [3, 1, 2])
for root in (counts, count, plot):
    document.add_root(root)
