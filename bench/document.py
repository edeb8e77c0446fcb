"""The document that every measure serves: panels of 39 models, each with a live slider."""

from __future__ import annotations

import time
import weakref

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models.annotations import Title
from bokeh.models.layouts import Column
from bokeh.models.sources import ColumnDataSource
from bokeh.models.widgets import Div, Select, Slider
from bokeh.plotting import figure

MODELS_PER_PANEL = 39
POINTS = 20
#: Values of the slider from here on keep the callback for a second, as a slow query would.
BLOCKING = 999_990

_X = np.linspace(0.0, 1.0, POINTS)
_freed = 0


def build(doc: Document, *, panels: int) -> None:
    """Fill `doc` with panels whose slider changes a plot's columns, its title and a text."""
    weakref.finalize(doc, _count_freed)
    for _ in range(panels):
        doc.add_root(_panel())
    if len(doc.models) != panels * MODELS_PER_PANEL:
        raise RuntimeError(f"expected {MODELS_PER_PANEL} models a panel, got {len(doc.models)} in {panels}")


def _panel() -> Column:
    slider = Slider(title="Power", start=0, end=1_000_000, value=0)
    choice = Select(title="Colour", options=["navy", "teal"], value="navy")  # type: ignore[arg-type]
    text = Div(text="")
    title = Title(text="Power 0")
    source = ColumnDataSource({"x": _X, "y": _X})
    plot = figure(width=600, height=300, title=title)
    plot.line("x", "y", source=source)

    def update(attr: str, old: int, new: int) -> None:
        if new >= BLOCKING:
            time.sleep(1)
        power = 1 + new % 7
        source.data = {"x": _X, "y": _X**power}
        title.text = f"Power {new}"
        text.text = f"moved={new} freed={_freed}"

    slider.on_change("value", update)
    return column(slider, choice, text, plot)


def _count_freed() -> None:
    # Reported in the text, so that a client sees when the documents of tabs that left are really gone.
    global _freed
    _freed += 1
