"""A site that is not ours: its own users, look and prefix, on ``runbokeh``, and on uvicorn under a path.

With SHOTS set to a directory, screenshots are left there.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from apps_registry.testing import RunningServer, connect
from apps_registry.testing.socket import token_of

from .foreign import MAKE_PEOPLE, PEOPLE, PREFIX, ForeignSite
from .serving import cookie_header

in_browser = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
ALICE, BOB, CARLA = PEOPLE
LIVE = "[data-session-state=live]"
#: The path that is before everything when the site runs on uvicorn.
PATH = "/portal"
SOON = 30_000
expect.set_options(timeout=SOON)
MAKE_BADGES = """
from badges.models import Badge
for number in (7, 8):
    badge = Badge(number=number)
    badge.set_password(str(number))
    badge.save()
"""


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> ForeignSite:
    """The site, with people; Alice may open both apps, the others one."""
    site = ForeignSite(tmp_path_factory.mktemp("foreign"))
    site.make(f"""
{MAKE_PEOPLE}
manage("syncapps", "--enable")
manage("setapp", "berths", "--title", "Berths")
manage("setapp", "arrivals", "--title", "Arrivals", "--access", "grant")
manage("grant", "open", "arrivals", "--user", "{ALICE}")
""")
    return site


@pytest.fixture(scope="session", params=["runbokeh", "uvicorn"])
def portal(request: pytest.FixtureRequest, foreign: ForeignSite) -> Iterator[RunningServer]:
    """``runbokeh``, then uvicorn under a path; ``url`` is that of the home page, without a slash at its end."""
    path = PATH if request.param == "uvicorn" else ""
    with getattr(foreign, request.param)(path) as server:
        yield server


# Without a browser


@contextmanager
def signed_in(base: str, email: str, password: str | None = None) -> Iterator[httpx.Client]:
    """An HTTP client of somebody who has signed in."""
    with httpx.Client(base_url=base, timeout=30) as client:
        client.get("/people/sign-in/")
        form = {"username": email, "password": password or email.partition("@")[0]}
        form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
        answer = client.post("/people/sign-in/", data=form, headers={"Referer": base})
        assert answer.status_code == 302, answer.text
        yield client


def addresses(page: str) -> set[str]:
    """The addresses of this site that a page names."""
    return set(re.findall(r'(?:src|href|action)="(/[^"]*)"', page))


def test_every_address_of_a_page_stands_under_the_path(portal: RunningServer):
    origin = portal.url.removesuffix(PATH)
    path = portal.url.removeprefix(origin)
    with signed_in(portal.url, ALICE) as client:
        for address in ("/", f"{PREFIX}/", f"{PREFIX}/apps/berths"):
            found = addresses(client.get(address).text)
            assert len(found) > 3
            for name in found - {f"{path}/people/sign-out/"}:
                assert name.startswith(f"{path}/"), name
                answer = client.get(origin + name, follow_redirects=True)
                assert answer.status_code == 200, name
        assert client.get(f"{PREFIX}/apps/berths/metadata").json()["url"] == f"{path}{PREFIX}/apps/berths"


async def test_a_proxy_may_take_the_path_off(portal: RunningServer):
    """The site is asked for addresses without the path, and names them with it."""
    inside = portal.url.removesuffix(PATH)
    with signed_in(inside, ALICE) as client:
        page = client.get(f"{PREFIX}/apps/berths")
        assert f'"{portal.url.removeprefix(inside)}{PREFIX}/apps/berths/ws"' in page.text
        cookies = cookie_header(client)
    address = f"{inside}{PREFIX}/apps/berths/ws".replace("http", "ws", 1)
    async with connect(address, token_of(page.text), headers=cookies) as tab:
        await tab.set("ships", value=4)
        await tab.idle()
        assert tab.find("said").text == "420 m are free"


def test_who_may_not_open_an_app_is_not_told_of_it(portal: RunningServer):
    with signed_in(portal.url, BOB) as client:
        catalogue = client.get(f"{PREFIX}/").text
        assert "/apps/berths" in catalogue
        assert "/apps/arrivals" not in catalogue
        refused = client.get(f"{PREFIX}/apps/arrivals", headers={"Accept": "text/html"})
        assert refused.status_code == 404
        assert "Harbour office" in refused.text
        assert client.get(f"{PREFIX}/apps/no_such").status_code == 404


def test_a_user_model_without_names_groups_and_permissions(tmp_path: Path):
    site = ForeignSite(tmp_path, settings="foreign_site.badges")
    said = site.make(f"""
{MAKE_BADGES}
manage("makemigrations", "--check")
manage("syncapps", "--enable")
manage("setapp", "arrivals", "--access", "grant")
manage("grant", "open", "arrivals", "--user", "7")
from apps_registry.models import Dataset
Dataset.objects.create(name="tides", owner=Badge.objects.get(number=7))
manage("apitoken", "7", "--scope", "read", "--scope", "publish", "--scope", "push")
""")
    assert "No changes detected" in said
    assert "Granted open on arrivals to 7" in said
    with site.uvicorn() as server:
        with signed_in(server.url, "7") as client:
            assert "/apps/arrivals" in client.get(f"{PREFIX}/").text
            assert client.get(f"{PREFIX}/apps/arrivals").status_code == 200
        with signed_in(server.url, "8") as client:
            refused = client.get(f"{PREFIX}/apps/arrivals", headers={"Accept": "text/html"})
            assert refused.status_code == 404
        [token] = re.findall(r"^viz_\S+$", said, re.MULTILINE)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"{server.url}{PREFIX}", headers=headers, timeout=30) as program:
            sent = program.put("/api/datasets/tides", content="height\n1.5\n", params={"format": "csv"})
            assert sent.status_code == 201, sent.text
            assert program.get("/api/datasets/tides/data").text == '"height"\n1.5\n'
            assert program.get("/apps/arrivals/metadata").status_code == 200
        assert "Traceback" not in server.output, server.output
    said = site.run("manage('openings')\nmanage('revoke', 'open', 'arrivals', '--user', '7')\n")
    assert re.search(r"\b7\b.*arrivals|arrivals.*\b7\b", said)


# In a browser


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """``await visit(server, email)`` is the home page as somebody sees it who has signed in."""
    contexts = []
    problems: list[str] = []

    async def visit(server: RunningServer, email: str | None = None, **options: Any) -> Page:
        contexts.append(await browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options))
        # Django's admin names no icon, and this site has none
        await contexts[-1].route("**/favicon.ico", lambda route: route.fulfill(status=204))
        page = await contexts[-1].new_page()
        page.set_default_timeout(SOON)
        page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
        page.on("console", lambda said: said.type in ("error", "warning") and problems.append(said.text))
        page.on("response", lambda got: got.status >= 400 and problems.append(f"{got.status}: {got.url}"))
        await page.goto(f"{server.url}/")
        if email is not None:
            await page.get_by_role("link", name="Sign in").click()
            await sign_in(page, email)
        return page

    yield visit
    for context in contexts:
        await context.close()
    assert problems == []


async def sign_in(page: Page, email: str) -> None:
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(email.partition("@")[0])
    await page.get_by_role("button", name="Sign in").click()


async def shoot(page: Page, name: str) -> None:
    """Leave a screenshot, when these are wanted."""
    if folder := os.environ.get("SHOTS"):
        leave(Path(folder, f"{name}.png"), await page.screenshot(full_page=True, animations="disabled"))


def leave(path: Path, image: bytes) -> None:
    path.write_bytes(image)


class TestInABrowser:
    pytestmark = in_browser

    async def test_from_the_catalogue_to_an_app(self, portal: RunningServer, visit: Callable[..., Any]):
        page = await visit(portal, ALICE)
        await page.get_by_role("link", name="Charts").click()
        await expect(page).to_have_url(f"{portal.url}{PREFIX}/")
        await expect(page).to_have_title("Apps | Harbour office")
        await shoot(page, "foreign-catalogue")
        await page.get_by_role("link", name="berths", exact=False).click()
        await page.wait_for_selector(LIVE, state="attached")
        await expect(page.get_by_text("660 m are free")).to_be_visible()
        await page.get_by_role("slider").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_text("540 m are free")).to_be_visible()
        await expect(page.get_by_role("banner")).to_contain_text(ALICE)
        await expect(page).to_have_title(re.compile("Berths"))
        await shoot(page, "foreign-app")

    async def test_who_has_to_sign_in_comes_back(self, portal: RunningServer, visit: Callable[..., Any]):
        page = await visit(portal)
        address = f"{portal.url}{PREFIX}/apps/berths?from=mail&b=1"
        await page.goto(address)
        await expect(page).to_have_url(re.compile("/people/sign-in/"))
        await sign_in(page, BOB)
        await expect(page).to_have_url(address)
        await page.wait_for_selector(LIVE, state="attached")

    async def test_apps_within_a_page_of_the_site(self, portal: RunningServer, visit: Callable[..., Any]):
        page = await visit(portal, ALICE)
        await page.get_by_role("link", name="Quay").click()
        berths, arrivals = (page.get_by_role("region", name=name) for name in ("Berths", "Arrivals"))
        await berths.get_by_role("slider").focus()
        await page.keyboard.press("ArrowRight")
        await expect(berths.get_by_text("540 m are free")).to_be_visible()
        await expect(arrivals.get_by_text(f"{ALICE}, berth 7, night")).to_be_visible()
        await expect(page).to_have_title("The quay | Harbour office")
        await shoot(page, f"foreign-quay-{'path' if PATH in portal.url else 'root'}")

    async def test_an_app_that_is_not_for_him_leaves_the_page_alone(
        self, portal: RunningServer, visit: Callable[..., Any]
    ):
        page = await visit(portal, BOB)
        await page.get_by_role("link", name="Quay").click()
        await expect(page.get_by_role("region", name="Berths").get_by_text("660 m are free")).to_be_visible()
        await expect(page.get_by_role("region", name="Arrivals").get_by_role("note")).to_be_visible()
        await shoot(page, "foreign-refused")

    async def test_the_admin(self, portal: RunningServer, visit: Callable[..., Any]):
        page = await visit(portal, CARLA)
        await page.get_by_role("link", name="Office", exact=True).click()
        await page.wait_for_url("**/office/")
        lists = page.locator(".app-apps_registry th a")
        addresses = [await link.get_attribute("href") for link in await lists.all()]
        assert len(addresses) >= 4
        origin = portal.url.removesuffix(PATH)
        for address in addresses:
            assert address.startswith(portal.url.removeprefix(origin) + "/office/")
            # Searching reaches through to the user model
            await page.goto(f"{origin}{address}?q=alice")
            await expect(page.locator("#changelist-search")).to_be_visible()
        await page.goto(f"{portal.url}/office/apps_registry/vizapp/")
        await page.get_by_role("rowheader", name="Arrivals").get_by_role("link").click()
        await expect(page.get_by_role("group", name="Grants")).to_contain_text(ALICE)
        await shoot(page, "foreign-admin")
