"""Selection histogram: what is special about the points that you select?

Look at ``show_selection``: the browser sends a selection as a list of indices, and Python
answers with histograms at both sides and a table of statistics (of all points, when fewer than
two are selected).
"""

from dataclasses import dataclass

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Div, GridBox, Select
from bokeh.plotting import figure


@dataclass(frozen=True)
class Cloud:
    """Normally distributed points: how many, around which centre, and how x and y correlate."""

    number: int
    centre: tuple[float, float]
    correlation: float


CLOUDS = {
    "Low cloud": Cloud(1000, (-2.0, -1.5), -0.6),
    "High cloud": Cloud(600, (2.5, 3.0), 0.0),
    "Ridge": Cloud(900, (1.5, -1.0), 0.9),
}
EDGES = np.linspace(-6, 7, 53)
ALL_COLOR, SELECTED_COLOR = "#c3ccd6", "#c2410c"


def draw(cloud: Cloud, rng: np.random.Generator) -> np.ndarray:
    covariance = [[1, cloud.correlation], [cloud.correlation, 1]]
    return rng.multivariate_normal(cloud.centre, covariance, cloud.number)


rng = np.random.default_rng(2026)
x, y = np.concatenate([draw(cloud, rng) for cloud in CLOUDS.values()]).T
cloud_of_point = np.repeat(list(CLOUDS), [cloud.number for cloud in CLOUDS.values()])


def counts(values: np.ndarray) -> np.ndarray:
    return np.histogram(values, bins=EDGES)[0]


def bars(name: str, values: np.ndarray) -> ColumnDataSource:
    """The source of one histogram: counts of all values, and of the selected ones (none yet)."""
    every = counts(values)
    columns = {"left": EDGES[:-1], "right": EDGES[1:], "all": every, "selected": np.zeros_like(every)}
    return ColumnDataSource(columns, name=name)


points = ColumnDataSource({"x": x, "y": y}, name="points")
x_bars, y_bars = bars("x_bars", x), bars("y_bars", y)

scatter = figure(
    name="scatter",
    tools="box_select,lasso_select,wheel_zoom,reset,save",
    active_drag="lasso_select",
    toolbar_location="below",
    x_axis_label="x",
    y_axis_label="y",
    min_height=300,
    sizing_mode="stretch_both",
)
scatter.scatter(
    "x",
    "y",
    source=points,
    size=5,
    color="#2b7bba",
    alpha=0.6,
    selection_color=SELECTED_COLOR,
    nonselection_alpha=0.15,
)

plain = {"tools": "", "toolbar_location": None}
above = figure(x_range=scatter.x_range, min_height=120, sizing_mode="stretch_both", **plain)
beside = figure(y_range=scatter.y_range, min_width=90, sizing_mode="stretch_both", **plain)
for heights, color in (("all", ALL_COLOR), ("selected", SELECTED_COLOR)):
    above.quad(
        left="left", right="right", bottom=0, top=heights, source=x_bars, fill_color=color, line_color=None
    )
    beside.quad(
        bottom="left", top="right", left=0, right=heights, source=y_bars, fill_color=color, line_color=None
    )

beside.xaxis.ticker.desired_num_ticks = 2
beside.xaxis.major_label_orientation = "vertical"

pick = Select(
    name="pick",
    title="Select a cloud (or draw a lasso)",
    options=["None", *CLOUDS],
    value="None",
    sizing_mode="stretch_width",
)
statistics = Div(
    name="statistics",
    sizing_mode="stretch_width",
    stylesheets=[
        "table { width: 100% } th { text-align: left; font-weight: normal } td { text-align: right }"
    ],
)


def table(indices: list[int]) -> str:
    """The statistics of these points as HTML."""
    chosen_x, chosen_y = x[indices], y[indices]
    rows = {
        "Points": f"{len(indices):,} of {len(x):,}",
        "Mean x": f"{chosen_x.mean():.2f}",
        "Mean y": f"{chosen_y.mean():.2f}",
        "Deviation of x": f"{chosen_x.std():.2f}",
        "Deviation of y": f"{chosen_y.std():.2f}",
        "Correlation": f"{np.corrcoef(chosen_x, chosen_y)[0, 1]:.2f}",
    }
    cells = "".join(f"<tr><th scope='row'>{name}</th><td>{value}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"


def show_selection(attr: str, old: list[int], new: list[int]) -> None:
    x_bars.data["selected"] = counts(x[new])
    y_bars.data["selected"] = counts(y[new])
    statistics.text = table(new if len(new) > 1 else list(range(len(x))))


def select_cloud(attr: str, old: str, new: str) -> None:
    points.selected.indices = np.flatnonzero(cloud_of_point == new).tolist()


points.selected.on_change("indices", show_selection)
pick.on_change("value", select_cloud)
show_selection("indices", [], [])

plots = GridBox(
    children=[(above, 0, 0), (scatter, 1, 0), (beside, 1, 1)],
    rows=["1fr", "4fr"],
    cols=["4fr", "1fr"],
    sizing_mode="stretch_both",
    styles={"flex": "4 1 400px"},
)
side_panel = column(pick, statistics, styles={"flex": "1 1 220px"})
curdoc().add_root(
    row(plots, side_panel, sizing_mode="stretch_both", styles={"flex-wrap": "wrap", "padding": "8px"})
)
curdoc().title = "Selection histogram"
