"""People who watch apps see at once, in words, what an admin decides about them, and nobody else sees anything.

With SHOTS set to a directory, screenshots are left there.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from .serving import Site
from .watched import In, Watched, busy, copy_of, watch

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Milliseconds in which a page has to come to what a test waits for, on a machine with much else to do.
SOON = 30_000
#: Seconds from the answer to whoever made the change until the viewers read of it.
AT_ONCE = 1.0

OFF = "This app has been switched off"
NOT_ALLOWED = "You may no longer open this app"
LOGGED_OUT = "You are no longer logged in"

#: Resolves to the time at which the words stand in the page, wherever in it.
_READ = """(words) => new Promise((resolve) => {
  const texts = (root) => root.textContent + [...root.querySelectorAll("*")]
    .map((node) => node.shadowRoot == null ? "" : texts(node.shadowRoot)).join("");
  const look = () => texts(document.body).includes(words) ? resolve(Date.now()) : setTimeout(look, 5);
  look();
})"""


@pytest.fixture(scope="module")
def watched(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server with the settings that servers have by default."""
    with watch(copy_of(site, tmp_path_factory.mktemp("seen"))) as watched:
        yield watched


@dataclass
class People:
    """Browsers, each with a person in it."""

    watched: Watched
    browser: Browser
    contexts: list[BrowserContext]

    async def come(self, name: str) -> BrowserContext:
        """A browser in which a person is logged in."""
        context = await self.browser.new_context(viewport={"width": 1280, "height": 800})
        self.contexts.append(context)
        key = self.watched.run(f"result = log_in({name!r})")
        await context.add_cookies([{"name": "sessionid", "value": key, "url": self.watched.server.url}])
        return context

    async def look_at(self, app: str, who: str | BrowserContext) -> Page:
        """The page of an app, live."""
        context = await self.come(who) if isinstance(who, str) else who
        page = await context.new_page()
        page.set_default_timeout(SOON)
        await page.goto(f"{self.watched.server.url}/apps/{app}")
        await until_live(page)
        return page

    async def admin(self, path: str, name: str = "root") -> Page:
        """A page of the admin."""
        page = await (await self.come(name)).new_page()
        page.set_default_timeout(SOON)
        await page.goto(f"{self.watched.server.url}/admin/{path}")
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def people(watched: Watched, browser: Browser) -> AsyncIterator[People]:
    watched.reset()
    people = People(watched, browser, [])
    yield people
    for context in people.contexts:
        await context.close()


async def until_live(page: Page) -> None:
    await page.wait_for_selector("[data-session-state=live]", state="attached")
    await page.wait_for_function("() => Bokeh.documents.length === 1 && Bokeh.documents[0].is_idle")


async def presses(page: Page) -> int:
    """Press the app's button; gives how often it was pressed by now, as the server counts."""
    count = "() => Bokeh.documents[0].get_model_by_name('count').text"
    before = await page.evaluate(count)
    await page.get_by_role("button", name="More").click()
    await page.wait_for_function(f"(before) => ({count})() !== before", arg=before)
    return int(await page.evaluate(count))


@asynccontextmanager
async def read_at_once(words: str, *pages: Page) -> AsyncIterator[Callable[[], None]]:
    """Assert that the words stand in the pages soon after ``answered()`` was called within the block."""
    readers = [asyncio.create_task(page.evaluate(_READ, words)) for page in pages]
    answers: list[float] = []
    try:
        yield lambda: answers.append(time.time())
        for reader in readers:
            took = (await asyncio.wait_for(reader, 30)) / 1000 - answers[0]
            print(f"{words}: {took:.3f} s after the answer")  # noqa: T201 - `pytest -s` tells the times
            assert took < AT_ONCE * busy()
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def submit(page: Page, answered: Callable[[], None], press: Callable[[], Awaitable[Any]]) -> None:
    """Send a form, and note when the server has answered."""
    async with page.expect_response(lambda answer: answer.request.method == "POST") as response:
        await press()
    answer = await response.value
    answered()
    assert answer.status == 302, f"The form was not taken: {answer.status}"


async def shoot(page: Page, name: str) -> None:
    """Leave a screenshot, when these are wanted."""
    if folder := os.environ.get("SHOTS"):
        leave(Path(folder), name, await page.screenshot(animations="disabled"))


