"""Happiness: who sees what of whom, what averages tell, the form, and the demo."""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given, settings as hypothesis, strategies as some
from playwright.async_api import Page, expect

from apps_registry.live.scanning import scan
from apps_registry.models import Dataset, DatasetVersion, Grant, GuestLink, VizApp
from apps_registry.permissions import GuestUser
from apps_registry.testing import AppSocket, OpenedApp, RunningServer, connect, open_app
from vizserver.happiness.demo import people
from vizserver.happiness.models import Average, Person, Report, Team
from vizserver.happiness.reporting import SMALLEST_GROUP, report, settle

from ..browsing import PHONE, log_in_on, overflows, problems_of, read, shoot, until
from ..serving import SAMPLES, Site, cookie_header, log_in, page_token, visit, ws_url

TODAY = date(2026, 3, 4)


def today_is(day: date) -> AbstractContextManager[Any]:
    """Another date, to the end of the block."""
    return mock.patch.object(timezone, "localdate", return_value=day)


def join(name: str, team: str, *, is_lead: bool = False, **fields: Any) -> Person:
    """A new user, as one of a team."""
    user = User.objects.create_user(name, **fields)
    return Person.objects.create(user=user, team=Team.objects.get_or_create(name=team)[0], is_lead=is_lead)


# Who sees which reports


@pytest.fixture
def company(db: None) -> dict[str, Person]:
    """Two teams, whose people have all reported today, each with a note ``the note of NAME``."""
    members = {
        "East": ("lena", "al", "bo", "cy", "di"),
        "West": ("max", "ed", "flo"),
    }
    company = {
        name: join(name, team, is_lead=name in ("lena", "max"))
        for team, names in members.items()
        for name in names
    }
    for score, (name, person) in enumerate(company.items(), start=1):
        report(person, score, f"the note of {name}")
    return company


EAST, WEST = {"lena", "al", "bo", "cy", "di"}, {"max", "ed", "flo"}


def seen_by(user: Any) -> set[str]:
    """Whose reports somebody sees."""
    return set(Report.objects.visible_to(user).values_list("person__user__username", flat=True))


@pytest.mark.parametrize(("name", "seen"), [("al", {"al"}), ("lena", EAST), ("max", WEST), ("ed", {"ed"})])
def test_one_sees_ones_own_reports_and_leads_those_of_their_team(
    company: dict[str, Person], name: str, seen: set[str]
):
    assert seen_by(company[name].user) == seen


@pytest.mark.django_db
def test_others_see_no_report(company: dict[str, Person]):
    app = VizApp.objects.create(name="happiness_company", source="happiness_company", enabled=True)
    guest = GuestUser(GuestLink(app=app, key="key"))
    gone = User.objects.get(username="lena")
    gone.is_active = False
    root = User.objects.create_superuser("root")
    for user in (None, AnonymousUser(), guest, gone, root):
        assert seen_by(user) == set()


def test_rights_go_with_what_one_is_and_reports_stay_with_their_team(company: dict[str, Person]):
    lena, al = company["lena"], company["al"]
    al.team = company["max"].team
    al.save()
    assert "al" not in seen_by(company["max"].user)
    assert seen_by(lena.user) == EAST
    with today_is(timezone.localdate() + timedelta(days=1)):
        report(al, 9, "elsewhere")
    assert seen_by(company["max"].user) == WEST | {"al"}
    assert not Report.objects.visible_to(lena.user).filter(note="elsewhere").exists()
    lena.is_lead = False
    lena.save()
    assert seen_by(lena.user) == {"lena"}


def test_averages_are_for_whoever_is_logged_in(company: dict[str, Person]):
    root = User.objects.create_superuser("root")
    assert Average.objects.visible_to(root).count() == 2
    assert Average.objects.visible_to(company["flo"].user).count() == 2
    for user in (None, AnonymousUser()):
        assert not Average.objects.visible_to(user).exists()


# What averages tell


def test_an_average_is_of_five_people_and_what_was_counted_stays(company: dict[str, Person]):
    of_east, of_all = Average.objects.order_by("-team")
    assert (of_east.team.name, of_east.people, of_east.total, of_east.score) == ("East", 5, 15, 3.0)
    # Those three of the West are missing: or it could be computed what they have said
    assert (of_all.team, of_all.people, of_all.total) == (None, 5, 15)
    report(company["al"], 10, "now it is better")
    assert Report.objects.get(person=company["al"]).score == 10
    assert list(Average.objects.values_list("total", flat=True)) == [15, 15]


