"""Live stream: a wind turbine that reports many times a second.

Look at ``Feed``: a plain periodic callback adds a reading, and an ``async def`` one awaits a
(pretended) weather station. Both belong to the session: they end when the viewer leaves.
"""

import asyncio
from typing import Any

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, DataRange1d, Div, Select
from bokeh.plotting import figure

READINGS_KEPT = 300
GUSTS_KEPT = 30
STATION_PERIOD_MS = 1000
PERIODS_MS = {"2 readings per second": 500, "10 readings per second": 100, "25 readings per second": 40}


async def strongest_gust(rng: np.random.Generator) -> float:
    """The strongest gust of the last second, in m/s. A real app would await its HTTP client here."""
    await asyncio.sleep(0.02)
    return float(rng.uniform(8, 20))


class Feed:
    """One session's turbine: a random walk of its power in kW, and gusts of wind in m/s."""

    def __init__(self, readings: ColumnDataSource, gusts: ColumnDataSource, status: Div) -> None:
        self.readings, self.gusts, self.status = readings, gusts, status
        self.rng = np.random.default_rng()
        self.period_ms = 100
        self.second, self.power, self.mean, self.count = 0.0, 1500.0, 1500.0, 0
        self.callbacks: list[Any] = []

    @property
    def running(self) -> bool:
        return bool(self.callbacks)

    def start(self) -> None:
        self.callbacks = [
            curdoc().add_periodic_callback(self.add_reading, self.period_ms),
            curdoc().add_periodic_callback(self.add_gust, STATION_PERIOD_MS),
        ]

    def stop(self) -> None:
        for callback in self.callbacks:
            curdoc().remove_periodic_callback(callback)
        self.callbacks = []

    def add_reading(self) -> None:
        self.count += 1
        self.second += self.period_ms / 1000
        self.power = float(np.clip(self.power + self.rng.normal(0, 40), 0, 3000))
        self.mean += (self.power - self.mean) / 20
        reading = {"second": [self.second], "power": [self.power], "mean": [self.mean]}
        self.readings.stream(reading, rollover=READINGS_KEPT)
        self.status.text = f"<b>{self.power:,.0f} kW</b> now<br>{self.count:,} readings so far"

    async def add_gust(self) -> None:
        # The session's other callbacks wait for this one, so what it awaits must be short.
        gust = await strongest_gust(self.rng)
        self.gusts.stream({"second": [self.second], "gust": [gust]}, rollover=GUSTS_KEPT)


readings = ColumnDataSource({"second": [], "power": [], "mean": []}, name="readings")
gusts = ColumnDataSource({"second": [], "gust": []}, name="gusts")
status = Div(name="status", styles={"font-size": "120%"})
feed = Feed(readings, gusts, status)

start_stop = Button(name="start_stop", label="Stop", button_type="primary", sizing_mode="stretch_width")
speed = Select(
    name="speed",
    title="Speed",
    options=list(PERIODS_MS),
    value="10 readings per second",
    sizing_mode="stretch_width",
)


def toggle() -> None:
    if feed.running:
        feed.stop()
    else:
        feed.start()
    start_stop.label = "Stop" if feed.running else "Start"


def change_speed(attr: str, old: str, new: str) -> None:
    feed.period_ms = PERIODS_MS[new]
    if feed.running:
        feed.stop()
        feed.start()


start_stop.on_click(toggle)
speed.on_change("value", change_speed)

style = {"tools": "reset,save", "toolbar_location": "above", "sizing_mode": "stretch_both"}
last_half_minute = DataRange1d(follow="end", follow_interval=30, range_padding=0)
power = figure(
    title="Power of the turbine", y_axis_label="kW", x_range=last_half_minute, min_height=260, **style
)
power.line("second", "power", source=readings, line_alpha=0.5, legend_label="reading")
power.line("second", "mean", source=readings, line_width=3, color="#d95f02", legend_label="running mean")
power.legend.orientation = "horizontal"
power.add_layout(power.legend[0], "below")

wind = figure(
    title="Strongest gust of each second",
    x_axis_label="seconds since the start",
    y_axis_label="m/s",
    x_range=last_half_minute,
    y_range=(0, 22),
    min_height=180,
    **style,
)
wind.segment(x0="second", y0=0, x1="second", y1="gust", source=gusts, line_width=2, color="#1b9e77")
wind.scatter("second", "gust", source=gusts, size=9, color="#1b9e77")

controls = column(start_stop, speed, status, styles={"flex": "1 1 220px"})
plots = column(power, wind, sizing_mode="stretch_both", styles={"flex": "4 1 400px"})
curdoc().add_root(
    row(controls, plots, sizing_mode="stretch_both", styles={"flex-wrap": "wrap", "padding": "8px"})
)
curdoc().title = "Live stream"
feed.add_reading()  # so that the first plot has a range
feed.start()
