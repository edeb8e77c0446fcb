"""My happiness: the days that one has reported oneself, and nobody else's.

Look at ``days``: a source that follows the table of reports. A day is there as soon as it is reported, wherever that is
done, and ``show`` then computes the rest anew.
"""

import pandas as pd
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div
from django.db.models.functions import ExtractIsoWeekDay, TruncWeek

from apps_registry.data import queryset_source
from vizserver.happiness.look import CELL, DARK, DAY, hover, mapper, plot
from vizserver.happiness.models import BEST, WORST, Person, Report

WEEKDAYS = {1: "Mon", 2: "Tue", 3: "Wed", 4: "Thu", 5: "Fri", 6: "Sat", 7: "Sun"}

person = Person.of(curdoc().session_context.request.user)
reports = Report.objects.filter(person=person).annotate(
    week=TruncWeek("day"), weekday=ExtractIsoWeekDay("day")
)
days = queryset_source(reports, ["day", "week", "weekday", "score", "note"], live=True)
days.name = "days"
weeks = ColumnDataSource({"week": [], "score": []}, name="weeks")
summary = Div(name="summary", sizing_mode="stretch_width", styles={"font-size": "1rem"})

calendar = plot(name="calendar", title="Each day", height=190, y_range=(7.6, 0.4))
color = {"field": "score", "transform": mapper()}
calendar.rect("week", "weekday", source=days, width=6.2 * DAY, fill_color=color, **CELL)
calendar.yaxis.ticker = list(WEEKDAYS)
calendar.yaxis.major_label_overrides = WEEKDAYS
calendar.grid.grid_line_color = None
calendar.add_tools(hover("@day{%A %e %B}: <b>@score</b> @note"))
curve = plot(name="curve", title="Each week", height=220, x_range=calendar.x_range, y_range=(WORST, BEST))
curve.line("week", "score", source=weeks, line_width=3, color=DARK)
page = column(summary, sizing_mode="stretch_width")


def show() -> None:
    """Compute what follows from the days."""
    frame = pd.DataFrame(days.data)
    page.children = [summary] if frame.empty else [summary, calendar, curve]
    if frame.empty:
        summary.text = "You have not reported yet." if person else "This is for people who are in a team."
        return
    means = frame.groupby("week")["score"].mean()
    weeks.data = {"week": means.index, "score": means}
    last = frame.loc[frame["day"].idxmax()]
    summary.text = (
        f"<b>{last['score']} of {BEST}</b> on {last['day']:%A %-d %B}, {means.iloc[-1]:.1f} in that week, "
        f"{frame['score'].mean():.1f} on all {len(frame)} days that you have reported."
    )


days.on_change("data", lambda attr, old, new: show())
show()
curdoc().add_root(page)
curdoc().theme = "light_minimal"
curdoc().title = "My happiness"