def test_what_is_left_of_a_day_counts_for_the_company_if_it_hides_each_team(company: dict[str, Person]):
    today = timezone.localdate()
    for name in ("gil", "hal", "ina", "jo"):
        report(join(name, "North"), 10)
    settle(today + timedelta(days=1))
    # Seven are left; but whoever leads the North could take its four from them
    assert Average.objects.get(team=None).people == 5
    # And that is done with, also if others come who would hide them
    for name in ("kim", "lou", "mo"):
        person = join(name, "South")
        Report.objects.create(person=person, team=person.team, day=today, score=3)
    settle(today + timedelta(days=2))
    assert Average.objects.get(team=None).people == 5
    tomorrow = today + timedelta(days=1)
    for team in ("West", "North", "South"):
        for number in range(3):
            person = join(f"{team}{number}", team)
            Report.objects.create(person=person, team=person.team, day=tomorrow, score=number + 1)
    settle(tomorrow)
    assert not Average.objects.filter(day=tomorrow).exists()
    settle(tomorrow + timedelta(days=1))
    [average] = Average.objects.filter(day=tomorrow)
    assert (average.team, average.people, average.total) == (None, 9, 18)


type Figures = dict[tuple[date, str | None], tuple[int, int]]


def figures() -> Figures:
    """All that the company app shows: of each day and team (None: the company), the people and their sum."""
    rows = Average.objects.values_list("day", "team__name", "people", "total")
    return {(day, team): (people, total) for day, team, people, total in rows}


