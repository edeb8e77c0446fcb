"""Every way to the rows of data sets, for every kind of user and of data set: who gets which rows, and who none.

The operations of the HTTP API have the same table in ``tests/api/test_every_operation.py``. A way that stands in no
table here fails the first tests.
"""

from __future__ import annotations

import gc
import inspect
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from itertools import product
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from django.contrib.auth.context_processors import auth
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command, get_commands
from django.template import Context, Template
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from apps_registry import data as for_apps
from apps_registry.data import OpenDataset, list_datasets, open_dataset
from apps_registry.datasets.managing import delete
from apps_registry.exceptions import MayNotSee, VizserverError
from apps_registry.models import Dataset, GuestLink, VizApp
from apps_registry.models.data import DatasetQuerySet
from apps_registry.permissions import GuestUser
from apps_registry.testing import open_app
from apps_registry.urls import urlpatterns

from .data_doors import IN_CODE, Seen, Visitor, listed, look, nobody, numbers_in, page, words_in
from .plain_world import MAKER, ROLES, Grant, Person, Table, World, as_csv, holds, make, numbers, send
from .watching import Watching, until

NORTH = frozenset({"north"})
#: One of each kind. Those with a grant have it for all data sets, the owner owns all.
PEOPLE = {
    "stranger": Person(groups=NORTH),
    "viewer": Person(groups=NORTH),
    "viewer_by_group": Person(groups=frozenset({"viewers", "south"})),
    "publisher": Person(),
    "publisher_by_group": Person(groups=frozenset({"publishers"})),
    "owner_by_grant": Person(),
    "owner": Person(),
    "maker": Person(permission="publish_data"),
    "staff": Person(groups=NORTH, is_staff=True),
    "keeper": Person(groups=NORTH, is_staff=True, permission="change_dataset"),
    "superuser": Person(is_staff=True, is_superuser=True),
    "disabled": Person(groups=NORTH, is_active=False, is_staff=True),
    "disabled_superuser": Person(is_active=False, is_staff=True, is_superuser=True),
}
GRANTS = frozenset(
    {
        Grant("viewer"),
        Grant("viewers", is_group=True),
        Grant("publisher", "publish"),
        Grant("publishers", "publish", is_group=True),
        Grant("owner_by_grant", "manage"),
        Grant("disabled", "manage"),
    }
)
#: One row for each person and region, and some for nobody.
ROWS = (
    *(
        (name, region, 7)
        for name, region in zip(PEOPLE, ("north", "south", "west", "North") * 4, strict=False)
    ),
    ("", "", 7),
    (None, None, None),
)
RULES = {"": "", "username": "who", "groups": "team"}


def _table(**values: Any) -> Table:
    return Table(owner="owner", grants=GRANTS, rows=ROWS, **values)


TABLES = {
    f"{access}_{rule or 'all'}": _table(access=access, row_rule=rule, row_column=column)
    for access, (rule, column) in product(("public", "login", "grant"), RULES.items())
} | {
    "deleted_public": _table(access="public", is_deleted=True),
    "deleted_rule": _table(row_rule="groups", row_column="team", is_deleted=True),
    "letter": _table(kind="file"),
    "letter_rule": _table(kind="file", access="login", row_rule="username", row_column="who"),
}
WORLD = World(PEOPLE, TABLES)
#: Those of rows.
ROWED = {name: table for name, table in TABLES.items() if table.kind == "table"}
UNKNOWN = "unknown"


def right(visitor: Visitor, name: str) -> Seen:
    return None if name == UNKNOWN else numbers(WORLD, visitor.name, TABLES[name])


def may(visitor: Visitor, role: str, name: str) -> bool:
    return name != UNKNOWN and holds(WORLD, visitor.name, TABLES[name], role)


@pytest.fixture
def visitors(transactional_db: None, folders: Path) -> Iterator[list[Visitor]]:
    """Everybody, in a world that is there."""
    yield everybody()
    # The traceback of a refusal keeps the thread on which Django's client has run the view
    gc.collect()


def everybody() -> list[Visitor]:
    users = make(WORLD)
    row = VizApp.objects.create(name="app", source="app", enabled=True)
    link = GuestLink.objects.create(app=row, expires_at=timezone.now() + timedelta(days=1))
    return [nobody(), Visitor("", GuestUser(link)), *(Visitor(*pair) for pair in users.items())]


