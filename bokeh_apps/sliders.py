"""Sliders: move a slider, and Python computes the sine curve anew.

Look at ``move``: one callback serves all four sliders.
"""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Slider, TextInput
from bokeh.plotting import figure

X = np.linspace(0, 4 * np.pi, 400)


def slider(name: str, value: float, start: float, end: float) -> Slider:
    return Slider(
        name=name,
        title=name.title(),
        value=value,
        start=start,
        end=end,
        step=0.1,
        sizing_mode="stretch_width",
    )


title = TextInput(name="title", title="Title", value="My sine wave", sizing_mode="stretch_width")
offset = slider("offset", 0, -2, 2)
amplitude = slider("amplitude", 1, -3, 3)
phase = slider("phase", 0, 0, 6.3)
frequency = slider("frequency", 1, 0.1, 5)

curve = ColumnDataSource(name="curve")
plot = figure(
    name="plot",
    title=title.value,
    x_axis_label="x in radians",
    x_range=(0, 4 * np.pi),
    y_range=(-5, 5),
    tools="pan,box_zoom,reset,save",
    active_drag=None,
    toolbar_location="above",
    min_height=380,
    sizing_mode="stretch_both",
    styles={"flex": "4 1 400px"},
)
plot.line("x", "y", source=curve, line_width=3)


def draw_curve() -> None:
    y = offset.value + amplitude.value * np.sin(frequency.value * X + phase.value)
    curve.data = {"x": X, "y": y}


def move(attr: str, old: float, new: float) -> None:
    draw_curve()


def rename(attr: str, old: str, new: str) -> None:
    plot.title.text = new


for control in (offset, amplitude, phase, frequency):
    control.on_change("value", move)
title.on_change("value", rename)
draw_curve()

controls = column(title, offset, amplitude, phase, frequency, styles={"flex": "1 1 240px"})
# The controls stand beside the plot, or above it where the screen is too narrow for both.
page = row(controls, plot, sizing_mode="stretch_both", styles={"flex-wrap": "wrap", "padding": "8px"})

curdoc().add_root(page)
curdoc().title = "Sliders"
