"""Linked crossfilter: choose what the axes, the size and the colour of 400 houses mean.

Look at the last callbacks: houses selected in the scatter plot (box or lasso) are counted in
the histogram, and bars selected in the histogram select their houses.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div, Select
from bokeh.palettes import Category10, Viridis256
from bokeh.plotting import figure

HOUSES = pd.read_csv(Path(__file__).parent / "data" / "houses.csv")
MEASURES = {
    "price_k": "Price (thousands)",
    "area_m2": "Living area (m²)",
    "rooms": "Rooms",
    "built": "Year built",
    "distance_km": "Distance to the centre (km)",
    "energy_kwh_m2": "Energy (kWh per m² and year)",
}
CATEGORIES = {"district": "District", "heating": "Heating"}


def choice(name: str, title: str, value: str, labels: dict[str, str]) -> Select:
    options = list(labels.items())
    return Select(name=name, title=title, value=value, options=options, sizing_mode="stretch_width")


def scaled(name: str) -> np.ndarray:
    """The values of a measure, from 0 for the least to 1 for the greatest."""
    values = HOUSES[name].to_numpy()
    return (values - values.min()) / np.ptp(values)


def marker_sizes(name: str) -> np.ndarray:
    """Diameters in pixels."""
    return 6 + 18 * scaled(name) if name in MEASURES else np.full(len(HOUSES), 10.0)


def category_colors(name: str) -> dict[str, str]:
    return dict(zip(sorted(HOUSES[name].unique()), Category10[10], strict=False))


def marker_colors(name: str) -> np.ndarray:
    if name in CATEGORIES:
        return HOUSES[name].map(category_colors(name)).to_numpy()
    return np.array(Viridis256)[(scaled(name) * 255).astype(int)]


def legend_html(name: str) -> str:
    """What the colours mean."""
    if name in CATEGORIES:
        entries = category_colors(name).items()
        return " ".join(f"<span style='color: {color}'>&#9679;</span>&nbsp;{text}" for text, color in entries)
    values, stops = HOUSES[name], ", ".join(Viridis256[::51])
    bar = f"<div style='width: 14em; height: 12px; background: linear-gradient(to right, {stops})'></div>"
    return f"{bar}{values.min()} to {values.max()}"


x = choice("x", "X axis", "area_m2", MEASURES)
y = choice("y", "Y axis", "price_k", MEASURES)
size = choice("size", "Size", "", {"": "All the same"} | MEASURES)
colour = choice("colour", "Colour", "district", CATEGORIES | MEASURES)
legend = Div(name="legend", sizing_mode="stretch_width")
clear = Button(name="clear", label="Clear the selection", sizing_mode="stretch_width")
summary = Div(name="summary", sizing_mode="stretch_width")

houses = ColumnDataSource(HOUSES, name="houses")
histogram = ColumnDataSource(name="histogram")

style = {"toolbar_location": "above", "sizing_mode": "stretch_both"}
scatter = figure(
    name="scatter",
    tools="box_select,lasso_select,wheel_zoom,reset,save",
    tooltips=[("district", "@district"), ("built", "@built"), ("price", "@price_k thousand")],
    min_height=340,
    **style,
)
scatter.scatter("x", "y", size="size", fill_color="color", source=houses, fill_alpha=0.7, line_color="white")

counts = figure(
    name="counts", tools="tap,xbox_select,reset,save", y_axis_label="Houses", min_height=200, **style
)
for heights, color in (("all", "#c3ccd6"), ("selected", "#2b7bba")):
    counts.quad(
        left="left",
        right="right",
        bottom=0,
        top=heights,
        source=histogram,
        fill_color=color,
        line_color="white",
        nonselection_fill_alpha=1,
    )


def encode() -> None:
    """Give the houses the positions, sizes and colours that are chosen."""
    scatter.xaxis.axis_label = counts.xaxis.axis_label = MEASURES[x.value]
    scatter.yaxis.axis_label = MEASURES[y.value]
    legend.text = legend_html(colour.value)
    encoding = {
        "x": HOUSES[x.value],
        "y": HOUSES[y.value],
        "size": marker_sizes(size.value),
        "color": marker_colors(colour.value),
    }
    houses.data = ColumnDataSource.from_df(HOUSES.assign(**encoding))
    count()


def count() -> None:
    """Count all houses and the selected ones along the x axis."""
    values, selected = HOUSES[x.value], HOUSES.iloc[houses.selected.indices]
    heights, edges = np.histogram(values, bins="auto")
    selected_heights, _edges = np.histogram(selected[x.value], bins=edges)
    histogram.data = {"left": edges[:-1], "right": edges[1:], "all": heights, "selected": selected_heights}
    chosen = selected if len(selected) else HOUSES
    summary.text = (
        f"<p><b>{len(selected)} of {len(HOUSES)} houses selected</b></p>"
        f"<p>Median price {chosen['price_k'].median():.0f} thousand, "
        f"median area {chosen['area_m2'].median():.0f} m²</p>"
    )


def choose(attr: str, old: str, new: str) -> None:
    encode()


def select_houses(attr: str, old: list[int], new: list[int]) -> None:
    count()


def select_bars(attr: str, old: list[int], new: list[int]) -> None:
    if not new:
        return
    bar_of_house = np.digitize(HOUSES[x.value], histogram.data["left"][1:])
    houses.selected.indices = np.flatnonzero(np.isin(bar_of_house, new)).tolist()
    # Bars keep no selection of their own, so that the same bar can be chosen again.
    histogram.selected.indices = []


def clear_selection() -> None:
    houses.selected.indices = []


for select in (x, y, size, colour):
    select.on_change("value", choose)
houses.selected.on_change("indices", select_houses)
histogram.selected.on_change("indices", select_bars)
clear.on_click(clear_selection)
encode()

controls = column(x, y, size, colour, legend, clear, summary, styles={"flex": "1 1 220px"})
plots = column(scatter, counts, sizing_mode="stretch_both", styles={"flex": "4 1 400px"})
curdoc().add_root(
    row(controls, plots, sizing_mode="stretch_both", styles={"flex-wrap": "wrap", "padding": "8px"})
)
curdoc().title = "Houses"