def said() -> dict[date, dict[str, list[int]]]:
    """The scores that wait to be counted, by day and team."""
    waiting: dict[date, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for day, team, score in Report.objects.filter(is_settled=False).values_list("day", "team__name", "score"):
        waiting[day][team].append(score)
    return waiting


def growth(before: Figures, after: Figures, day: date) -> dict[str | None, tuple[int, int]]:
    """What was added to the figures of a day."""
    pairs = {team: (before.get((day, team), (0, 0)), now) for (of, team), now in after.items() if of == day}
    return {team: (now[0] - then[0], now[1] - then[1]) for team, (then, now) in pairs.items()}


def check_step(before: Figures, after: Figures, waiting: dict[date, dict[str, list[int]]]) -> None:
    """What was added to each figure is a whole group of five or more, and no other."""
    assert before.keys() <= after.keys()
    for day in {day for day, _ in after}:
        grown = growth(before, after, day)
        company, total = grown.pop(None)
        counted = {team for team, (number, _) in grown.items() if number}
        for team in counted:
            scores = waiting[day][team]
            assert grown[team] == (len(scores), sum(scores))
            assert len(scores) >= SMALLEST_GROUP
        rest = {team: scores for team, scores in waiting[day].items() if team not in counted}
        if company == sum(grown[team][0] for team in counted):
            rest = {}
        assert company == sum(map(len, rest.values())) + sum(grown[team][0] for team in counted)
        assert total == sum(map(sum, rest.values())) + sum(grown[team][1] for team in counted)
        # Whoever leads one of these teams knows what it has said
        others = [sum(map(len, rest.values())) - len(scores) for scores in rest.values()]
        assert all(number >= SMALLEST_GROUP for number in others)


TEAMS = ("A", "B", "C", "D")
REPORTS = some.lists(some.tuples(some.integers(0, 19), some.integers(1, 10)), min_size=1, max_size=30)
#: Each day: who moves to which team, and who then reports what.
DAYS = some.lists(
    some.tuples(some.lists(some.tuples(some.integers(0, 19), some.sampled_from(TEAMS)), max_size=2), REPORTS),
    min_size=1,
    max_size=3,
)


@pytest.mark.django_db
@hypothesis(max_examples=40, deadline=None, derandomize=True)
@given(sizes=some.lists(some.integers(1, 8), min_size=4, max_size=4), days=DAYS)
def test_no_figure_and_no_difference_of_figures_tells_of_fewer_than_five(
    sizes: list[int], days: list[tuple[Any, list[tuple[int, int]]]]
):
    with transaction.atomic():
        staff = [
            join(f"{team}{n}", team) for team, size in zip(TEAMS, sizes, strict=True) for n in range(size)
        ]
        for number, (moves, reports) in enumerate(days):
            for who, team in moves:
                staff[who % len(staff)].team = Team.objects.get(name=team)
                staff[who % len(staff)].save()
            with today_is(TODAY + timedelta(days=number)):
                for who, score in reports:
                    report_and_check(staff[who % len(staff)], score)
        with today_is(TODAY + timedelta(days=len(days))):
            report_and_check(staff[0], 5)
        transaction.set_rollback(True)


def report_and_check(person: Person, score: int) -> None:
    """Report, and look at what all see before and after."""
    before = figures()
    # What is about to be said waits too
    with mock.patch("vizserver.happiness.reporting.settle"):
        report(person, score)
    waiting = said()
    report(person, score)
    check_step(before, figures(), waiting)


# The apps: what reaches a browser


@pytest.fixture
def committed(transactional_db: None, company: dict[str, Person]) -> dict[str, Person]:
    """The company, as apps see it, which work on threads of their own."""
    return company


def opened(name: str, user: Any) -> AbstractContextManager[OpenedApp]:
    return open_app(SAMPLES / name, user=user)


def sent(app: OpenedApp) -> str:
    """What a browser gets, as text."""
    return json.dumps(app.document.to_json(deferred=False))


def notes_in(app: OpenedApp) -> set[str]:
    """Whose notes a document holds."""
    text = sent(app)
    return {name for name in EAST | WEST if f'the note of {name}"' in text}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "user", "seen"),
    [
        ("me", "al", {"al"}),
        ("me", "lena", {"lena"}),
        ("team", "al", set()),
        ("team", "lena", EAST),
        ("team", "max", WEST),
        ("company", "lena", set()),
        ("company", "flo", set()),
        *((name, who, set()) for name in ("me", "team", "company") for who in ("root", None)),
    ],
)
def test_an_app_holds_what_its_viewer_may_see(
    committed: dict[str, Person], name: str, user: str | None, seen: set[str]
):
    User.objects.create_superuser("root")
    viewer = User.objects.get(username=user) if user else None
    with opened(f"happiness_{name}", viewer) as app:
        assert notes_in(app) == seen
        if name != "team":
            others = (EAST | WEST) - {user}
            text = sent(app)
            assert not [other for other in others if f'"{other}"' in text]


@pytest.mark.django_db(transaction=True)
def test_the_company_app_shows_the_figures_that_there_are(committed: dict[str, Person]):
    with opened("happiness_company", committed["flo"].user) as app:
        assert app.find("summary").text.startswith("<b>3.0</b>")
        assert "from 5 people" in app.find("summary").text
        assert list(app.find("teams").data["team"]) == ["East"]
    with opened("happiness_team", committed["flo"].user) as app:
        assert "There is no average yet: it needs 5 people" in app.find("summary").text
    with opened("happiness_me", committed["flo"].user) as app:
        assert list(app.find("days").data["score"]) == [8]


@pytest.mark.django_db(transaction=True)
def test_weeks_go_from_monday_to_sunday_and_not_into_the_future(transactional_db: None):
    flo = join("flo", "West")
    # Two Sundays, a Monday and a Tuesday
    for day, score in (
        (date(2026, 3, 1), 2),
        (date(2026, 3, 8), 4),
        (date(2026, 3, 9), 6),
        (date(2026, 3, 10), 8),
    ):
        Average.objects.create(team=flo.team, day=day, people=5, total=5 * score)
    with opened("happiness_team", flo.user) as app:
        weeks = app.find("weeks").data
        days = [str(pd.Timestamp(day).date()) for day in weeks["day"]]
        assert dict(zip(days, weeks["score"], strict=True)) == {
            "2026-02-25": 2,
            "2026-03-04": 4,
            "2026-03-10": 7,
        }


@pytest.mark.parametrize(("name", "title"), [("happiness_team", "My team's happiness"), ("tides", "Tides")])
def test_the_catalogue_has_words_for_an_app_whose_title_depends(name: str, title: str):
    main = SAMPLES / name / "main.py"
    assert scan([main], main).title == title


