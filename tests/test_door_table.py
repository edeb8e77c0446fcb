"""Every door, for every kind of app and every kind of visitor: what is let in, and what nobody hears of.

The doors are those of ``apps_registry.urls``, and those that are no addresses: socket, listing, template tag, admin,
command. A door that stands in no table here fails the first test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id
from django.apps import apps as django_apps
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.core.management import call_command, get_commands, load_command_class
from django.template import Context, Template
from django.test import RequestFactory
from websockets import ConnectionClosed, InvalidStatus

from apps_registry import tokens
from apps_registry.management.registry_command import RegistryCommand
from apps_registry.templatetags.apps_registry import register
from apps_registry.testing import RunningServer, connect
from apps_registry.urls import urlpatterns

from . import door_world as world
from .door_world import APPS, GUESTS, ROWS, UNKNOWN, USERS, VISITORS, Keys
from .serving import Site

#: What is right for a visitor and an app.
OPEN, LOGIN, HIDDEN = "open", "login", "hidden"
_BY_GRANT = {"granted by user", "granted by group", "manager", "guest"}
_NO_LOGIN = {"anonymous", *GUESTS, *world.DISABLED}
#: Who sees tracebacks.
_STAFF = {"manager", "staff", "keeper", "superuser"}


def right(visitor: str, app: str) -> str:
    """What the visitor may: the table that all doors are held against."""
    if app in ("missing_app", UNKNOWN):
        return HIDDEN
    return right_by_row(visitor, app)


def right_by_row(visitor: str, app: str) -> str:
    """The same, whether or not the files are there."""
    row = {"enabled": True, "access": "public", **ROWS[app]}
    if visitor == "superuser":
        return OPEN
    if not row["enabled"]:
        return HIDDEN
    if row["access"] == "public" or visitor == "guest":
        return OPEN
    if row["access"] == "login" and visitor in _NO_LOGIN:
        return LOGIN
    is_granted = visitor in _BY_GRANT and app in world.GRANTED
    return OPEN if row["access"] == "login" or is_granted else HIDDEN


#: Enough visitors where it is not the right that is in question.
SOME = ("anonymous", "stranger", "granted by user", "superuser")

# The site


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("doors")
    return Site(folder, folder / "journal.txt")


@pytest.fixture(scope="module")
def keys(place: Site) -> Keys:
    place.make()
    return world.furnish_site(place)


@pytest.fixture(scope="module")
def server(place: Site, keys: Keys) -> Iterator[RunningServer]:
    """Everything on one server, without DEBUG; two of its users are switched off while they are logged in."""
    apps = place.folder / "apps"
    world.write_apps(apps)
    settings = {"APP_DIRS": [str(apps)], "BLANK_APP": True, "STOP_TIMEOUT": 1}
    with place.serve(**settings) as server:
        for visitor in world.DISABLED:
            page = httpx.get(f"{server.url}/apps/login_on", headers=keys.cookies(visitor, "login_on"))
            assert page.status_code == 200, "He should have been logged in until now."
        world.switch_off_users(place)
        yield server
    for word in ("Internal Server Error", "Exception in", "Exception inside"):
        assert word not in server.output, server.output


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    """A client that keeps no cookies, so that each cell brings its own."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        client.cookies.jar.set_policy(SimpleNamespace(set_ok=lambda *_: False, **_POLICY))
        yield client


_POLICY = {
    "netscape": True,
    "rfc2965": False,
    "hide_cookie2": False,
    "return_ok": lambda *_: False,
    "domain_return_ok": lambda *_: False,
    "path_return_ok": lambda *_: False,
}

# Doors that are asked over HTTP


type Shows = Callable[[str, httpx.Response], bool]

_PAGE = {"Accept": "text/html"}
_SCRIPT = {"Accept": "*/*", "Sec-Fetch-Dest": "script"}


def _is_page(app: str, answer: httpx.Response) -> bool:
    return world.title(app) in answer.text and 'id="apps-registry-session"' in answer.text


@dataclass(frozen=True)
class Door:
    """How to knock at a door, and what it answers."""

    path: str
    headers: dict[str, str]
    #: Whether this answer, with status 200, is what lies behind the door
    shows: Shows
    #: The answer to somebody who could log in; a page sends him to the login
    login: str = "401"
    #: Who is let in and yet hears that there is nothing, as all do who are not let in
    opens_to: frozenset[str] = frozenset(VISITORS)


