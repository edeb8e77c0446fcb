"""Sales: one app for all, over data sets that several people publish, each for others.

Look at ``list_datasets`` and ``open_dataset``: they give what the user of the session may see, and stay right. A live
source follows the versions that are published while somebody looks; what is shared with him meanwhile becomes one more
curve, and when the right to see one is taken away, it is gone.
"""

from html import escape

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import DatetimeTickFormatter, Div, HoverTool, NumeralTickFormatter
from bokeh.palettes import Colorblind
from bokeh.plotting import figure

from apps_registry.data import Listed, MayNotSee, OpenDataset, list_datasets, open_dataset

COLUMNS = ("week", "orders", "revenue")
COLORS = [Colorblind[8][place] for place in (0, 5, 3, 7, 4, 1)]

# Whoever publishes another one and shares it adds a curve
listed = list_datasets("sales_", kind="table")
regions: dict[str, tuple[OpenDataset, str]] = {}

summary = Div(name="summary", sizing_mode="stretch_width", styles={"font-size": "1rem"})
plot = figure(
    name="plot",
    x_axis_type="datetime",
    title="Revenue per week",
    height=400,
    tools="",
    toolbar_location=None,
    sizing_mode="stretch_width",
    # On the ground of the page around
    background_fill_color=None,
    border_fill_color=None,
    outline_line_color=None,
)
plot.xaxis.formatter = DatetimeTickFormatter(days="%e %b", months="%b", years="%Y")
plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
layout = column(summary, sizing_mode="stretch_width")


def is_fit(dataset: OpenDataset) -> bool:
    """Whether it is what this app shows: people may call anything ``sales_``."""
    return dataset.columns.keys() >= set(COLUMNS)


def draw(region: Listed) -> None:
    """A curve for one more region."""
    dataset = open_dataset(region.name)
    if not is_fit(dataset):
        return
    color = COLORS[len(regions) % len(COLORS)]
    regions[region.name] = dataset, color
    source = dataset.source(COLUMNS, live=True)
    source.name = region.name
    plot.line("week", "revenue", source=source, line_width=3, color=color)
    dots = plot.scatter("week", "revenue", source=source, size=5, color=color)
    tooltip = f"{escape(str(region))}, week of @week{{%e %B}}: <b>@revenue{{0,0}}</b> from @orders orders"
    plot.add_tools(HoverTool(tooltips=tooltip, formatters={"@week": "datetime"}, renderers=[dots]))
    dataset.on_update(tell)


def told(region: Listed) -> str:
    """A line about one region."""
    dataset, color = regions[region.name]
    sold = dataset.to_pandas(["week", "revenue"])
    revenue, weeks = sold["revenue"].sum(), sold["week"].nunique()
    dot = f'<span aria-hidden="true" style="color: {color}">●</span>'
    by = escape(dataset.version.created_by)
    return f"{dot} <b>{escape(str(region))}</b>: {revenue:,.0f} in {weeks} week{'s' * (weeks != 1)}, published by {by}"


def tell() -> None:
    """Say what there is to see."""
    lines = []
    for region in listed:
        if region.name in regions and is_fit(regions[region.name][0]):
            try:
                lines.append(told(region))
            except MayNotSee:
                continue
    summary.text = (
        "<br>".join(lines) or "No sales are shared with you. When somebody does so, they show here."
    )
    plot.visible = bool(lines)


def show() -> None:
    """Show what is listed."""
    for region in listed:
        if region.name not in regions:
            try:
                draw(region)
            except MayNotSee:
                continue
    if regions and plot not in layout.children:
        layout.children = [summary, plot]
    tell()


listed.on_update(show)
show()
curdoc().add_root(layout)
curdoc().theme = "light_minimal"
curdoc().title = "Sales"