# The form


@pytest.fixture
def al(db: None, client: Client) -> Person:
    """Somebody in a team, who is logged in."""
    person = join("al", "East")
    client.force_login(person.user)
    return person


def test_a_report_is_saved_and_can_be_changed(al: Person, client: Client):
    page = client.get(reverse("happiness:team"))
    assert b"How happy are you today?" in page.content
    done = client.post(reverse("happiness:team"), {"score": "4", "note": "<b>so so</b>"}, follow=True)
    assert done.redirect_chain == [(reverse("happiness:team"), 302)]
    assert b"Saved." in done.content
    assert b"&lt;b&gt;so so&lt;/b&gt;" in done.content
    assert done.context["form"]["score"].value() == 4
    client.post(reverse("happiness:me"), {"score": "9", "note": ""})
    [report] = Report.objects.all()
    assert (report.person, report.team, report.score, report.note) == (al, al.team, 9, "")


def test_a_page_of_yesterday_saves_nothing_for_today(al: Person, client: Client):
    address = reverse("happiness:me")
    day = re.compile(rb'name="day" value="([-\d]+)"')
    with today_is(TODAY):
        form = {
            "score": "3",
            "note": "a long day",
            "day": day.findall(client.get(address).content)[0].decode(),
        }
    assert form["day"] == "2026-03-04"
    with today_is(TODAY + timedelta(days=1)):
        page = client.post(address, form)
        assert not Report.objects.exists()
        said = page.content.decode()
        assert "Another day has begun since this page was loaded, and nothing is saved." in said
        assert "Today, 5 March" in said
        # All that was entered is there, and what is sent now is of today
        assert 'value="a long day"' in said
        assert page.context["form"]["score"].value() == "3"
        form["day"] = day.findall(page.content)[0].decode()
        assert client.post(address, form | {"day": "x"}).status_code == 200
        assert not Report.objects.exists()
        client.post(address, form)
        assert [report.day for report in Report.objects.all()] == [TODAY + timedelta(days=1)]


@pytest.mark.parametrize("score", ["", "0", "11", "x", "5.5"])
def test_what_is_no_score_is_told(al: Person, client: Client, score: str):
    page = client.post(reverse("happiness:me"), {"score": score, "note": "n" * 201})
    assert page.status_code == 200
    assert b"Choose a number" in page.content
    assert b"at most 200 characters" in page.content
    assert not Report.objects.exists()


@pytest.mark.django_db
def test_the_form_is_for_people_in_a_team(client: Client):
    login = f"{reverse('login')}?next={reverse('happiness:company')}"
    assert client.get(reverse("happiness:company")).url == login
    assert client.post(reverse("happiness:company"), {"score": "5"}).url == login
    client.force_login(User.objects.create_user("stranger"))
    page = client.get(reverse("happiness:company"))
    assert b"You are in no team yet" in page.content
    assert b'type="submit">Save' not in page.content
    assert client.post(reverse("happiness:company"), {"score": "5"}).status_code == 403


# The demo and what it shows


@pytest.fixture
def loaddemo(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``manage.py loaddemo`` with data of a few days."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.DEBUG = True
    monkeypatch.setattr(people, "DAYS", 10)
    return lambda **options: call_command("loaddemo", **options)


def counts() -> list[int]:
    models = (User, Team, Person, Report, Average, VizApp, Grant, Dataset, DatasetVersion)
    return [model.objects.count() for model in models]


def test_the_demo_is_made_once_and_taken_away(loaddemo: Callable[..., None], client: Client):
    empty = counts()
    loaddemo()
    made, settled = counts(), list(Average.objects.values_list("pk", "people", "total"))
    assert made[0] - empty[0] == sum(map(len, people.TEAMS.values()))
    assert made[-2:] == [3, 3]
    loaddemo()
    assert counts() == made
    assert list(Average.objects.values_list("pk", "people", "total")) == settled
    assert not Average.objects.filter(team__name="Legal").exists()
    assert client.login(username="ana", password="ana")
    User.objects.create_user("other")
    loaddemo(flush=True)
    assert User.objects.filter(username="other").exists()
    assert [*counts()[1:5], *counts()[-2:]] == [0, 0, 0, 0, 0, 0]


def test_the_demo_is_for_development_unless_somebody_insists(loaddemo: Callable[..., None], settings: Any):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="Set DEBUG=1, or say --force"):
        loaddemo()
    assert not Person.objects.exists()
    loaddemo(force=True)
    assert Person.objects.exists()


