"""The company's happiness: averages for everybody, with five or more people behind each number.

The rule is kept where the averages are made, by ``vizserver/happiness/reporting.py``. This app reads them, and could
not show more if it would.
"""

from datetime import timedelta

import pandas as pd
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColorBar, ColumnDataSource, Div
from django.utils import timezone

from apps_registry.data import queryset_source
from vizserver.happiness.look import CELL, DARK, DAY, hover, mapper, plot
from vizserver.happiness.models import BEST, WORST, Average

year = Average.objects.filter(day__gt=timezone.localdate() - timedelta(days=365))
# Not in the document, so it is not sent: the plots show what is made of it
averages = queryset_source(year, ["day", "team__name", "people", "total", "score"], live=True)
days = ColumnDataSource({"day": [], "score": [], "people": []}, name="days")
teams = ColumnDataSource({"week": [], "team": [], "score": []}, name="teams")
summary = Div(name="summary", sizing_mode="stretch_width", styles={"font-size": "1rem"})

curve = plot(name="curve", title="Everybody", height=240, y_range=(WORST, BEST))
curve.line("day", "score", source=days, line_width=2, color=DARK)
curve.scatter("day", "score", source=days, size=4, color=DARK)
curve.add_tools(hover("@day{%A %e %B}: <b>@score{0.0}</b>, @people people", mode="vline"))
# Averages keep to the middle
colors = mapper(WORST + 2, BEST - 1)
cells = plot(name="cells", title="Each team, by week", height=220, x_range=curve.x_range, y_range=[""])
color = {"field": "score", "transform": colors}
cells.rect("week", "team", source=teams, width=6.2 * DAY, fill_color=color, **CELL)
cells.grid.grid_line_color = None
cells.add_tools(hover("@team, week of @week{%e %B}: <b>@score{0.0}</b>"))
cells.add_layout(ColorBar(color_mapper=colors, height=8, background_fill_color=None), "below")
page = column(summary, sizing_mode="stretch_width")


def show() -> None:
    """Compute the curve and the cells from the averages."""
    frame = pd.DataFrame(averages.data).sort_values("day")
    company = frame[frame["team__name"].isna()]
    days.data = {name: company[name] for name in ("day", "score", "people")}
    show_teams(frame.dropna(subset="team__name"))
    plots = [each for each, rows in ((curve, days), (cells, teams)) if len(rows.data["score"])]
    page.children = [summary, *plots]
    if company.empty:
        summary.text = "There is nothing to see yet: each number needs five people."
        return
    last = company.iloc[-1]
    summary.text = (
        f"<b>{last['score']:.1f}</b> on {last['day']:%A %-d %B}, from {last['people']} people. "
        "No number has fewer than five people behind it."
    )


def show_teams(frame: pd.DataFrame) -> None:
    """Compute the cells: of each team and week, the mean of all that was counted."""
    if frame.empty:
        teams.data = {"week": [], "team": [], "score": []}
        return
    week = frame["day"].dt.to_period("W").dt.start_time.rename("week")
    sums = frame.groupby([week, "team__name"])[["total", "people"]].sum().reset_index()
    cells.y_range.factors = sorted(sums["team__name"].unique(), reverse=True)
    score = sums["total"] / sums["people"]
    teams.data = {"week": sums["week"], "team": sums["team__name"], "score": score}


averages.on_change("data", lambda attr, old, new: show())
show()
curdoc().add_root(page)
curdoc().theme = "light_minimal"
curdoc().title = "The company's happiness"