class Cells:
    """What differs from what is right."""

    def __init__(self) -> None:
        self.wrong: dict[str, Any] = {}

    def hold(self, visitor: Visitor, what: str, found: Any, expected: Any) -> None:
        if found != expected:
            self.wrong[f"{visitor.name or visitor.user} / {what}"] = f"{found}, should be {expected}"


# That nothing is missing


#: What app code can do with an opened data set: the door that tries it, or why there is none.
OF_OPENED = {
    "to_arrow": "to_arrow",
    "to_pandas": "to_pandas",
    "source": "source",
    "rows_for": "rows_for himself",
    "path": "test_files",
    "open": "test_files",
    "on_update": "test_live_sources_and_callbacks",
    "on_lost": "test_live_sources_and_callbacks",
    "name": "no rows",
    "version": "no rows",
    "columns": "no rows",
}
FOR_APPS = {
    "open_dataset": "IN_CODE",
    "OpenDataset": "OF_OPENED",
    "publish": "test_publishing",
    "share": "test_sharing_in_code",
    "list_datasets": "test_lists_name_what_can_be_opened",
    "DatasetList": "no rows",
    "Listed": "no rows",
    "Version": "no rows",
    "NO_LONGER_VISIBLE": "no rows",
    "MayNotPublish": "an error",
    "MayNotSee": "an error",
    "NothingPublished": "an error",
    # They know no data sets; tests/datasets/test_querysets.py has the ways to rows of models
    "PermittedQuerySet": "models",
    "QuerysetPages": "models",
    "queryset_pages": "models",
    "queryset_source": "models",
    "tell": "models",
}
OF_ROWS_IN_THE_DATABASE = {"existing": "whoever asks", "visible_to": "open", "publishable_by": "publish"} | {
    "manageable_by": "manage"
}
#: The pages, with what is needed for each.
PAGES = {
    "datasets": "",
    "dataset_new": "",
    "dataset": "open",
    "dataset_versions": "open",
    "dataset_upload": "publish",
    "dataset_sharing": "manage",
    "dataset_edit": "manage",
    "dataset_delete": "manage",
    "dataset_undelete": "manage",
}
#: Commands that take a data set. All but the first are for who runs the site, and ask for nobody's rights.
COMMANDS = {"publish", "grant", "revoke", "apitoken"}
#: Those that know nothing of data sets.
OTHER_COMMANDS = {
    *("bokehjson", "bokehsecret", "checkapp", "guestlink", "listapps", "newapp", "openings", "runbokeh"),
    *("setapp", "syncapps"),
}


def _public(thing: type) -> set[str]:
    return {
        name for name, value in vars(thing).items() if not name.startswith("_") and not inspect.isclass(value)
    }


def test_every_way_in_code_stands_in_a_table():
    assert _public(OpenDataset) == OF_OPENED.keys()
    assert {*for_apps.__all__} == FOR_APPS.keys()
    assert _public(DatasetQuerySet) == OF_ROWS_IN_THE_DATABASE.keys()
    tests = {name for name in globals() if name.startswith("test_")}
    ways = {*OF_OPENED.values(), *FOR_APPS.values()} - {"no rows", "an error", "models"}
    assert ways <= {*IN_CODE, *tests, "IN_CODE", "OF_OPENED"}


def test_every_page_and_command_stands_in_a_table():
    names = {str(getattr(pattern, "name", "")) for pattern in urlpatterns}
    assert {name for name in names if name.startswith("dataset")} == PAGES.keys()
    assert {
        str(pattern.pattern) for pattern in urlpatterns if str(pattern.pattern).startswith(("data", "api"))
    } <= {"api/", *(str(p.pattern) for p in urlpatterns if getattr(p, "name", None) in PAGES)}
    ours = {name for name, package in get_commands().items() if package == "apps_registry"}
    assert ours == COMMANDS | OTHER_COMMANDS


def test_there_is_somebody_for_every_cell():
    granted = {(grant.role, grant.is_group) for grant in GRANTS}
    assert granted >= {
        ("open", False),
        ("open", True),
        ("publish", False),
        ("publish", True),
        ("manage", False),
    }
    assert {table.row_rule for table in TABLES.values()} == {*Dataset.RowRule.values}
    assert {table.kind for table in TABLES.values()} == {*Dataset.Kind.values}
    # Some see some rows, and nobody's rows are all of them
    for name, table in ROWED.items():
        found = {len(seen) for person in PEOPLE if (seen := numbers(WORLD, person, table)) is not None}
        assert table.is_deleted or len(found) >= (2 if table.row_rule else 1), name


