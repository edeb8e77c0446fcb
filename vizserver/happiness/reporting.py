"""Reporting how happy one is, and the averages that this makes for others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import chain

from django.db import transaction
from django.utils import timezone

from .models import Average, Person, Report, Team

#: No number that somebody else sees has fewer people behind it.
SMALLEST_GROUP = 5


def todays_report(person: Person) -> Report:
    """What ``person`` has reported today, or a new report to be filled in."""
    today = timezone.localdate()
    report = Report.objects.filter(person=person, day=today).first()
    return report or Report(person=person, team=person.team, day=today)


@transaction.atomic
def report(person: Person, score: int, note: str = "") -> Report:
    """Keep what ``person`` reports of today, in place of what was reported before."""
    today = timezone.localdate()
    said = {"score": score, "note": note}
    kept, _ = Report.objects.update_or_create(
        person=person, day=today, defaults=said, create_defaults={**said, "team": person.team}
    )
    settle(today)
    return kept


@transaction.atomic
def settle(today: date) -> None:
    """Count the reports that may be counted, each group of five or more as a whole, and each report once.

    A group are the reports of a team that wait to be counted; on a day that is over, what is left of all teams
    together is one too. Each average is a sum of such groups, and so is the difference between any two of
    them, and between what one was and what it is: none of these tells of fewer than five people. Nor is it
    fewer when a lead subtracts what the own team has reported; and what was counted stays as it was said first.
    """
    # One at a time, or two transactions would each see a part of a group, or count one twice
    list(Team.objects.select_for_update().order_by("pk"))
    waiting: dict[tuple[date, int], list[Report]] = defaultdict(list)
    for report in Report.objects.filter(is_settled=False).order_by("pk"):
        waiting[report.day, report.team_id].append(report)
    counted: dict[tuple[date, int | None], list[Report]] = defaultdict(list)
    left: dict[date, list[list[Report]]] = defaultdict(list)
    for (day, team), reports in waiting.items():
        if len(reports) >= SMALLEST_GROUP:
            counted[day, team] += reports
            counted[day, None] += reports
        elif day < today:
            left[day].append(reports)
    for day, groups in left.items():
        if _hides_each(groups):
            counted[day, None] += chain(*groups)
    _count(counted)
    # What is too little on a day that is over is left out for good
    settled = [report.pk for report in chain(*counted.values(), *chain(*left.values()))]
    if settled:
        Report.objects.filter(pk__in=settled).update(is_settled=True)


def _hides_each(groups: Sequence[Sequence[Report]]) -> bool:
    """Whether these, taken together, are enough also for the lead of one of the teams, who knows its reports."""
    sizes = [len(reports) for reports in groups]
    return sum(sizes) - max(sizes) >= SMALLEST_GROUP


def _count(counted: Mapping[tuple[date, int | None], Sequence[Report]]) -> None:
    days = {day for day, _ in counted}
    known = {(average.day, average.team_id): average for average in Average.objects.filter(day__in=days)}
    for (day, team), reports in counted.items():
        average = known.get((day, team)) or Average(day=day, team_id=team, people=0, total=0)
        average.people += len(reports)
        average.total += sum(report.score for report in reports)
        average.save()