#: By the name of the URL pattern, or by the pattern when it has none.
DOORS: dict[str, Door] = {
    "app": Door("/apps/{name}?region=EU&x=1", _PAGE, _is_page, login="login"),
    "metadata": Door(
        "/apps/{name}/metadata",
        {"Accept": "application/json"},
        lambda app, answer: answer.json()["url"] == f"/apps/{app}",
    ),
    "failure": Door(
        "/apps/{name}/errors/{reference}",
        _PAGE,
        lambda app, answer: answer.text == f"Trace of {app}",
        login="login",
        opens_to=frozenset(_STAFF),
    ),
    "autoload": Door(
        "/apps/{name}/autoload.js?bokeh-autoload-element=here",
        _SCRIPT,
        lambda app, answer: f"/apps/{app}" in answer.text and '"token"' in answer.text,
    ),
    "session": Door(
        "/apps/{name}/session?region=EU",
        {"Accept": "*/*", "Sec-Fetch-Dest": "empty"},
        lambda app, answer: answer.json()["title"] == world.title(app) and answer.json()["token"],
    ),
    "thumbnail": Door(
        "/apps/{name}/thumbnail",
        {"Accept": "image/*", "Sec-Fetch-Dest": "image"},
        lambda app, answer: answer.content == world.PICTURE,
    ),
    "static": Door(
        "/apps/{name}/static/words.txt",
        {"Accept": "text/css", "Sec-Fetch-Dest": "style"},
        lambda app, answer: answer.text == world.WORDS,
    ),
}
#: Doors that answer the same whatever the app and whoever asks, by their statuses.
DEAF_DOORS = {
    "apps/<str:name>/": ("/apps/{name}/", 302),
    "ws": ("/apps/{name}/ws", 426),
    "blank_ws": ("/ws", 426),
}
#: The addresses of sockets, each with a test of its own below.
SOCKETS = {"ws", "blank_ws"}
#: The catalogue has a test of its own below.
LISTINGS = {"catalogue"}
#: What is about data sets, and knows no apps; ``tests/api`` and ``tests/test_data_pages.py`` have the tables of it.
OF_DATA = {
    "api/",
    "datasets",
    "dataset",
    *(f"dataset_{page}" for page in ("new", "versions", "upload", "sharing", "edit", "delete", "undelete")),
    "tokens",
    "token_revoke",
}
#: Doors that pages of other sites come to.
FOR_OTHER_SITES = ("autoload", "session")


def test_every_address_stands_in_the_table():
    addresses = {getattr(pattern, "name", None) or str(pattern.pattern) for pattern in urlpatterns}
    assert addresses == DOORS.keys() | DEAF_DOORS.keys() | SOCKETS | LISTINGS | OF_DATA


def test_every_door_that_is_no_address_stands_in_the_table():
    assert set(register.tags) == {"bokeh_app", "bokeh_root", "bokeh_resources"}
    models = {model.__name__ for model in django_apps.get_app_config("apps_registry").get_models()}
    in_admin = {
        model.__name__ for model in admin.site._registry if model.__module__.startswith("apps_registry")
    }
    assert in_admin == set(ADMIN_LISTS) | DATA_IN_ADMIN
    assert in_admin <= models
    commands = [name for name, package in get_commands().items() if package == "apps_registry"]
    for_a_user = {
        name
        for name in commands
        if isinstance(command := load_command_class("apps_registry", name), RegistryCommand)
        and "--anonymous" in command.create_parser("manage.py", name).format_help()
    }
    assert for_a_user == {"listapps"}


class Cells:
    """Compares what each visitor found at each app with what is right, and keeps what differs."""

    def __init__(self) -> None:
        self.wrong: dict[str, str] = {}

    def hold(self, visitor: str, app: str, found: object, expected: object) -> None:
        if found != expected:
            self.wrong[f"{visitor} / {app}"] = f"{found}, should be {expected}"

    def hold_alike(self, visitor: str, told_of: dict[str, Telling]) -> None:
        """Nothing is told of apps that the visitor may not know of but what is told of one that does not exist."""
        for app, telling in told_of.items():
            if right(visitor, app) == HIDDEN:
                self.hold(visitor, app, telling, told_of[UNKNOWN])