# In code


def test_open_dataset_gives_the_rows_that_are_right(visitors: list[Visitor]):
    cells = Cells()
    for visitor, name in product(visitors, (*ROWED, UNKNOWN)):
        for door, take in IN_CODE.items():
            cells.hold(visitor, f"{door} / {name}", take(visitor, name), right(visitor, name))
    assert not cells.wrong


def test_lists_name_what_can_be_opened(visitors: list[Visitor]):
    for visitor in visitors:
        named = set(list_datasets(user=visitor.user).names)
        expected = {name for name in (*TABLES, UNKNOWN) if may(visitor, "open", name)}
        assert named == expected, visitor.name


def test_rows_for_somebody_else_are_those_that_both_see(visitors: list[Visitor]):
    cells = Cells()
    who = {visitor.name: visitor for visitor in visitors}
    askers = [who[name] for name in ("owner", "viewer", "viewer_by_group", "keeper", "disabled")]
    for asker, other, name in product(askers, visitors, ("login_groups", "grant_username", "public_groups")):
        both = [right(asker, name), right(other, name)]
        expected = None if None in both else sorted(set(both[0] or ()) & set(both[1] or ()))
        try:
            found: Seen = numbers_in(open_dataset(name, user=asker.user).rows_for(other.user))
        except MayNotSee:
            found = None
        cells.hold(asker, f"as {other.name} / {name}", found, expected)
    assert not cells.wrong


def _sees_file(visitor: Visitor, name: str) -> bool:
    """A rule on rows cannot be kept to in a file: who does not see all rows does not get it."""
    return may(visitor, "open", name) and (not TABLES[name].row_rule or may(visitor, "publish", name))


def _read(opened: OpenDataset) -> bytes:
    with opened.open() as file:
        return file.read()


def test_files(visitors: list[Visitor]):
    cells = Cells()
    for visitor, name in product(visitors, ("letter", "letter_rule")):
        found = {}
        for way, take in {
            "open": _read,
            "path": lambda opened: opened.path.read_bytes(),
        }.items():
            try:
                found[way] = bool(take(open_dataset(name, user=visitor.user)))
            except MayNotSee:
                found[way] = False
        answer = visitor.browser.get(reverse("apps_registry:api:file", args=[name]))
        found["download"] = answer.status_code == 200 and bool(b"".join(answer.streaming_content))
        answer.close()
        cells.hold(visitor, name, found, dict.fromkeys(found, _sees_file(visitor, name)))
    assert not cells.wrong


def test_lists_in_code_hold_what_the_role_allows(visitors: list[Visitor]):
    cells = Cells()
    for visitor, (method, role) in product(visitors, OF_ROWS_IN_THE_DATABASE.items()):
        if role in ROLES:
            found = {one.name for one in getattr(Dataset.objects, method)(visitor.user)}
            cells.hold(visitor, method, found, {name for name in TABLES if may(visitor, role, name)})
    assert {one.name for one in Dataset.objects.existing()} == {
        name for name, table in TABLES.items() if not table.is_deleted
    }
    assert not cells.wrong


def test_sharing_in_code(visitors: list[Visitor]):
    cells, somebody = Cells(), User.objects.create(username="somebody")
    for visitor, name in product(visitors, TABLES):
        try:
            for_apps.share(name, somebody, user=visitor.user)
            found = True
        except VizserverError:
            found = False
        cells.hold(visitor, name, found, may(visitor, "manage", name))
    assert not cells.wrong


TEMPLATE = Template(
    "{% if perms.apps_registry.open_dataset %}open {% endif %}"
    "{% if perms.apps_registry.publish_dataset %}publish {% endif %}"
    "{% if perms.apps_registry.manage_dataset %}manage {% endif %}"
    "{% if perms.apps_registry.publish_data %}make {% endif %}"
)


