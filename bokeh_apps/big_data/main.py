"""Big data: one million samples of a signal, sent to the browser as binary buffers.

Look at ``thin``: NumPy arrays of ``float32`` travel as they lie in memory, 4 bytes a value and
no JSON. Often far fewer points draw the same picture: try it with the first slider.
"""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import BoxAnnotation, CategoricalSlider, ColumnDataSource, Div, Slider
from bokeh.plotting import figure
from recording import AMPLITUDE, SAMPLES, SAMPLES_PER_SECOND, TIME

WINDOW_S = 2
NUMBERS = {"1 thousand": 1_000, "10 thousand": 10_000, "100 thousand": 100_000, "1 million": SAMPLES}


def thin(number: int) -> dict[str, np.ndarray]:
    """The lowest and the highest sample of each stretch, ``number`` samples in all."""
    if number == SAMPLES:
        return {"time": TIME, "amplitude": AMPLITUDE}
    stretches = AMPLITUDE.reshape(number // 2, -1)
    starts = np.arange(0, SAMPLES, stretches.shape[1])
    extremes = np.stack([stretches.argmin(axis=1), stretches.argmax(axis=1)])
    indices = np.sort(extremes + starts, axis=0).T.ravel()
    return {"time": TIME[indices], "amplitude": AMPLITUDE[indices]}


def cut(start_s: int) -> dict[str, np.ndarray]:
    """Every sample of the window that starts here."""
    first = start_s * SAMPLES_PER_SECOND
    part = slice(first, first + WINDOW_S * SAMPLES_PER_SECOND)
    return {"time": TIME[part], "amplitude": AMPLITUDE[part]}


overview = ColumnDataSource(name="overview")
detail = ColumnDataSource(name="detail")
window = BoxAnnotation(name="window", fill_color="#c2410c", fill_alpha=0.3, line_color="#c2410c")
status = Div(name="status", sizing_mode="stretch_width")

points = CategoricalSlider(
    name="points",
    title="Points sent",
    categories=list(NUMBERS),
    value="1 million",
    sizing_mode="stretch_width",
)
position = Slider(
    name="position",
    title="Seconds before the window",
    start=0,
    end=SAMPLES // SAMPLES_PER_SECOND - WINDOW_S,
    value=500,
    sizing_mode="stretch_width",
)

style = {"tools": "reset,save", "toolbar_location": "above", "sizing_mode": "stretch_both"}
whole = figure(
    title="The whole recording", y_axis_label="amplitude", x_range=(0, 1000), min_height=240, **style
)
whole.line("time", "amplitude", source=overview, color="#2b7bba")
whole.add_layout(window)
close_up = figure(
    title="The window, sample by sample",
    x_axis_label="seconds",
    y_axis_label="amplitude",
    min_height=240,
    **style,
)
close_up.line("time", "amplitude", source=detail, color="#c2410c")


def send_overview(attr: str, old: str, new: str) -> None:
    overview.data = thin(NUMBERS[new])
    megabytes = sum(array.nbytes for array in overview.data.values()) / 1e6
    status.text = f"<b>{NUMBERS[new]:,} points</b><br>{megabytes:,.3f} MB of binary buffers"


def send_detail(attr: str, old: int, new: int) -> None:
    detail.data = cut(new)
    window.update(left=new, right=new + WINDOW_S)


points.on_change("value", send_overview)
position.on_change("value", send_detail)
send_overview("value", "", points.value)
send_detail("value", 0, position.value)

controls = column(points, position, status, styles={"flex": "1 1 220px"})
plots = column(whole, close_up, sizing_mode="stretch_both", styles={"flex": "4 1 400px"})
curdoc().add_root(
    row(controls, plots, sizing_mode="stretch_both", styles={"flex-wrap": "wrap", "padding": "8px"})
)
curdoc().title = "Big data"