def test_a_user_who_is_not_the_demos_is_left_alone(loaddemo: Callable[..., None]):
    vera = User.objects.create_user("vera", password="her own")
    with pytest.raises(CommandError, match="There is a user vera"):
        loaddemo()
    assert list(User.objects.filter(pk=vera.pk)) == [vera]
    assert not Person.objects.exists()


@pytest.mark.parametrize("members", [["rita"], ["rita", "vera"], []])
def test_a_group_that_is_not_the_demos_is_left_alone(loaddemo: Callable[..., None], members: list[str]):
    group = Group.objects.create(name="Sales")
    for name in members:
        User.objects.create_user(name, email=f"{name}@demo.invalid" if name == "vera" else "").groups.add(
            group
        )
    with pytest.raises(CommandError, match="There is a group Sales"):
        loaddemo()
    assert {user.username for user in group.user_set.all()} == {*members}
    assert not group.permissions.exists()
    assert not Person.objects.exists()


def test_what_the_demo_gave_is_taken_back(loaddemo: Callable[..., None]):
    # As where the apps were found with DEBUG, and without
    VizApp.objects.create(name="happiness_me", source="happiness_me", enabled=True)
    VizApp.objects.create(name="happiness_team", source="happiness_team")
    loaddemo()
    assert VizApp.objects.filter(enabled=True).count() == 4
    loaddemo()
    loaddemo(flush=True)
    assert not Group.objects.exists()
    assert not Grant.objects.exists()
    assert list(VizApp.objects.filter(enabled=True).values_list("name", flat=True)) == ["happiness_me"]
    loaddemo()
    assert VizApp.objects.filter(enabled=True).count() == 4


def test_who_has_joined_the_group_of_the_demo_stays_in_it(loaddemo: Callable[..., None]):
    loaddemo()
    group = Group.objects.get(name="Sales")
    rita = User.objects.create_user("rita")
    rita.groups.add(group)
    loaddemo(flush=True)
    assert list(group.user_set.all()) == [rita]
    assert not group.permissions.exists()
    assert not Grant.objects.exists()


def test_a_flush_without_a_demo_takes_nothing(loaddemo: Callable[..., None]):
    group = Group.objects.create(name="Sales")
    group.permissions.add(Permission.objects.get(codename="publish_data"))
    sales = VizApp.objects.create(name="sales", source="sales", title="Sales", enabled=True, access="grant")
    Grant.objects.create(app=sales, group=group)
    loaddemo(flush=True)
    assert group.permissions.exists()
    assert Grant.objects.exists()
    assert VizApp.objects.get(name="sales").enabled


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("vera", {"sales_north", "sales_south", "sales_west"}),
        ("nora", {"sales_north", "sales_south"}),
        ("saul", {"sales_south"}),
        ("wes", {"sales_west"}),
        ("zoe", set()),
    ],
)
def test_a_viewer_of_sales_sees_what_is_shared(
    transactional_db: None, loaddemo: Callable[..., None], name: str, seen: set[str]
):
    loaddemo()
    every = {"sales_north", "sales_south", "sales_west"}
    with opened("sales", User.objects.get(username=name)) as app:
        assert {found for found in every if app.document.get_model_by_name(found)} == seen
        for source in seen:
            assert len(app.find(source).data["week"]) == 52
            assert "in 52 weeks, published by" in app.find("summary").text
        assert ("No sales are shared" in app.find("summary").text) == (not seen)
        text = sent(app)
        assert not [other for other in every - seen if other.replace("_", " ").capitalize() in text]


# On a server


@pytest.fixture(scope="module")
def server(demo_site: Site) -> Iterator[RunningServer]:
    """The whole site with its demo, as ``make run`` serves it."""
    with demo_site.serve(debug=True, NOTICE_SECONDS=0.1) as server:
        yield server


