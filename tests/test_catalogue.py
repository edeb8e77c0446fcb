"""What each visitor gets on the pages for people: the catalogue, thumbnails, guest links, refusals."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import global_settings, settings as django_settings
from django.contrib.auth.models import Group, Permission, User
from django.core.asgi import get_asgi_application
from django.core.files.base import ContentFile
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from playwright.async_api import expect

from apps_registry import registry, runtime
from apps_registry.models import Access, Grant, GuestLink, VizApp
from apps_registry.testing import RunningServer
from apps_registry.views import listing

from .serving import Site

pytestmark = pytest.mark.django_db(transaction=True)

type Clients = Callable[..., httpx.AsyncClient]
type Step = Callable[[Clients], Awaitable[Any]]

MAIN = "from bokeh.plotting import curdoc\ncurdoc().title = {title!r}\n"
PNG = b"\x89PNG\r\n\x1a\n and so on"
PAGE = {"Accept": "text/html"}
SITE = django_settings.APPS_REGISTRY


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    """The directory of the apps of one test."""
    folder = tmp_path / "apps"
    folder.mkdir()
    settings.APPS_REGISTRY = {"APP_DIRS": [folder], "BASE_TEMPLATE": "base.html"}
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ALLOWED_HOSTS = ["testserver"]
    return folder


@pytest.fixture
def app(folder: Path) -> Callable[..., VizApp]:
    """Makes an app with its row: a single file, or a directory for names that end with a slash."""

    def make(name: str, code: str = "", **fields: Any) -> VizApp:
        path = folder / name / "main.py" if name.endswith("/") else folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        name = name.rstrip("/")
        path.write_text(code or MAIN.format(title=f"The {name}"))
        source = path.relative_to(folder).parts[0]
        values = {"enabled": True, "access": Access.PUBLIC} | fields
        return VizApp.objects.create(name=name, source=source, **values)

    return make


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice", password="alice")


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


def serve(step: Step) -> Any:
    """What ``step`` gives, which gets a maker of clients for this site; the engine runs meanwhile."""
    transport = httpx.ASGITransport(get_asgi_application())

    def client_of(user: User | None = None) -> httpx.AsyncClient:
        options = {"base_url": "http://testserver", "headers": PAGE}
        client = httpx.AsyncClient(transport=transport, **options)
        if user is not None:
            client.cookies.set(
                django_settings.SESSION_COOKIE_NAME, sessions[user.pk], domain="testserver.local"
            )
        return client

    async def run() -> Any:
        host = await runtime.get()
        apps = await host.workers.run(host.registry.apps)
        try:
            return await step(client_of)
        finally:
            await runtime.stop()
            for app in apps:
                app.close()

    sessions = {user.pk: _session_of(user) for user in User.objects.all()}
    return asyncio.run(run())


def _session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[django_settings.SESSION_COOKIE_NAME].value


def get(address: str, user: User | None = None, **headers: str) -> httpx.Response:
    """The answer to one request."""
    return get_all((address, user), **headers)[0]


def get_all(*requests: tuple[str, User | None] | str, **headers: str) -> list[httpx.Response]:
    """The answers to addresses, each for a visitor or for the user beside it."""

    async def ask(client_of: Clients) -> list[httpx.Response]:
        answers = []
        for request in requests:
            address, user = (request, None) if isinstance(request, str) else request
            async with client_of(user) as client:
                answers.append(await client.get(address, headers=headers))
        return answers

    return serve(ask)


def titles(page: httpx.Response) -> list[str]:
    """The titles on the cards of a catalogue."""
    assert page.status_code == 200, page.text
    return [unescape(title) for title in re.findall(r"<h2>(?:<a [^>]*>)?([^<]+)", page.text)]


def text_of(page: httpx.Response) -> str:
    """What stands in the main part of a page, as one line."""
    main = page.text.partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


# Who sees what


def test_everybody_sees_what_he_may_open_and_nothing_else(app, alice, root):
    for access in Access:
        app(f"{access}_app", access=access)
        app(f"{access}_off", access=access, enabled=False)
    granted, grouped = app("granted", access=Access.GRANT), app("grouped", access=Access.GRANT)
    sailors = Group.objects.create(name="sailors")
    alice.groups.add(sailors)
    Grant.objects.create(app=granted, user=alice)
    Grant.objects.create(app=grouped, group=sailors)
    VizApp.objects.create(name="gone", source="gone.py", enabled=True, access=Access.PUBLIC)
    of_visitor, of_alice, of_root = map(titles, get_all("/", ("/", alice), ("/", root)))
    assert of_visitor == ["The public_app"]
    assert of_alice == ["The granted", "The grouped", "The login_app", "The public_app"]
    everything = sorted(VizApp.objects.values_list("name", flat=True))
    assert sorted(title.removeprefix("The ") for title in of_root) == everything
    alice.is_active = False
    alice.save()
    assert titles(get("/", alice)) == ["The public_app"]


def test_a_superuser_sees_what_is_off_or_missing_and_gets_to_its_row(app, root):
    app("good")
    off = app("off", enabled=False)
    gone = VizApp.objects.create(name="gone", source="gone.py", title="Long gone", enabled=True)
    page = get("/", root)
    cards = {titles_in[0]: text for text in page.text.split("<li ")[1:] if (titles_in := _titles(text))}
    assert "Edit" not in cards["The good"]
    assert ">Off<" in cards["off"], "What is off is not loaded, and has no title yet."
    assert f'href="/admin/apps_registry/vizapp/{off.pk}/change/"' in cards["off"]
    assert 'href="/apps/off"' in cards["off"]
    assert "Files are missing" in cards["Long gone"]
    assert f"/vizapp/{gone.pk}/change/" in cards["Long gone"]
    assert "/apps/gone" not in cards["Long gone"]


def _titles(card: str) -> list[str]:
    return [unescape(title) for title in re.findall(r"<h2>(?:<a [^>]*>)?([^<]+)", card)]


def test_cards_stand_in_the_order_of_rows_and_then_of_titles(app):
    app("b", title="Äpfel", order=1)
    app("c", title="Birnen", order=1)
    app("d", title="zuerst", order=-1)
    app("a")
    assert titles(get("/")) == ["zuerst", "The a", "Äpfel", "Birnen"]


def test_what_people_wrote_is_text_on_the_page(app):
    app("sales", title="<b>Sales</b>", description="One & two.\n\n<script>three</script>")
    page = get("/")
    assert "<p>One &amp; two.</p>" in page.text
    assert "<p>&lt;script&gt;three&lt;/script&gt;</p>" in page.text
    assert "&lt;b&gt;Sales&lt;/b&gt;" in page.text
    assert 'style="' not in page.text, "A strict policy for content takes no style attributes."


def test_only_staff_learns_why_an_app_does_not_load(app, alice):
    app("broken", "this is no Python")
    sara = User.objects.create_user("sara", is_staff=True)
    of_sara, of_alice = get_all(("/", sara), ("/", alice))
    assert "broken.py, line 1" in of_sara.text
    assert "broken.py, line 1" not in of_alice.text


def test_apps_that_the_settings_name_need_no_rows(folder, settings, alice):
    paths = {}
    for name in ("one", "two"):
        paths[name] = folder / f"{name}.py"
        paths[name].write_text(MAIN.format(title=f"App {name}"))
    settings.APPS_REGISTRY |= {"APPS": paths, "ACCESS": "login"}
    of_alice, of_visitor = get_all(("/", alice), "/")
    assert titles(of_alice) == ["App one", "App two"]
    assert "/apps/one" not in of_visitor.text
    settings.APPS_REGISTRY |= {"APPS": {"one": paths["one"]}, "REDIRECT_TO_ONLY_APP": True}
    of_alice, of_visitor = get_all(("/", alice), "/")
    assert of_alice.headers["Location"] == "/apps/one"
    assert of_visitor.status_code == 200


def test_a_guest_link_shows_no_more_in_the_catalogue(app):
    link = GuestLink.objects.create(
        app=app("plans", access=Access.GRANT), expires_at=timezone.now() + timedelta(hours=1)
    )
    assert "/apps/plans" not in get(f"/?guest={link.key}").text
    assert "/apps/plans" not in get("/", Cookie=f"apps_registry_guest={link.key}").text


# Search and pages


@pytest.mark.parametrize(
    ("names", "query", "links"),
    [
        ({"BASE_TEMPLATE": "apps_registry/base.html"}, "", 1),
        # Without a header
        ({"BASE_TEMPLATE": "apps_registry/base.html"}, "?bare", 1),
        # This site says that its header has one; of others nobody knows
        ({name: SITE[name] for name in ("BASE_TEMPLATE", "INDEX")}, "", 1),
        ({"BASE_TEMPLATE": "base.html"}, "", 2),
    ],
)
def test_the_way_to_the_data(app, settings, names: dict[str, str], query: str, links: int):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, **names}
    app("one")
    assert get(f"/{query}").text.count('href="/data/"') == links


def test_the_box_for_searching_comes_with_many_apps(app):
    for number in range(listing.SEARCH_FROM):
        app(f"app{number}")
    assert 'name="q"' not in get("/").text
    app("one_more")
    page = get("/")
    assert 'name="q"' in page.text
    assert "13 apps" in text_of(page)


def test_words_are_looked_for_in_title_name_and_description(app):
    app("cafe", title="Café sales")
    app("ships_x", title="Fleet", description="Ships, their crews and sales.")
    app("weather", title="Weather")
    expected = {
        "cafe": ["Café sales"],
        "SALES": ["Café sales", "Fleet"],
        "sales fleet": ["Fleet"],
        "_x": ["Fleet"],
        " ": ["Café sales", "Fleet", "Weather"],
    }
    pages = get_all(*(f"/?q={query}" for query in expected))
    assert dict(zip(expected, map(titles, pages), strict=True)) == expected


def test_no_match_says_so_and_shows_the_way_back(app):
    app("sales")
    page = get("/?q=%3Cb%3E")
    assert "Nothing matches “<b>”" in text_of(page)
    assert "<b>" not in page.text
    assert "0 of 1 app" in text_of(page)


def test_pages_keep_the_search(app, monkeypatch):
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    for number in range(1, 6):
        app(f"ship{number}")
    app("other")
    second, beyond, nonsense = get_all("/?q=ship&page=2", "/?page=99", "/?page=nonsense")
    assert titles(second) == ["The ship3", "The ship4"]
    assert 'href="?q=ship&amp;page=1"' in second.text
    assert 'href="?q=ship&amp;page=3"' in second.text
    assert "Page 2 of 3" in text_of(second)
    assert titles(beyond) == ["The ship4", "The ship5"]
    assert titles(nonsense) == ["The other", "The ship1"]


@pytest.fixture
def many_apps(site: Site, folder: Path) -> Iterator[RunningServer]:
    """A server with more apps than fit on one look."""
    for number in range(listing.SEARCH_FROM + 1):
        (folder / f"app{number}.py").touch()
    with site.serve(*folder.iterdir()) as server:
        yield server


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_searching_keeps_the_focus(many_apps: RunningServer, browser: Any, scripts: bool):
    """The list follows what is typed; without scripts the form does the same when it is sent."""
    context = await browser.new_context(java_script_enabled=scripts)
    page = await context.new_page()
    await page.goto(many_apps.url)
    box = page.get_by_role("searchbox", name="Search apps")
    await box.press_sequentially("app1")
    if not scripts:
        await box.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("4 of 13 apps")
    await expect(page.get_by_role("listitem")).to_have_count(4)
    await expect(box).to_be_focused()
    await expect(box).to_have_value("app1")
    await expect(page).to_have_url(f"{many_apps.url}/?q=app1")
    await box.fill("")
    await box.press("Enter")
    await expect(page.get_by_role("listitem")).to_have_count(13)
    await context.close()


# Why there is nothing


def test_an_empty_catalogue_says_why(app, alice):
    sara = User.objects.create_user("sara", is_staff=True)
    of_visitor, of_alice, of_sara = get_all("/", ("/", alice), ("/", sara))
    assert "No app is open to everyone" in text_of(of_visitor)
    assert 'href="/accounts/login/?next=%2F"' in of_visitor.text
    assert "There is no app that you may open" in text_of(of_alice)
    assert "manage.py syncapps" in text_of(of_sara)
    for name in ("one", "two"):
        app(name, enabled=False)
    sara.user_permissions.add(Permission.objects.get(codename="change_vizapp"))
    bob = User.objects.create_user("bob")
    Grant.objects.create(app=VizApp.objects.get(name="one"), role="manage", user=bob)
    of_visitor, of_alice, of_sara, of_bob = get_all("/", ("/", alice), ("/", sara), ("/", bob))
    assert "switched off" not in text_of(of_alice) + text_of(of_visitor)
    assert "2 apps are switched off" in text_of(of_sara)
    assert "/admin/apps_registry/vizapp/?state=off" in of_sara.text
    assert "1 app is switched off" in text_of(of_bob)
    assert "/admin/" not in of_bob.text, "The admin would not let him in."


def test_without_tables_it_says_what_may_be_missing(app, monkeypatch):
    def fail(user: Any) -> Any:
        raise OperationalError("no such table")

    app("sales")
    monkeypatch.setattr(VizApp.objects, "visible_to", fail)
    sara = User.objects.create_user("sara", is_staff=True)
    of_visitor, of_sara = get_all("/", ("/", sara))
    assert of_visitor.status_code == of_sara.status_code == 500
    assert "The list of apps cannot be read right now." in text_of(of_visitor)
    assert "migrate" not in of_visitor.text
    assert "Is `manage.py migrate` done?" in text_of(of_sara)


# Queries


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries of all threads, without those by which the engine keeps its own books."""
    seen: list[str] = []
    execute = CursorWrapper.execute

    def noting(cursor: CursorWrapper, sql: str, params: Any = None) -> Any:
        if not re.search("apps_registry_(host|livesession|notice|opening|failure)", sql):
            seen.append(sql)
        return execute(cursor, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", noting)
    # When it looks at the directories, and reads the rows, is a matter of the clock
    monkeypatch.setattr(registry, "LOOK_EVERY", 3600)
    return seen


def many(folder: Path, user: User, apps: int, groups: int) -> None:
    """Rows for ``apps`` apps, each open to one of ``groups`` groups that ``user`` belongs to."""
    VizApp.objects.all().delete()
    Group.objects.all().delete()
    of_user = [Group.objects.create(name=f"group {number}") for number in range(groups)]
    user.groups.set(of_user)
    for number in range(apps):
        (folder / f"app{number}.py").touch()
    rows = VizApp.objects.bulk_create(
        VizApp(name=f"app{number}", source=f"app{number}.py", enabled=True, access=Access.GRANT)
        for number in range(apps)
    )
    Grant.objects.bulk_create(
        Grant(app=row, group=of_user[number % groups]) for number, row in enumerate(rows)
    )


@pytest.mark.parametrize("is_superuser", [False, True], ids=["user", "superuser"])
def test_the_number_of_queries_does_not_depend_on_apps_and_groups(
    folder, alice, queries, monkeypatch, is_superuser
):
    monkeypatch.setattr(listing, "PAGE_SIZE", 1000)
    alice.is_staff = alice.is_superuser = is_superuser
    alice.save()

    async def count(client_of: Clients) -> list[str]:
        async with client_of(alice) as client:
            await client.get("/")
            asked = []
            # What the engine does by the clock may fall into one of them
            for _ in range(3):
                queries.clear()
                shown.add(len(titles(await client.get("/"))))
                asked.append(list(queries))
            return min(asked, key=len)

    shown: set[int] = set()
    numbers = []
    for apps, groups in ((10, 2), (500, 50)):
        many(folder, alice, apps, groups)
        numbers.append(len(serve(count)))
    assert shown == {10, 500}
    assert numbers[0] == numbers[1]
    assert 0 < numbers[1] <= 4, "Login, user and rows."


# Thumbnails


def test_a_thumbnail_is_the_one_in_the_directory_or_the_one_that_was_uploaded(app, folder):
    row = app("sales/")
    picture, catalogue = get_all("/apps/sales/thumbnail", "/")
    assert picture.status_code == 404
    assert "/apps/sales/thumbnail" not in catalogue.text
    (folder / "sales" / "thumbnail.png").write_bytes(PNG)
    address = re.search(r'src="(/apps/sales/thumbnail\?v=[^"]+)"', get("/").text)
    assert address is not None
    answer = get(address[1])
    assert (answer.content, answer.headers["Content-Type"]) == (PNG, "image/png")
    row.thumbnail.save("mine.webp", ContentFile(b"uploaded"))
    answer, catalogue = get_all("/apps/sales/thumbnail", "/")
    assert (answer.content, answer.headers["Content-Type"]) == (b"uploaded", "image/webp")
    assert address[1] not in catalogue.text, "Another picture needs another address."
    row.thumbnail.storage.delete(row.thumbnail.name)
    assert get("/apps/sales/thumbnail").status_code == 404


def test_a_thumbnail_is_kept_by_browsers_for_a_while_and_then_asked_for_again(app, folder):
    app("sales/")
    (folder / "sales" / "thumbnail.png").write_bytes(PNG)
    answer = get("/apps/sales/thumbnail")
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert "Cookie" in answer.headers["Vary"]
    again = get("/apps/sales/thumbnail", **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    (folder / "sales" / "thumbnail.png").write_bytes(PNG + b"!")
    assert get("/apps/sales/thumbnail", **{"If-None-Match": answer.headers["ETag"]}).status_code == 200


def test_an_svg_can_do_nothing(app, folder):
    app("sales/")
    (folder / "sales" / "thumbnail.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    headers = get("/apps/sales/thumbnail").headers
    assert headers["Content-Type"] == "image/svg+xml"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "sandbox" in headers["Content-Security-Policy"]


def test_a_thumbnail_is_for_who_may_open_the_app(app, folder, alice):
    app("sales/", access=Access.GRANT)
    (folder / "sales" / "thumbnail.png").write_bytes(PNG)
    assert get("/apps/sales/thumbnail", alice).status_code == 404
    Grant.objects.create(app=VizApp.objects.get(), user=alice)
    assert get("/apps/sales/thumbnail", alice).content == PNG


def test_a_thumbnail_that_is_a_link_out_of_the_app_is_none(app, folder, tmp_path):
    app("sales/")
    (tmp_path / "secret.png").write_bytes(PNG)
    (folder / "sales" / "thumbnail.png").symlink_to(tmp_path / "secret.png")
    assert get("/apps/sales/thumbnail").status_code == 404
    # Beside apps that are single files lies what belongs to none of them
    app("single")
    (folder / "thumbnail.png").write_bytes(PNG)
    assert get("/apps/single/thumbnail").status_code == 404


# The page of an app


def test_the_page_has_title_and_description_of_the_row(app):
    row = app("sales", title="Sales of 2026", description="By month.\n\nAnd by region.")
    page = get("/apps/sales")
    assert "<h1>Sales of 2026</h1>" in page.text
    assert "<title>Sales of 2026 " in page.text
    assert "<p>And by region.</p>" in page.text
    assert '"use_for_title": false' in page.text
    assert 'href="/">All apps</a>' in page.text
    row.title = ""
    row.save()
    page = get("/apps/sales")
    assert "<h1>The sales</h1>" in page.text
    assert '"use_for_title": true' in page.text


def test_bare_is_the_app_alone(app):
    app("sales", title="Sales", description="By month.")
    page = get("/apps/sales?bare")
    assert page.status_code == 200
    assert "<header" not in page.text
    assert "By month." not in page.text
    assert "apps-registry-session" in page.text


def test_who_previews_an_app_that_is_off_is_told_so(app, root, alice):
    app("sales", enabled=False)
    of_root, of_alice = get_all(("/apps/sales", root), ("/apps/sales", alice))
    assert "switched off: only superusers see it" in text_of(of_root)
    assert of_alice.status_code == 404
    VizApp.objects.update(enabled=True)
    assert "switched off" not in text_of(get("/apps/sales", root))


def test_who_manages_an_app_gets_to_its_row(app, alice, root):
    row = app("sales")
    address = f'href="/admin/apps_registry/vizapp/{row.pk}/change/"'
    sara, bob = (User.objects.create_user(name, is_staff=True) for name in ("sara", "bob"))
    for user in (sara, alice):
        Grant.objects.create(app=row, role="manage", user=user)
    pages = get_all(*(("/apps/sales", user) for user in (root, sara, alice, bob)))
    # The admin would not let alice in
    assert [address in page.text for page in pages] == [True, True, False, False]


# Guest links


@pytest.fixture
def link(app) -> GuestLink:
    """A link to the app ``plans``, which one may open by grant only."""
    row = app("plans", access=Access.GRANT)
    return GuestLink.objects.create(app=row, expires_at=timezone.now() + timedelta(hours=2))


def test_a_guest_keeps_the_key_as_a_cookie_of_the_app(link, app):
    app("other", access=Access.GRANT)

    async def follow(client_of: Clients) -> list[httpx.Response]:
        addresses = [f"/apps/plans?colour=red&guest={link.key}&shade=%C3%A9", "/apps/plans"]
        async with client_of() as client:
            return [
                await client.get(address)
                for address in [*addresses, "/apps/plans/metadata", "/apps/other", "/"]
            ]

    first, page, metadata, other, catalogue = serve(follow)
    assert (first.status_code, first.headers["Location"]) == (302, "/apps/plans?colour=red&shade=%C3%A9")
    assert first.headers["Referrer-Policy"] == "no-referrer"
    assert first.headers["Cache-Control"] == "no-store"
    cookie = first.headers["Set-Cookie"]
    for part in ("HttpOnly", "Path=/apps/plans;", "SameSite=Lax"):
        assert part in cookie, cookie
    assert 7100 <= int(re.search(r"Max-Age=(\d+)", cookie)[1]) <= 7200
    assert (page.status_code, metadata.status_code) == (200, 200)
    assert other.status_code == 404
    assert "/apps/plans" not in catalogue.text
    assert link.key not in page.text, "What is bound to the guest is signed, and his key stays in the cookie."


def test_the_cookie_is_for_https_where_that_of_the_session_is(link, settings):
    settings.SESSION_COOKIE_SECURE = True
    assert "; Secure" in get(f"/apps/plans?guest={link.key}").headers["Set-Cookie"]


def test_who_may_open_the_app_himself_needs_no_cookie(link, alice):
    Grant.objects.create(app=link.app, user=alice)
    answer = get(f"/apps/plans?guest={link.key}", alice)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/apps/plans")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}, {"key": "another"}]
)
@pytest.mark.parametrize("access", [Access.GRANT, Access.LOGIN])
def test_a_link_that_is_not_valid_opens_nothing(link, app, change, access):
    key = link.key
    GuestLink.objects.update(**change)
    VizApp.objects.update(access=access)
    answer, unknown = get_all(f"/apps/plans?guest={key}", f"/apps/nothing?guest={key}")
    assert answer.status_code == 404
    assert "There is no such app, or the link is no longer valid." in text_of(answer)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in answer.headers
    assert key not in answer.text
    assert unknown.text == answer.text.replace("plans", "nothing")


# Refusals


def test_a_visitor_learns_nothing_of_hidden_apps_and_may_log_in(app):
    app("off", enabled=False)
    app("granted", access=Access.GRANT)
    names = ["off", "granted", "nothing"]
    pages = get_all(*(f"/apps/{name}?colour=red&shade=a%26b" for name in names))
    for name, page in zip(names, pages, strict=True):
        assert page.status_code == 404
        assert page.text.replace(name, "nothing") == pages[-1].text
        address = f"%2Fapps%2F{name}%3Fcolour%3Dred%26shade%3Da%2526b"
        assert f'href="/accounts/login/?next={address}">Log in</a>' in page.text
    assert "/accounts/login/" not in get("/apps/nothing", Accept="text/css").text


def test_who_is_logged_in_is_offered_no_login(app, alice):
    app("granted", access=Access.GRANT)
    page = get("/apps/granted", alice)
    assert page.status_code == 404
    assert "/accounts/login/" not in page.text
    assert 'href="/">All apps</a>' in page.text


async def _log_in(client: httpx.AsyncClient, address: str) -> httpx.Response:
    """Follow an address to the login page, fill in its form, and see where that leads."""
    login = await client.get(address)
    fields = {
        name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', login.text)
    }
    return await client.post(address, data=fields | {"username": "alice", "password": "alice"})


@pytest.mark.parametrize("access", [Access.LOGIN, Access.GRANT])
@pytest.mark.parametrize(
    ("prefix", "sent"),
    [("", ""), ("/tools", "/tools"), ("/tools", "")],
    ids=["root", "path", "path taken off"],
)
def test_after_the_login_one_is_where_one_wanted_to_be(app, alice, settings, prefix, sent, access):
    """Under a path too, whether the proxy passes it on or takes it off."""
    Grant.objects.create(app=app("sales", access=access), user=alice)
    settings.FORCE_SCRIPT_NAME = prefix or None
    wanted = "/apps/sales?colour=red&shade=a%26b&words=gr%C3%BC%C3%9Fe"

    def local(address: str) -> str:
        assert address.startswith(f"{prefix}/"), address
        return sent + address.removeprefix(prefix)

    async def follow(client_of: Clients) -> tuple[str, httpx.Response, httpx.Response]:
        async with client_of() as client:
            refused = await client.get(sent + wanted)
            login = refused.headers.get("Location") or unescape(
                re.search(r'class="ar-button main" href="([^"]+)">Log in', refused.text)[1]
            )
            back = (await _log_in(client, local(login))).headers["Location"]
            return back, await client.get(local(back)), await client.get(local(f"{prefix}/"))

    back, page, catalogue = serve(follow)
    assert f'href="{prefix}/apps/sales"' in catalogue.text
    assert back == prefix + wanted
    assert page.status_code == 200
    assert "<h1>The sales</h1>" in page.text


def test_a_site_without_a_page_to_log_in_offers_none(app, settings):
    settings.LOGIN_URL = global_settings.LOGIN_URL
    settings.APPS_REGISTRY |= {"BASE_TEMPLATE": "apps_registry/base.html"}
    page = get("/apps/nothing")
    assert "Log in" in page.text

    class Urls:
        urlpatterns = [path("", include("apps_registry.urls"))]

    settings.ROOT_URLCONF = Urls
    page = get("/apps/nothing")
    assert page.status_code == 404
    assert "Log in" not in page.text
