"""Long job: Python works in a thread of its own while the page stays alive.

Look at ``start_job``: the thread gets ``report`` as a locked callback, which runs in the session
and not in the thread. Cancel, and the end of the session, ask the thread to stop.
"""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div, Progress, Select, Span
from bokeh.plotting import figure
from darts import ROUNDS, Job

SIZES = {"1 million darts": 1_000_000, "10 million darts": 10_000_000, "50 million darts": 50_000_000}

job = Job()
estimates = ColumnDataSource({"round": [], "estimate": []}, name="estimates")
progress = Progress(name="progress", max=ROUNDS, sizing_mode="stretch_width")
size = Select(
    name="size", title="Size", options=list(SIZES), value="10 million darts", sizing_mode="stretch_width"
)
start = Button(name="start", label="Start", button_type="primary", sizing_mode="stretch_width")
cancel = Button(name="cancel", label="Cancel", disabled=True, sizing_mode="stretch_width")
status = Div(name="status", text="Ready.", sizing_mode="stretch_width", styles={"font-size": "120%"})


def show_running(running: bool) -> None:
    size.disabled = start.disabled = running
    cancel.disabled = not running


def report(number: int, estimate: float) -> None:
    if job.stopping.is_set():
        return
    progress.value = number
    estimates.stream({"round": [number], "estimate": [estimate]})
    status.text = f"π is about <b>{estimate:.5f}</b>"
    if number == ROUNDS:
        status.text += "<br>Done."
        show_running(False)


def start_job() -> None:
    estimates.data = {"round": [], "estimate": []}
    progress.value = 0
    status.text = "Started."
    show_running(True)
    job.start(SIZES[size.value], curdoc().locked_callback(report))


def cancel_job() -> None:
    job.stop()
    status.text = f"Cancelled after {progress.value} of {ROUNDS} rounds."
    show_running(False)


start.on_click(start_job)
cancel.on_click(cancel_job)
curdoc().on_session_destroyed(job.leave)

plot = figure(
    title="The estimate settles",
    x_axis_label="rounds",
    y_axis_label="estimate of π",
    x_range=(0, ROUNDS),
    y_range=(3.12, 3.16),
    tools="reset,save",
    toolbar_location="above",
    min_height=340,
    sizing_mode="stretch_both",
    styles={"flex": "4 1 400px"},
)
plot.line("round", "estimate", source=estimates, line_width=3)
plot.add_layout(Span(location=np.pi, dimension="width", line_dash="dashed", line_color="#c2410c"))

controls = column(size, start, cancel, progress, status, styles={"flex": "1 1 220px"})
curdoc().add_root(
    row(controls, plot, sizing_mode="stretch_both", styles={"flex-wrap": "wrap", "padding": "8px"})
)
curdoc().title = "Long job"