async def visit_as(page: Page, server: RunningServer, name: str, path: str) -> list[str]:
    """Log in, go to a page with an app in it, and wait until that is there; gives the problems of the page."""
    problems = problems_of(page)
    await log_in_on(page, server, name, path)
    await has_app(page)
    return problems


async def has_app(page: Page) -> None:
    """Wait until the app in a page is there and drawn."""
    await page.wait_for_function("() => window.Bokeh?.documents?.length === 1 && Bokeh.documents[0].is_idle")


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_somebody_reports_and_others_see_it(server: RunningServer, new_page: Any):
    leads, others, bens = await new_page(), await new_page(), await new_page(viewport=PHONE)
    problems = [
        await visit_as(leads, server, "ana", "/happiness/team/"),
        await visit_as(others, server, "zoe", "/happiness/company/"),
        await visit_as(bens, server, "ben", "/happiness/"),
    ]
    assert "a wonderful day" not in await read(leads, "column('reports', 'note')")
    before = await read(others, "model('summary').text")
    await bens.get_by_role("radio", name="10").check()
    await bens.get_by_label("A note").fill("a wonderful day")
    await bens.get_by_role("button", name="Save").click()
    await expect(bens.get_by_role("status").first).to_contain_text("Saved.")
    await until(leads, "column('reports', 'note').includes('a wonderful day')")
    # With four who had reported already, he is the fifth of his team: all see a new average, and no note
    await until(others, f"model('summary').text !== {json.dumps(before)}")
    assert "from 5 people" in await read(others, "model('summary').text")
    await until(leads, "model('summary').text.includes('from 5 people')")
    assert "wonderful" not in await others.evaluate("JSON.stringify(Bokeh.documents[0].to_json())")
    # The form has loaded his page anew
    await has_app(bens)
    await until(bens, "column('days', 'note').includes('a wonderful day')")
    assert not await overflows(bens)
    for name, page in (("ana", leads), ("zoe", others), ("ben", bens)):
        await shoot(page, f"happiness-{name}")
    # Where there is no card around it, such an app follows the theme too
    turned = "getComputedStyle(document.querySelector('.ar-stage')).filter !== 'none'"
    await others.emulate_media(color_scheme="dark")
    await others.goto(f"{server.url}/apps/sales")
    await has_app(others)
    assert await others.evaluate(turned)
    await others.get_by_label("Colours").select_option("light")
    assert not await others.evaluate(turned)
    assert problems == [[], [], []]


def sales_of(server: RunningServer, name: str) -> AppSocket:
    """A tab on the app ``sales``, which somebody has opened."""
    with visit(server) as client:
        log_in(client, name)
        token = page_token(server, "sales", client=client)
        return connect(ws_url(server, "sales"), token, cookie_header(client) | {"Origin": server.url})


async def test_what_one_publishes_reaches_those_with_whom_it_is_shared(
    server: RunningServer, demo_site: Site, tmp_path: Path
):
    week = tmp_path / "week.csv"
    week.write_text("week,orders,revenue\n2026-11-23,300,25000.5\n")
    async with sales_of(server, "nora") as noras, sales_of(server, "wes") as wes:
        assert noras.document.get_model_by_name("sales_west") is None
        assert wes.document.get_model_by_name("sales_south") is None
        done = await asyncio.to_thread(
            demo_site.manage, "publish", week, "--name", "sales_south", "--as", "saul", "--append"
        )
        assert "53 rows" in done
        while len(noras.find("sales_south").data["week"]) < 53:
            await noras.patch()
        assert noras.find("sales_south").data["revenue"][-1] == 25000.5
        while "in 53 weeks" not in noras.find("summary").text:
            await noras.patch()
        await asyncio.to_thread(demo_site.manage, "revoke", "view", "sales_south", "--user", "nora")
        while len(noras.find("sales_south").data["week"]):
            await noras.patch()
        while "Sales south" in noras.find("summary").text:
            await noras.patch()
        assert "Sales north" in noras.find("summary").text
        await wes.idle()
        assert wes.patches == []
        await asyncio.to_thread(demo_site.manage, "grant", "view", "sales_south", "--user", "wes")
        while "Sales south" not in wes.find("summary").text:
            await wes.patch()
        assert len(wes.find("sales_south").data["week"]) == 53
        assert len(wes.find("plot").renderers) == 4
