"""My team's happiness: its average for everybody in it, and who leads it also sees each one.

Look at ``queryset_source``: it gives what the session's user may see of a model of the site, and of nothing else, by
the model's own ``visible_to``. So nothing here could show a report to somebody whom it is not for.
"""

from datetime import timedelta

import pandas as pd
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div
from bokeh.plotting import figure
from django.utils import timezone

from apps_registry.data import queryset_source
from vizserver.happiness.look import CELL, DARK, DAY, LIGHT, hover, mapper, plot
from vizserver.happiness.models import BEST, WORST, Average, Person, Report, Team
from vizserver.happiness.reporting import SMALLEST_GROUP

SHOWN_DAYS = 60
#: From the end of a week, as pandas has weeks, to its middle.
TO_WEDNESDAY = timedelta(days=-4)

# What the catalogue calls it, too, which does not run this
curdoc().title = "My team's happiness"
curdoc().theme = "light_minimal"
summary = Div(name="summary", sizing_mode="stretch_width", styles={"font-size": "1rem"})
page = column(summary, sizing_mode="stretch_width")


def show_average(team: Team, *below: figure) -> None:
    """The team's average of each day, and of each week, above other plots."""
    days = queryset_source(Average.objects.filter(team=team), ["day", "score", "people"], live=True)
    days.name = "averages"
    weeks = ColumnDataSource({"day": [], "score": []}, name="weeks")
    average = plot(name="average", title="Average", height=260, y_range=(WORST, BEST))
    dots = average.scatter("day", "score", source=days, size=5, color=LIGHT)
    average.line("day", "score", source=weeks, line_width=3, color=DARK)
    average.add_tools(hover("@day{%A %e %B}: <b>@score{0.0}</b>, @people people", renderers=[dots]))

    def show() -> None:
        frame = pd.DataFrame(days.data)
        page.children = [summary, *below] if frame.empty else [summary, average, *below]
        if frame.empty:
            summary.text = (
                f"There is no average yet: it needs {SMALLEST_GROUP} people of the team on the same day."
            )
            return
        last = frame.loc[frame["day"].idxmax()]
        means = frame.set_index("day")["score"].resample("W").mean().dropna()
        middles = means.index + TO_WEDNESDAY
        # Not in the future, when this week has just begun
        weeks.data = {"day": middles.where(middles <= last["day"], last["day"]), "score": means}
        summary.text = f"<b>{last['score']:.1f}</b> on {last['day']:%A %-d %B}, from {last['people']} people."

    days.on_change("data", lambda attr, old, new: show())
    show()


def plot_of_each(team: Team) -> figure:
    """What each of the team has reported lately, for leads."""
    since = timezone.localdate() - timedelta(days=SHOWN_DAYS)
    reports = Report.objects.filter(team=team, day__gt=since)
    source = queryset_source(
        reports, {"name": "person__user__username", "day": "day", "score": "score", "note": "note"}
    )
    source.name = "reports"
    names = [
        member.user.username for member in team.people.select_related("user").order_by("-user__username")
    ]
    each = plot(name="each", title="Each one", height=90 + 24 * len(names), y_range=names)
    color = {"field": "score", "transform": mapper()}
    each.rect("day", "name", source=source, width=0.86 * DAY, fill_color=color, **CELL)
    each.grid.grid_line_color = None
    each.add_tools(hover("@name, @day{%A %e %B}: <b>@score</b> @note"))
    return each


person = Person.of(curdoc().session_context.request.user)
if person is None:
    summary.text = "This is for people who are in a team."
elif person.is_lead:
    show_average(person.team, plot_of_each(person.team))
else:
    show_average(person.team)
if person is not None:
    curdoc().title = person.team.name
curdoc().add_root(page)
