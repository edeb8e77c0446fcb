"""Sales: one app for all, over data sets that several people publish, each for others.

Look at ``open_dataset``: it opens a data set as the user of the session, and its live source follows the versions that
are published while somebody looks. When the right to see it is taken away, the curve is gone.
"""

from html import escape
from itertools import cycle

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import DatetimeTickFormatter, Div, HoverTool, NumeralTickFormatter
from bokeh.palettes import Colorblind
from bokeh.plotting import figure

from apps_registry.data import MayNotSee, OpenDataset, open_dataset
from apps_registry.models import Dataset

COLUMNS = ("week", "orders", "revenue")
COLORS = [Colorblind[8][place] for place in (0, 5, 3, 7, 4, 1)]


def is_fit(dataset: OpenDataset) -> bool:
    """Whether it is what this app shows: people may call anything ``sales_``."""
    return dataset.columns.keys() >= set(COLUMNS)


user = curdoc().session_context.request.user
# Whoever publishes another one and shares it adds a curve
visible = (
    Dataset.objects.visible_to(user).filter(name__startswith="sales_", kind="table").exclude(newest=None)
)
opened = [(dataset.title or dataset.name, open_dataset(dataset.name)) for dataset in visible.order_by("name")]
regions = [
    (title, dataset, color) for (title, dataset), color in zip(opened, cycle(COLORS)) if is_fit(dataset)
]
summary = Div(name="summary", sizing_mode="stretch_width", styles={"font-size": "1rem"})


def plotted() -> figure:
    """A curve for each region."""
    plot = figure(
        name="plot",
        x_axis_type="datetime",
        title="Revenue per week",
        height=400,
        tools="",
        toolbar_location=None,
        sizing_mode="stretch_width",
        outline_line_color=None,
    )
    plot.xaxis.formatter = DatetimeTickFormatter(days="%e %b", months="%b", years="%Y")
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
    for title, dataset, color in regions:
        source = dataset.source(COLUMNS, live=True)
        source.name = dataset.name
        plot.line("week", "revenue", source=source, line_width=3, color=color)
        dots = plot.scatter("week", "revenue", source=source, size=5, color=color)
        tooltip = f"{escape(title)}, week of @week{{%e %B}}: <b>@revenue{{0,0}}</b> from @orders orders"
        plot.add_tools(HoverTool(tooltips=tooltip, formatters={"@week": "datetime"}, renderers=[dots]))
    return plot


def show() -> None:
    """Say what there is to see."""
    lines = []
    for title, dataset, color in regions:
        if not is_fit(dataset):
            continue
        try:
            revenue = dataset.to_pandas(["revenue"])["revenue"].sum()
        except MayNotSee:
            continue
        dot = f'<span aria-hidden="true" style="color: {color}">●</span>'
        by = escape(dataset.version.created_by)
        lines.append(f"{dot} <b>{escape(title)}</b>: {revenue:,.0f} in a year, published by {by}")
    summary.text = "<br>".join(lines) or (
        "No sales are shared with you. When somebody has done so, load the page again."
    )


for _, dataset, _ in regions:
    dataset.on_update(show)
    dataset.on_lost(show)
show()
shown = [summary, plotted()] if regions else [summary]
curdoc().add_root(column(*shown, sizing_mode="stretch_width"))
curdoc().theme = "light_minimal"
curdoc().title = "Sales"