def test_permissions_in_templates(visitors: list[Visitor]):
    """Templates ask without a data set: whether there is any with which the user may do it."""
    cells = Cells()
    for visitor in visitors:
        request = RequestFactory().get("/")
        request.user = visitor.user
        found = TEMPLATE.render(Context(auth(request))).split()
        any_of = {role for role in ROLES if any(may(visitor, role, name) for name in TABLES)}
        makes = ["make"] if visitor.name in ("maker", "superuser") else []
        cells.hold(visitor, "perms", found, [role for role in ROLES if role in any_of] + makes)
    assert not cells.wrong


# In a session

APP = {
    "app_hooks.py": """
        from apps_registry.data import MayNotSee, open_dataset

        def look(name):
            try:
                return open_dataset(name).to_arrow()["row"].to_pylist()
            except MayNotSee:
                return None

        def on_session_created(context):
            context.seen = {name: look(name) for name in NAMES}
    """,
    "main.py": """
        import contextvars, json, threading
        from bokeh.models import Button, Div
        from bokeh.plotting import curdoc
        from django.db import connections
        from apps_registry.data import MayNotSee, open_dataset

        document, button, found = curdoc(), Button(name="press"), {}
        text = Div(name="text")

        def look(name):
            try:
                return [int(number) for number in open_dataset(name).source().data["row"]]
            except MayNotSee:
                return None

        def look_at_all(way):
            found[way] = {name: look(name) for name in NAMES}

        def apart():
            look_at_all("thread")
            connections.close_all()

        def press():
            look_at_all("callback")
            thread = threading.Thread(target=contextvars.copy_context().run, args=(apart,))
            thread.start()
            thread.join()
            text.text = json.dumps(found)

        found["hook"] = document.session_context.seen
        look_at_all("main")
        button.on_click(press)
        document.add_root(button)
        document.add_root(text)
    """,
}


def test_apps_see_what_the_user_of_the_session_sees(visitors: list[Visitor], tmp_path: Path):
    names, cells = (*ROWED, UNKNOWN), Cells()
    (tmp_path / "app").mkdir()
    for file, text in APP.items():
        (tmp_path / "app" / file).write_text(f"NAMES = {names!r}\n{dedent(text)}")
    for visitor in visitors:
        with open_app(tmp_path / "app", user=visitor.user) as opened:
            opened.press("press")
            opened.wait()
            found = json.loads(opened.find("text").text)
        assert found.keys() == {"hook", "main", "callback", "thread"}
        for way, name in product(found, names):
            cells.hold(visitor, f"{way} / {name}", found[way][name], right(visitor, name))
    assert not cells.wrong


async def test_live_sources_and_callbacks(watched: Watching):
    """All at once: each session is told of what it may see, and follows only that."""
    visitors = await watched.workers.run(everybody)
    sources: dict[tuple[int, str], Any] = {}
    told: dict[tuple[int, str], list[str]] = {}

    def building(place: int, name: str) -> Callable[..., None]:
        def build(document: Any) -> None:
            try:
                opened = open_dataset(name)
            except MayNotSee:
                return
            key = (place, name)
            sources[key], told[key] = opened.source(["row"], live=True), []
            opened.on_update(lambda: told[key].append("update"))
            opened.on_lost(lambda: told[key].append("lost"))
            document.add_root(sources[key])

        return build

    names = ["public_username", "login_groups", "grant_all", "grant_groups", "deleted_rule"]
    for (place, visitor), name in product(enumerate(visitors), names):
        await watched.open(building(place, name), visitor.user)
    cells = Cells()
    _compare(cells, "at first", visitors, names, sources, ROWS)
    more = (*ROWS, ("viewer", "north", 1), ("stranger", "south", 1))
    await watched.workers.run(lambda: _publish_more(names, more))
    expected = {key for key in sources if key[1] != "deleted_rule"}
    await until(lambda: all(told[key] for key in expected))
    await watched.settled()
    _compare(cells, "then", visitors, names, sources, more)
    assert {key for key, words in told.items() if "update" in words} == expected
    # Nobody sees it any more
    await watched.workers.run(lambda: [_delete(name) for name in names])
    await until(lambda: all("lost" in told[key] for key in expected))
    await watched.settled()
    assert all(len(source.data["row"]) == 0 for source in sources.values())
    assert not cells.wrong


