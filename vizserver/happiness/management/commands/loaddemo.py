"""``manage.py loaddemo``: people, a year of their happiness, and what some of them sell."""

from __future__ import annotations

from argparse import ArgumentParser
from copy import copy
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import get_hasher
from django.contrib.auth.models import Group, Permission, User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from apps_registry.data import MayNotPublish, publish, share
from apps_registry.models import Access, Dataset, Grant, VizApp

from ...demo import people, sales
from ...models import Average, Person, Report, Team
from ...reporting import settle

#: No real address ends like this, so these are the users whom the demo has made.
MAIL = "@demo.invalid"
APPS = {
    "happiness_me": ("My happiness", Access.LOGIN),
    "happiness_team": ("My team's happiness", Access.LOGIN),
    "happiness_company": ("The company's happiness", Access.LOGIN),
    "sales": ("Sales", Access.GRANT),
}


class Command(BaseCommand):
    """Makes the demo, or what is missing of it."""

    help = (
        "Make people, teams, a year of happiness and three data sets, to look at, and switch the apps on that show "
        "them. Each demo user's password is the name. People and reports that are there stay as they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--flush", action="store_true", help="Take all of it away again, and make nothing."
        )
        parser.add_argument("--force", action="store_true", help="Make it also without DEBUG.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["flush"]:
            flush()
            self.stdout.write("The demo is gone.")
            return
        if not (settings.DEBUG or options["force"]):
            raise CommandError(
                "Whoever knows their names could log in as these users. Set DEBUG=1, or say --force."
            )
        today = timezone.localdate()
        with transaction.atomic():
            users = make_users()
            make_reports(today)
            open_apps()
        publish_sales(users, today)
        self.stdout.write(
            f"{len(users)} people in {len(people.TEAMS)} teams, and a year of their happiness.\n"
            "Log in as ana (leads Engineering), ben (is in her team), leo (leads a team of three) or vera (sees "
            "all sales). Each one's password is the name."
        )


def flush() -> None:
    """Delete the demo's users, with all that is theirs, and its group and teams, unless others are in them."""
    made = User.objects.filter(email__endswith=MAIL)
    with transaction.atomic():
        if made.exists():
            close_apps()
        Dataset.objects.filter(owner__in=made).delete()
        made.delete()
        Team.objects.filter(name__in=people.TEAMS, people=None, reports=None).delete()
        if not Person.objects.exists():
            Average.objects.all().delete()


def make_users() -> dict[str, User]:
    """The demo's users by their names, each a person in a team."""
    names = [name for team in people.TEAMS.values() for name in team]
    check_names(names)
    known = set(User.objects.filter(username__in=names).values_list("username", flat=True))
    User.objects.bulk_create(_user(name) for name in names if name not in known)
    users = {user.username: user for user in User.objects.filter(username__in=names)}
    for name, members in people.TEAMS.items():
        team, _ = Team.objects.get_or_create(name=name)
        for member in members:
            who = {"team": team, "is_lead": member == members[0]}
            Person.objects.get_or_create(user=users[member], defaults=who)
    return users


def check_names(names: list[str]) -> None:
    """Refuse to go on where users of these names, or the group, are there and none of the demo's."""
    strangers = User.objects.filter(username__in=names).exclude(email__endswith=MAIL)
    if strangers:
        raise CommandError(f"There is a user {strangers[0]} who is none of the demo's. Nothing was made.")
    group = Group.objects.filter(name=sales.GROUP).first()
    # What an empty one may do on this site, nobody shall get whose password is the name
    if group is not None and (not is_demos(group) or group.user_set.exclude(email__endswith=MAIL).exists()):
        raise CommandError(f"There is a group {group} that is none of the demo's. Nothing was made.")


def is_demos(group: Group) -> bool:
    """Whether it is the demo that has made a group: then there are people of the demo in it."""
    return group.user_set.filter(email__endswith=MAIL).exists()


def _user(name: str) -> User:
    # Forty slow hashes take a minute, and keep no secret: a login makes them as slow as all others
    hasher: Any = copy(get_hasher())
    hasher.iterations = 1000
    password = hasher.encode(name, hasher.salt())
    return User(username=name, first_name=name.title(), email=name + MAIL, password=password)


def make_reports(today: date) -> None:
    """A year of reports, and of today those of the early ones."""
    missing = []
    there = set(Report.objects.values_list("person", "day"))
    for person in Person.objects.filter(user__email__endswith=MAIL).select_related("user", "team"):
        name = person.user.username
        days = [day for day in people.days(today) if people.takes_part(name, day)]
        for day in days + [today] * (name in people.EARLY):
            if (person.pk, day) not in there:
                score, note = people.feeling(name, person.team.name, day)
                missing.append(Report(person=person, team=person.team, day=day, score=score, note=note))
    Report.objects.bulk_create(missing, batch_size=1000)
    settle(today)


def open_apps() -> None:
    """Switch the apps on, for those whom they are for."""
    group, _ = Group.objects.get_or_create(name=sales.GROUP)
    group.user_set.add(*User.objects.filter(person__team__name="Sales", email__endswith=MAIL))
    group.permissions.add(Permission.objects.get(codename="publish_data"))
    for name, (title, access) in APPS.items():
        app, _ = VizApp.objects.get_or_create(name=name)
        if not app.enabled:
            # By which ``close_apps`` knows that the app was off
            app.title = app.title or title
        app.source, app.enabled, app.access = name, True, access
        app.save()
    Grant.objects.get_or_create(app=VizApp.objects.get(name="sales"), group=group, role="open")


def close_apps() -> None:
    """Take back what ``open_apps`` has given."""
    for name, (title, access) in APPS.items():
        for app in VizApp.objects.filter(name=name, title=title, access=access, enabled=True):
            app.enabled = False
            app.save()
    group = Group.objects.filter(name=sales.GROUP).first()
    if group is None or not is_demos(group):
        return
    group.permissions.remove(Permission.objects.get(codename="publish_data"))
    Grant.objects.filter(app__name="sales", group=group, role="open").delete()
    if not group.user_set.exclude(email__endswith=MAIL).exists():
        group.delete()


def publish_sales(users: dict[str, User], today: date) -> None:
    """Publish what was sold up to last week, once a week, each region by its own publisher."""
    year, week, _ = today.isocalendar()
    for region in sales.REGIONS:
        publisher = users[region.publisher]
        try:
            publish(
                region.dataset,
                region.csv(today),
                user=publisher,
                format="csv",
                key=f"demo {year}-{week}",
                title=f"Sales {region.name.lower()}",
                tags=["sales"],
            )
        except MayNotPublish as error:
            raise CommandError(str(error)) from error
        for viewer in region.viewers:
            share(region.dataset, users[viewer], user=publisher)
