"""Tides: a directory app with a theme, a template, static files, hooks and helper modules.

Look at the imports, at ``argument`` (the page opens as ``?harbour=Saltness&days=3`` asks), and
at ``templates/index.html``, which places the four roots by their names.
"""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div, RadioButtonGroup, Select, Slider
from harmonics import FEET_PER_METRE, HARBOURS, height_m, turns

from .charts import tide_chart
from .visitors import VISITORS

UNITS = ["metres", "feet"]
STEP_S = 360
MAX_DAYS = 7

document = curdoc()
document.title = "Tides"
session = document.session_context


def argument(name: str, default: str) -> str:
    """The value of a request argument, as in ``?name=value``."""
    values = session.request.arguments.get(name) if session and session.request else None
    return values[0].decode(errors="replace") if values else default


def wanted_harbour() -> str:
    name = argument("harbour", "Gullhaven")
    return name if name in HARBOURS else "Gullhaven"


def wanted_days() -> int:
    days = argument("days", "2")
    return min(int(days), MAX_DAYS) if days.isdecimal() and int(days) > 0 else 2


def wanted_units() -> str:
    """What ``process_request`` in ``app_hooks.py`` made of the browser's language."""
    return session.token_payload.get("units", "metres") if session and session.request else "metres"


harbour = Select(
    name="harbour",
    title="Harbour",
    options=list(HARBOURS),
    value=wanted_harbour(),
    sizing_mode="stretch_width",
)
days = Slider(
    name="days", title="Days", value=wanted_days(), start=1, end=MAX_DAYS, sizing_mode="stretch_width"
)
units = RadioButtonGroup(
    name="units", labels=UNITS, active=UNITS.index(wanted_units()), sizing_mode="stretch_width"
)
next_tides = Div(
    name="next_tides",
    sizing_mode="stretch_width",
    styles={"font-size": "1rem"},
    stylesheets=["p { margin-top: 0 } ul { padding-left: 1.2em }"],
)
visitors = Div(name="visitors", margin=0, styles={"font-size": "1rem"})

tide = ColumnDataSource(name="tide")
turn = ColumnDataSource(name="turn")
tide_plot = tide_chart(tide, turn)


def update() -> None:
    """Compute the tide from this hour on, and list its next four turns."""
    start = datetime.now(UTC).timestamp() // 3600 * 3600
    seconds = start + np.arange(0, days.value * 86400 + STEP_S, STEP_S)
    heights = height_m(HARBOURS[harbour.value], seconds / 3600)
    if units.active == UNITS.index("feet"):
        heights *= FEET_PER_METRE
    at = turns(heights)
    times = seconds.astype("datetime64[s]")
    tide.data = {"time": times, "height": heights, "low": np.full_like(heights, min(heights.min(), 0))}
    turn.data = {"time": times[at], "height": heights[at]}
    tide_plot.yaxis.axis_label = f"{UNITS[units.active]} above chart datum"
    next_tides.text = tide_list(times, heights, at[:4])


def tide_list(times: np.ndarray, heights: np.ndarray, at: np.ndarray) -> str:
    """These turns of the tide as an HTML list."""
    unit = UNITS[units.active]
    items = []
    for index in at:
        kind = "High" if heights[index] > heights[index - 1] else "Low"
        moment = times[index].item()
        items.append(f"<li><b>{kind} water</b> {moment:%a %H:%M}, {heights[index]:.2f} {unit}</li>")
    return f"<p>Next at {harbour.value} (UTC):</p><ul>{''.join(items)}</ul>"


def change(attr: str, old: Any, new: Any) -> None:
    update()


def show_visitors() -> None:
    visitors.text = VISITORS.summary()


harbour.on_change("value", change)
days.on_change("value", change)
units.on_change("active", change)
update()
show_visitors()
document.add_periodic_callback(show_visitors, 2000)

for root in (
    column(harbour, days, units, name="controls", sizing_mode="stretch_width"),
    next_tides,
    tide_plot,
    visitors,
):
    document.add_root(root)
document.title = f"Tides at {harbour.value}"
document.template_variables["harbours"] = list(HARBOURS)