def _compare(
    cells: Cells, when: str, visitors: list[Visitor], names: list[str], sources: dict[Any, Any], rows: Any
) -> None:
    for (place, visitor), name in product(enumerate(visitors), names):
        source = sources.get((place, name))
        found = None if source is None else [int(number) for number in source.data["row"]]
        table = replace(TABLES[name], rows=rows)
        cells.hold(visitor, f"{when} / {name}", found, numbers(WORLD, visitor.name, table))


def _publish_more(names: list[str], rows: Any) -> None:
    maker = User.objects.get(username=MAKER)
    for name in names:
        if not TABLES[name].is_deleted:
            send(Dataset.objects.get(name=name), replace(TABLES[name], rows=rows), maker)


def _delete(name: str) -> None:
    dataset = Dataset.objects.get(name=name)
    if dataset.deleted_at is None:
        delete(dataset, User.objects.get(username=MAKER))


# Pages


def test_pages_show_the_rows_that_are_right(visitors: list[Visitor]):
    cells = Cells()
    names = ("public_username", "login_all", "login_groups", "grant_username", "deleted_public", UNKNOWN)
    for visitor, name in product(visitors, names):
        cells.hold(visitor, name, page(visitor, name), right(visitor, name))
    assert not cells.wrong


#: What the page of a data set offers, by the role that is needed for it.
PARTS = {
    "Upload a file here": "publish",
    "manage.py publish": "publish",
    "Who may see it": "manage",
    "How to use it": "open",
}


def _outcome(visitor: Visitor, name: str, one: str, role: str) -> str:
    """What is right for a page: ``open``, ``refused``, ``login``, or ``elsewhere`` for what only takes forms."""
    is_back = one == "dataset" and name != UNKNOWN and TABLES[name].is_deleted
    # Who could have it back is told so on its page
    if may(visitor, "manage" if is_back else role, name) and (
        role == "manage" or is_back or may(visitor, "open", name)
    ):
        return "elsewhere" if one == "dataset_undelete" else "open"
    is_inside = name != UNKNOWN and TABLES[name].access in ("public", "login") and not TABLES[name].is_deleted
    return "login" if is_inside and not visitor.is_login else "refused"


def _found(answer: Any) -> str:
    if answer.status_code == 302:
        return "login" if answer["Location"].startswith("/accounts/login/") else "elsewhere"
    return {200: "open", 403: "refused"}.get(answer.status_code, str(answer.status_code))


def _status(visitor: Visitor, address: str) -> int:
    answer = visitor.browser.get(address)
    if answer.streaming:
        assert b"".join(answer.streaming_content)
    answer.close()
    return int(answer.status_code)


def test_pages_open_to_whom_they_should_and_lead_nowhere_else(visitors: list[Visitor]):
    """What a page leads to, whoever sees it may ask for."""
    cells, led = Cells(), {}
    names = ("login_all", "grant_groups", "deleted_rule", "letter_rule", UNKNOWN)
    for visitor, name, (one, role) in product(visitors, names, PAGES.items()):
        if not role:
            continue
        answer = visitor.browser.get(reverse(f"apps_registry:{one}", args=[name]))
        cells.hold(visitor, f"{one} / {name}", _found(answer), _outcome(visitor, name, one, role))
        text = answer.content.decode()
        assert one == "dataset" or not words_in(text)
        if answer.status_code != 200:
            assert "maker of the world" not in text
            continue
        for address in {*re.findall(r'(?:href|src)="(/(?:data|api)/[^"#]*)"', text)}:
            if (visitor.name, address) not in led:
                led[visitor.name, address] = _status(visitor, address.replace("&amp;", "&"))
            cells.hold(visitor, f"{one} / {name} leads to {address}", led[visitor.name, address], 200)
        if one == "dataset" and not TABLES[name].is_deleted:
            offered = {part for part in PARTS if part in text}
            manages = {part for part, role in PARTS.items() if may(visitor, role, name)}
            cells.hold(visitor, f"what is offered with {name}", offered, manages)
    assert not cells.wrong


def test_lists_name_what_may_be_seen(visitors: list[Visitor]):
    cells = Cells()
    for visitor in visitors:
        seen = {name for name in TABLES if may(visitor, "open", name)}
        back = {name for name, table in TABLES.items() if table.is_deleted and may(visitor, "manage", name)}
        right = {"page": seen, "API": seen, "visible_to": seen, "deleted on the page": back}
        cells.hold(visitor, "lists", listed(visitor), right)
    assert not cells.wrong