def ask(
    client: httpx.Client, keys: Keys, door: Door, visitor: str, app: str, method: str = "GET", **headers: str
) -> httpx.Response:
    path = door.path.format(name=app, reference=world.reference(app))
    return client.request(method, path, headers={**door.headers, **keys.cookies(visitor, app), **headers})


def outcome(door: Door, app: str, answer: httpx.Response) -> str:
    """What an answer amounts to, in a word."""
    if answer.status_code == 302:
        away = urlsplit(answer.headers["Location"])
        back = door.path.format(name=app, reference=world.reference(app))
        is_login = away.path == "/accounts/login/" and parse_qs(away.query)["next"] == [back]
        return "login" if is_login else f"302 to {answer.headers['Location']}"
    if answer.status_code == 200:
        return "open" if door.shows(app, answer) else f"200 with {answer.text[:200]!r}"
    return str(answer.status_code)


type Telling = tuple[int, str, str, str]

#: What differs between two answers of one kind: when, and by which random numbers.
_CHANGING = {"content-length", "date", "expires", "server", "set-cookie"}
_RANDOM = re.compile(r'(?<=name="csrfmiddlewaretoken" value=")\w+|(?<=nonce=")[\w+/=-]+|(?<=nonce-)[\w+/=-]+')


def told(name: str, answer: httpx.Response) -> Telling:
    """All that an answer tells, the name aside that the visitor has given himself."""
    headers = sorted(pair for pair in answer.headers.items() if pair[0] not in _CHANGING)
    cookies = sorted(cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie"))
    given = re.compile(f"{re.escape(name)}|{_REFERENCE}")
    texts = (_RANDOM.sub("", given.sub("NAME", text)) for text in (str(headers), answer.text))
    return answer.status_code, ", ".join(cookies), *texts


_REFERENCE = world.reference(APPS[0])[:-1] + r"\d"


@pytest.mark.parametrize("name", DOORS)
def test_a_door_opens_to_whom_it_should(client: httpx.Client, keys: Keys, name: str):
    door, cells = DOORS[name], Cells()
    for visitor in VISITORS:
        answers = {app: ask(client, keys, door, visitor, app) for app in APPS}
        expected = {OPEN: "open" if visitor in door.opens_to else "404", LOGIN: door.login, HIDDEN: "404"}
        for app, answer in answers.items():
            cells.hold(visitor, app, outcome(door, app, answer), expected[right(visitor, app)])
            if right(visitor, app) != OPEN:
                cells.hold(visitor, app, _SECRETS.findall(answer.text), [])
        cells.hold_alike(visitor, {app: told(app, answer) for app, answer in answers.items()})
    assert not cells.wrong


#: What nobody reads anywhere who is not let in.
_SECRETS = re.compile(f"Title-of|Description-of|shared|main\\.py|Traceback|{world.WORDS.strip()}")


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS"])
def test_other_methods_tell_no_more(client: httpx.Client, keys: Keys, name: str, method: str):
    door, cells = DOORS[name], Cells()
    for visitor in SOME:
        answers = {app: ask(client, keys, door, visitor, app, method) for app in APPS}
        cells.hold_alike(visitor, {app: told(app, answer) for app, answer in answers.items()})
        for app, answer in answers.items():
            cells.hold(visitor, app, _SECRETS.findall(answer.text), [])
            if method != "HEAD":
                cells.hold(visitor, app, answer.status_code in (204, 403, 405), True)
    assert not cells.wrong


@pytest.mark.parametrize("name", DEAF_DOORS)
def test_a_deaf_door_answers_all_alike(client: httpx.Client, keys: Keys, name: str):
    path, status = DEAF_DOORS[name]
    door = Door(path, {}, lambda app, answer: False)
    answers = {told(app, ask(client, keys, door, visitor, app)) for visitor in SOME for app in APPS}
    assert [answer[0] for answer in answers] == [status]


@pytest.mark.parametrize("name", FOR_OTHER_SITES)
def test_a_page_of_a_foreign_site_hears_nothing(client: httpx.Client, keys: Keys, name: str):
    cells = Cells()
    for visitor in SOME:
        nothing = told(UNKNOWN, ask(client, keys, DOORS[name], visitor, UNKNOWN, Origin="http://evil.test"))
        for app in ROWS:
            answer = ask(client, keys, DOORS[name], visitor, app, Origin="http://evil.test")
            cells.hold(visitor, app, answer.status_code, 403)
            cells.hold(visitor, app, answer.headers.get("access-control-allow-origin"), None)
            cells.hold(visitor, app, told(app, answer), nothing)
    assert not cells.wrong


@pytest.mark.parametrize("name", FOR_OTHER_SITES)
def test_a_page_of_a_site_that_rows_name_hears_of_no_hidden_app(client: httpx.Client, keys: Keys, name: str):
    door, cells = DOORS[name], Cells()
    for visitor in VISITORS:
        answers = {app: ask(client, keys, door, visitor, app, Origin=world.PARTNER) for app in APPS}
        expected = {OPEN: "open", LOGIN: door.login, HIDDEN: "403"}
        for app, answer in answers.items():
            cells.hold(visitor, app, outcome(door, app, answer), expected[right(visitor, app)])
        cells.hold_alike(visitor, {app: told(app, answer) for app, answer in answers.items()})
    assert not cells.wrong


def test_the_address_of_a_guest_link_tells_no_more_than_the_app_does(client: httpx.Client, keys: Keys):
    door, cells = DOORS["app"], Cells()
    for guest in GUESTS:
        answers = {}
        for app in APPS:
            key = keys.links.get(f"{guest}/{app}", "none")
            answers[app] = client.get(f"/apps/{app}?guest={key}&x=1", headers=door.headers)
            # Who comes with the key of a link that is over is a visitor, whom no login would help
            is_open = right(guest, app) == OPEN
            cells.hold(guest, app, answers[app].status_code, 302 if is_open else 404)
            cells.hold(
                guest, app, answers[app].headers.get("Location"), f"/apps/{app}?x=1" if is_open else None
            )
            is_by_link = guest == "guest" and right("anonymous", app) != OPEN and is_open
            cells.hold(
                guest, app, "apps_registry_guest" in answers[app].headers.get("Set-Cookie", ""), is_by_link
            )
        cells.hold_alike(guest, {app: _without_key(told(app, answer)) for app, answer in answers.items()})
    assert not cells.wrong


def _without_key(telling: Telling) -> Telling:
    return (*telling[:2], *(re.sub(r"guest(=|%3D)[\w-]+", "", text) for text in telling[2:]))


# The listing


def test_the_catalogue_names_what_the_visitor_may_open(client: httpx.Client, keys: Keys):
    cells = Cells()
    for visitor in VISITORS:
        page = client.get("/", headers={**_PAGE, **keys.cookies(visitor, "grant_on")})
        assert page.status_code == 200
        # It lists no apps for guests, whose links are for one app each
        seen_as = "anonymous" if visitor in GUESTS else visitor
        for app in APPS:
            is_open = right(seen_as, app) == OPEN
            cells.hold(visitor, app, f'href="/apps/{app}"' in page.text, is_open)
            # Only a superuser hears of a row whose files are missing
            is_named = is_open or (visitor == "superuser" and app == "missing_app")
            cells.hold(visitor, app, world.title(app) in page.text, is_named)
            if not is_named:
                cells.hold(visitor, app, app in page.text, False)
    assert not cells.wrong


# Sockets


async def at_socket(server: RunningServer, app: str, token: str, headers: dict[str, str]) -> str:
    """What opening a socket comes to: what is inside, a close code, or the HTTP status of a refused handshake."""
    path = f"/apps/{app}/ws" if app else "/ws"
    try:
        async with connect(server.ws_url + path, token, headers) as tab:
            return str(tab.find("inside").text) if tab.document.roots else "empty"
    except ConnectionClosed as error:
        closed = error.rcvd
    except InvalidStatus as error:
        return f"HTTP {error.response.status_code}"
    if closed is None or _SECRETS.search(closed.reason):
        return f"closed with {closed}"
    return str(closed.code)


def _at_socket(visitor: str, app: str, *, by_browser: bool) -> str:
    """What is right there. A token is ours: its holder hears by the code what became of his app."""
    if app in ("missing_app", UNKNOWN) and not by_browser:
        return "HTTP 404"
    if visitor in world.DISABLED:
        return "4451"
    if visitor == "guest too late" or (visitor == "guest" and app == UNKNOWN):
        return "4452"
    if app == UNKNOWN:
        # There was a row when the token was made
        return "4453"
    may = right_by_row(visitor, app)
    if may == OPEN and app == "missing_app":
        return "4404"
    is_on = ROWS[app].get("enabled", True)
    inside = f"the inside, seen by {_KNOWN_AS.get(visitor, visitor)}"
    return {OPEN: inside, LOGIN: "4401", HIDDEN: "4452" if is_on else "4453"}[may]


#: As app code knows those who are no users.
_KNOWN_AS = {"guest": "guest (guest)", "anonymous": "AnonymousUser"}


@pytest.mark.parametrize("by_browser", [True, False], ids=["browser", "python"])
async def test_a_socket_opens_to_whom_it_should(server: RunningServer, keys: Keys, by_browser: bool):
    cells = Cells()
    origin = {"Origin": server.url} if by_browser else {}
    for visitor, app in product(VISITORS, APPS):
        token = tokens.page_token(app, keys.user_id(visitor, app))
        found = await at_socket(server, app, token, {**origin, **keys.cookies(visitor, app)})
        cells.hold(visitor, app, found, _at_socket(visitor, app, by_browser=by_browser))
    assert not cells.wrong


async def test_without_a_token_for_the_app_no_socket_tells_anything(server: RunningServer, keys: Keys):
    cells = Cells()
    for visitor, app in product(SOME, APPS):
        of_another_app = tokens.page_token("some_other_app", keys.user_id(visitor, app))
        unsigned = generate_jwt_token(generate_session_id(), signed=False)
        for token, origin in product((of_another_app, unsigned, "nonsense"), ({"Origin": server.url}, {})):
            found = await at_socket(server, app, token, {**origin, **keys.cookies(visitor, app)})
            cells.hold(visitor, app, found, "HTTP 403")
    assert not cells.wrong


async def test_a_token_of_somebody_else_opens_nothing(server: RunningServer, keys: Keys):
    cells = Cells()
    for visitor, app in product(VISITORS, ROWS):
        if visitor != "granted by user":
            token = tokens.page_token(app, str(keys.users["granted by user"]))
            found = await at_socket(server, app, token, {"Origin": server.url, **keys.cookies(visitor, app)})
            # Who is not logged in is told to log in again, all others that it is not theirs
            cells.hold(visitor, app, found, "4451" if visitor in _NO_LOGIN else "4409")
    assert not cells.wrong


async def test_pages_of_foreign_sites_open_no_socket(server: RunningServer, keys: Keys):
    cells = Cells()
    for visitor, app in product(SOME, APPS):
        token = tokens.page_token(app, keys.user_id(visitor, app))
        headers = {"Origin": "http://evil.test", **keys.cookies(visitor, app)}
        cells.hold(visitor, app, await at_socket(server, app, token, headers), "HTTP 403")
    assert not cells.wrong


async def test_who_has_the_key_of_clients_opens_what_is_on(server: RunningServer):
    cells = Cells()
    key = tokens.client_key().encode()
    for app in APPS:
        session_id = generate_session_id(secret_key=key, signed=True)
        token = generate_jwt_token(session_id, secret_key=key, signed=True)
        is_on = ROWS.get(app, {}).get("enabled", True)
        expected = "the inside, seen by AnonymousUser" if is_on else "4453"
        if app in ("missing_app", UNKNOWN):
            expected = "HTTP 404"
        cells.hold("a client", app, await at_socket(server, app, token, {}), expected)
    assert not cells.wrong


async def test_the_empty_app_opens_to_whom_the_setting_says(server: RunningServer, keys: Keys):
    cells = Cells()
    refusals = dict.fromkeys(world.DISABLED, "4451") | dict.fromkeys(GUESTS, "4452") | {"anonymous": "4401"}
    for visitor, app in product(VISITORS, ("", "blank")):
        token = tokens.page_token("blank", keys.user_id(visitor, "blank"))
        headers = {"Origin": server.url, **keys.cookies(visitor, "blank")}
        found = await at_socket(server, app, token, headers)
        cells.hold(visitor, app, found, refusals.get(visitor, "empty"))
    assert not cells.wrong


# The admin


#: What is listed there; whether all rows that a visitor manages are named in it, or only what has happened.
ADMIN_LISTS = {"VizApp": True, "Failure": True, "LiveSession": False, "Opening": False}
#: The table of these is in ``tests/test_data_admin.py``.
DATA_IN_ADMIN = {"Dataset", "ApiToken"}
#: Which rows a visitor finds there.
_MANAGES = {"manager": set(world.GRANTED), "keeper": set(ROWS), "superuser": set(ROWS)}


def test_the_admin_shows_the_rows_that_the_visitor_manages(client: httpx.Client, keys: Keys):
    cells = Cells()
    pks = {**keys.rows, UNKNOWN: 999_999}
    for visitor in VISITORS:
        mine, tellings = _MANAGES.get(visitor, set()), {}
        for app, pk in pks.items():
            address = f"/admin/apps_registry/vizapp/{pk}/change/"
            answer = client.get(address, headers={**_PAGE, **keys.cookies(visitor, app)})
            found = answer.headers.get("Location", str(answer.status_code))
            cells.hold(visitor, app, world.title(app) in answer.text, app in mine)
            if app in mine:
                cells.hold(visitor, app, found, "200")
                continue
            # Who manages something is led back to the start, with a word
            refusal = ("/admin/" if mine else "403") if visitor in _STAFF else f"/admin/login/?next={address}"
            cells.hold(visitor, app, found, refusal)
            tellings[app] = told(f"/{pk}/", answer)
        for app, telling in tellings.items():
            cells.hold(visitor, app, telling, tellings[UNKNOWN])
    assert not cells.wrong


@pytest.mark.parametrize("model", ADMIN_LISTS)
def test_the_lists_of_the_admin_name_the_rows_that_the_visitor_manages(
    client: httpx.Client, keys: Keys, model: str
):
    cells = Cells()
    for visitor in VISITORS:
        address = f"/admin/apps_registry/{model.lower()}/"
        page = client.get(address, headers={**_PAGE, **keys.cookies(visitor, "grant_on")})
        mine = _MANAGES.get(visitor, set())
        cells.hold(visitor, model, page.status_code, 200 if mine else 403 if visitor in _STAFF else 302)
        named = {app for app in ROWS if re.search(rf"\b(Title-of-)?{app}\b", page.text)}
        cells.hold(visitor, model, named - mine, set())
        if ADMIN_LISTS[model]:
            cells.hold(visitor, model, named, mine)
    assert not cells.wrong


# The template tag and the command, in this process


@pytest.fixture
def furnished(db: None) -> Keys:
    keys = Keys(**world.furnish())
    User.objects.filter(username__in=world.DISABLED).update(is_active=False)
    return keys


def _request(visitor: str, app: str, keys: Keys) -> Any:
    request = RequestFactory(headers=keys.cookies(visitor, app)).get("/report/")
    request.user = User.objects.get(username=visitor) if visitor in USERS else AnonymousUser()
    return request


def test_the_tag_shows_what_the_visitor_may_open(furnished: Keys, settings: Any, tmp_path: Path):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "APP_DIRS": [tmp_path]}
    world.write_apps(tmp_path)
    tag = Template(
        '{% load apps_registry %}{% bokeh_app name as app %}{{ app }}{% bokeh_root app "inside" %}'
    )
    cells = Cells()
    for visitor in VISITORS:
        pages = {}
        for app in APPS:
            context = Context({"request": _request(visitor, app, furnished), "name": app})
            pages[app] = re.sub(r'(id|for)="[^"]+"', "", tag.render(context)).replace(app, "NAME")
        for app, page in pages.items():
            # Files are asked for when the element comes to its door
            expected = HIDDEN if app == UNKNOWN else right_by_row(visitor, app)
            cells.hold(visitor, app, _in_page(page), expected)
            cells.hold(visitor, app, _SECRETS.findall(page), [])
            if expected == HIDDEN and app not in _MANAGES.get(visitor, ()):
                cells.hold(visitor, app, page, pages[UNKNOWN])
    assert not cells.wrong


def _in_page(page: str) -> str:
    if 'src="/apps/NAME"' in page:
        return OPEN if "bokeh-app-refused" not in page else "both the app and a refusal"
    return LOGIN if "Please log in" in page else HIDDEN if "bokeh-app-refused" in page else page


def test_the_command_lists_what_the_visitor_may_open(furnished: Keys):
    cells = Cells()
    for visitor in VISITORS:
        if visitor in GUESTS:
            # They have no name that could be given
            continue
        said = StringIO()
        whom = ["--anonymous"] if visitor == "anonymous" else ["--user", visitor]
        call_command("listapps", *whom, "--json", stdout=said, stderr=StringIO())
        for app in ROWS:
            found = OPEN if f'"name": "{app}"' in said.getvalue() else "not listed"
            expected = OPEN if right_by_row(visitor, app) == OPEN else "not listed"
            cells.hold(visitor, app, found, expected)
    assert not cells.wrong