def leave(folder: Path, name: str, image: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(image)


async def test_an_admin_switches_an_app_off_while_people_watch(people: People):
    two = [await people.look_at("alpha", name) for name in ("alice", "bob")]
    third = await people.look_at("beta", "alice")
    assert await presses(third) == 1
    row = people.watched.run('result = VizApp.objects.get(name="alpha").pk')
    page = await people.admin(f"apps_registry/vizapp/{row}/change/")
    await page.get_by_label("Enabled").uncheck()
    async with read_at_once(OFF, *two) as answered:
        await submit(page, answered, page.get_by_role("button", name="Save", exact=True).click)
    await shoot(two[0], "switched-off")
    assert await presses(third) == 2, "Another app should not notice."


async def test_an_action_of_the_admin_switches_apps_off_as_well(people: People):
    one = await people.look_at("alpha", "alice")
    other = await people.look_at("beta", "alice")
    page = await people.admin("apps_registry/vizapp/")
    await page.get_by_role("row", name=re.compile("alpha")).get_by_role("checkbox").check()
    await page.get_by_label("Action:").select_option(label="Switch off")
    async with read_at_once(OFF, one) as answered:
        await submit(page, answered, page.get_by_role("button", name=re.compile("Go|Run")).click)
    assert await presses(other) == 1


async def test_a_grant_is_taken_back_while_people_watch(people: People):
    people.watched.run(
        'alpha = VizApp.objects.get(name="alpha"); alpha.access = "grant"; alpha.save()\n'
        'for name in ("alice", "bob"):\n'
        "    Grant.objects.create(app=alpha, user=User.objects.get(username=name))"
    )
    people.watched.refresh()
    alice, bob = [await people.look_at("alpha", name) for name in ("alice", "bob")]
    beta = await people.look_at("beta", alice.context)
    row = people.watched.run('result = VizApp.objects.get(name="alpha").pk')
    page = await people.admin(f"apps_registry/vizapp/{row}/change/")
    line = page.locator("#grants-group tr.has_original", has_text="alice")
    await line.locator("input[name$=DELETE]").check()
    async with read_at_once(NOT_ALLOWED, alice) as answered:
        await submit(page, answered, page.get_by_role("button", name="Save", exact=True).click)
    await shoot(alice, "grant-taken-back")
    assert await presses(bob) == 1
    assert await presses(beta) == 1


async def test_a_logout_is_seen_in_all_tabs_of_the_browser(people: People):
    alpha = await people.look_at("alpha", "alice")
    beta = await people.look_at("beta", alpha.context)
    elsewhere, bob = await people.look_at("alpha", "alice"), await people.look_at("alpha", "bob")
    catalogue = await alpha.context.new_page()
    await catalogue.goto(people.watched.server.url)
    async with read_at_once(LOGGED_OUT, alpha, beta) as answered:
        async with catalogue.expect_response(lambda answer: answer.request.method == "POST"):
            await catalogue.locator("summary", has_text="alice").click()
            await catalogue.get_by_role("button", name="Log out").click()
        answered()
    await shoot(alpha, "logged-out")
    for page in (elsewhere, bob):
        assert await presses(page) == 1


async def test_a_password_is_changed_by_an_admin(people: People):
    alice, bob = [await people.look_at("alpha", name) for name in ("alice", "bob")]
    user = people.watched.run('result = User.objects.get(username="alice").pk')
    page = await people.admin(f"auth/user/{user}/password/")
    for field in ("password1", "password2"):
        await page.locator(f"input[name={field}]").fill("a-Quite-long-1")
    async with read_at_once(LOGGED_OUT, alice) as answered:
        await submit(page, answered, page.locator("#content-main [type=submit]").first.click)
    assert await presses(bob) == 1


async def test_who_changes_his_own_password_goes_on_working(people: People):
    app = await people.look_at("alpha", "sara")
    elsewhere = await people.look_at("alpha", "sara")
    assert await presses(app) == 1
    page = await app.context.new_page()
    await page.goto(f"{people.watched.server.url}/password/")
    for field, text in {
        "old_password": "sara",
        "new_password1": "a-Quite-long-1",
        "new_password2": "a-Quite-long-1",
    }.items():
        await page.locator(f"input[name={field}]").fill(text)
    async with read_at_once(LOGGED_OUT, elsewhere) as answered:
        await submit(page, answered, page.locator("#content-main [type=submit]").first.click)
    await asyncio.sleep(1)
    await until_live(app)
    assert await presses(app) == 2, "The session should be the same."
    assert LOGGED_OUT not in await app.evaluate("document.body.textContent")


async def test_a_message_is_read_in_the_tabs_of_a_session(people: People):
    alice, bob = [await people.look_at("alpha", name) for name in ("alice", "bob")]
    code = 'result = [session.session for session in LiveSession.objects.filter(username="alice")]'
    async with asyncio.timeout(20):
        while not (short := people.watched.run(code)):
            await asyncio.sleep(0.1)
    words = "The data of today is <b>late</b>."
    async with read_at_once(words, alice) as answered:
        In(people.watched.server).run(f'relay.publish("message", session={short[0]!r}, text={words!r})')
        answered()
    await shoot(alice, "message")
    await expect(bob.get_by_text(words)).to_have_count(0)
    assert await presses(alice) == await presses(bob) == 1


async def test_changed_code_is_loaded_by_the_tabs_that_show_it(people: People):
    alpha, beta = await people.look_at("alpha", "alice"), await people.look_at("beta", "alice")
    await alpha.evaluate("window.wasHere = true")
    In(people.watched.server).run('relay.publish("reload", app="alpha")')
    await alpha.wait_for_function("() => window.wasHere === undefined")
    await until_live(alpha)
    assert await presses(beta) == 1