def test_who_sees_some_rows_is_given_no_digest_of_all(visitors: list[Visitor]):
    cells = Cells()
    for visitor in visitors:
        for one in visitor.browser.get(reverse("apps_registry:api:datasets")).json()["items"]:
            sees_all = not TABLES[one["name"]].row_rule or may(visitor, "publish", one["name"])
            told = visitor.browser.get(reverse("apps_registry:api:dataset", args=[one["name"]])).json()
            found = {bool(about["newest"]["sha256"]) for about in (one, told)}
            cells.hold(visitor, one["name"], found, {sees_all})
    assert not cells.wrong


def test_as_somebody_else_sees_it(visitors: list[Visitor]):
    """A look through another one's eyes is for who manages the data set, and sees all of it himself."""
    cells = Cells()
    people = [visitor for visitor in visitors if visitor.name]
    askers = ("stranger", "viewer", "publisher", "owner", "keeper", "superuser", "disabled")
    for asker, other, name in product(people, people, ("login_groups", "grant_username", "deleted_rule")):
        if asker.name not in askers:
            continue
        sees_all = right(asker, name) == list(range(1, len(ROWS) + 1))
        may_look = sees_all and may(asker, "manage", name) and not other.is_off
        expected = right(other, name) if may_look else None
        cells.hold(asker, f"as {other.name} / {name}", look(asker.browser, other.name, name), expected)
    assert not cells.wrong


# The admin


def test_the_admin_shows_data_sets_to_who_manages_them_and_rows_to_nobody(visitors: list[Visitor]):
    cells = Cells()
    for visitor in visitors:
        person = PEOPLE.get(visitor.name)
        is_staff = person is not None and person.is_staff and person.is_active
        mine = {name for name in TABLES if is_staff and may(visitor, "manage", name)}
        found = visitor.browser.get(reverse("admin:apps_registry_dataset_changelist"))
        names = {name for name in TABLES if f">{name}<" in found.content.decode()}
        cells.hold(visitor, "list", names if found.status_code == 200 else set(), mine)
        for dataset, page_of in product(Dataset.objects.all(), ("change", "history", "delete")):
            answer = visitor.browser.get(reverse(f"admin:apps_registry_dataset_{page_of}", args=[dataset.pk]))
            is_open = answer.status_code == 200
            # Nobody deletes for good
            expected = dataset.name in mine and page_of != "delete"
            cells.hold(visitor, f"{page_of} / {dataset.name}", is_open, expected)
            assert not words_in(answer.content.decode())
    assert not cells.wrong


# Publishing


@pytest.mark.parametrize("way", ["command", "code"])
def test_publishing(visitors: list[Visitor], tmp_path: Path, way: str):
    """Who may publish a version, by the command and in code; nobody else leaves a trace, or learns what there is."""
    cells, file = Cells(), tmp_path / "more.csv"
    file.write_bytes(as_csv(TABLES["public_all"]))
    for visitor, name in product(visitors, (*ROWED, UNKNOWN)):
        if way == "command" and not visitor.name:
            continue
        before = Dataset.objects.filter(name=name).values_list("newest__number", flat=True).first()
        refusal = _publish(way, visitor, name, file)
        after = Dataset.objects.filter(name=name).values_list("newest__number", flat=True).first()
        makes = visitor.name in ("maker", "superuser") and name == UNKNOWN
        allowed = makes or may(visitor, "publish", name)
        cells.hold(visitor, f"{name}, a version", after != before, allowed)
        if not allowed and visitor.name not in ("maker", "superuser"):
            words = f"You may not {'publish' if may(visitor, 'open', name) else 'see'} '{name}'."
            cells.hold(visitor, f"{name}, the words", refusal, words)
        Dataset.objects.filter(name=UNKNOWN).delete()
    assert not cells.wrong


def _publish(way: str, visitor: Visitor, name: str, file: Path) -> str:
    """Publish, and give the words of the refusal."""
    try:
        if way == "code":
            for_apps.publish(name, file, user=visitor.user)
        else:
            options = ["--name", name, "--as", visitor.name]
            call_command("publish", str(file), *options, stdout=StringIO(), stderr=StringIO())
    except (CommandError, VizserverError) as refusal:
        return str(refusal)
    return ""
