"""Stock ``bokeh.client`` scripts, each in a process of its own, work as they do against ``bokeh serve``.

The scripts are in ``tests/clients``; where they would open a browser, they write its address instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from bokeh import __version__ as bokeh_version
from bokeh.embed import server_document, server_session
from playwright.async_api import Browser, Page, expect

from apps_registry.testing import RunningServer

from .browsing import another_site, open_app, problems_of, read, set_widget, until
from .serving import DOOR_APPS, MANAGE, ROOT, SAMPLES, Site, fetch, open_tab

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLIENTS = ROOT / "tests" / "clients"
#: Seconds in which a client has to do what it is there for, on a machine with much else to do.
SOON = 40


@dataclass
class Client:
    """A script that runs."""

    process: Process

    async def line(self) -> str:
        """The next line that it writes; what it complained of, if it has ended instead."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), SOON)
        assert line, (await self.end())[1]
        return line.decode().strip()

    async def go(self) -> None:
        """Tell it to go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await self.process.stdin.drain()

    async def end(self) -> tuple[str, str]:
        """Wait for its end; what it wrote, and what it complained of."""
        async with asyncio.timeout(SOON):
            output, complaints = await self.process.communicate()
        return output.decode(), complaints.decode()


@asynccontextmanager
async def client(name: str, *args: object, env: Mapping[str, str] | None = None) -> AsyncIterator[Client]:
    """Run ``tests/clients/NAME.py ARGS`` until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CLIENTS / f"{name}.py"), *map(str, args)),
        env={**os.environ, "BROWSER": "echo %s", "PYTHONUNBUFFERED": "1", **(env or {})},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield Client(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def outcome(name: str, *args: object, env: Mapping[str, str] | None = None) -> str:
    """What a script writes that ends by itself, and well."""
    async with client(name, *args, env=env) as running:
        output, complaints = await running.end()
        assert running.process.returncode == 0, complaints
    return output


async def refusal(name: str, *args: object, env: Mapping[str, str] | None = None) -> str:
    """The last complaint of a script that ends badly."""
    async with client(name, *args, env=env) as running:
        _, complaints = await running.end()
        assert running.process.returncode == 1, complaints
    return complaints.strip().splitlines()[-1]


def session_id_of(address: str) -> str:
    """The name of the session that an address leads to."""
    return parse_qs(urlsplit(address).query)["bokeh-session-id"][0]


APPS = [SAMPLES / "sliders.py", DOOR_APPS / "witness"]


@pytest.fixture(scope="module")
def open_server(site: Site, asgi_server: str) -> Iterator[RunningServer]:
    """A server for clients that have no key, and for pages on ``localhost``, whatever their port."""
    options = ["--server", asgi_server, "--session-ids", "unsigned", "--blank"]
    with site.serve(*options, "--allow-websocket-origin", "localhost:*", *APPS) as server:
        yield server


@pytest.fixture(scope="module")
def signed_server(site: Site, asgi_server: str) -> Iterator[RunningServer]:
    """A server for clients that have the key."""
    with site.serve("--server", asgi_server, "--blank", *APPS) as server:
        yield server


@pytest.fixture(scope="module")
def key(site: Site) -> dict[str, str]:
    """The environment of a client that has the key of the site."""
    command = [sys.executable, str(MANAGE), "bokehsecret"]
    run = subprocess.run(command, env=site.env(), capture_output=True, text=True, check=True)
    return {"BOKEH_SECRET_KEY": run.stdout.strip(), "BOKEH_SIGN_SESSIONS": "yes"}


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of a new visitor."""
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(SOON * 1000)
    yield page
    await context.close()


# Without a browser


@pytest.mark.parametrize("path", ["", "/apps/blank"])
async def test_a_pushed_document_follows_periodic_callbacks(open_server: RunningServer, path: str):
    async with client("animate", open_server.url + path) as animation:
        name = session_id_of(await animation.line())
        async with open_tab(open_server, "blank", f"?bokeh-session-id={name}") as tab:
            curve, line = tab.find("curve"), tab.find("line")
            height, alpha = curve.data["y"][10], line.line_alpha
            while curve.data["y"][10] == height or line.line_alpha == alpha:
                await tab.patch()
            assert curve.data.keys() == {"x", "y"}


async def test_a_pulled_document_is_modified_and_the_server_computes(open_server: RunningServer):
    async with client("move", f"{open_server.url}/apps/sliders", "amplitude", 2, 2) as mover:
        assert await mover.line() == "ready"
        await mover.go()
        assert await mover.line() == "2.00"


async def test_two_clients_of_one_session_see_what_the_other_does(open_server: RunningServer):
    url = f"{open_server.url}/apps/sliders"
    async with (
        client("move", url, "amplitude", 2, 3, "duet") as one,
        client("move", url, "offset", 1, 3, "duet") as other,
    ):
        both = (one, other)
        assert [await mover.line() for mover in both] == ["ready", "ready"]
        for mover in both:
            await mover.go()
        assert [await mover.line() for mover in both] == ["3.00", "3.00"]


async def test_two_clients_without_a_name_have_two_sessions(open_server: RunningServer):
    url = f"{open_server.url}/apps/sliders"
    async with client("move", url, "amplitude", 2, 2) as one, client("move", url, "offset", 1, 2) as other:
        for mover in (one, other):
            assert await mover.line() == "ready"
            await mover.go()
            assert await mover.line() == "2.00"


async def test_millions_of_bytes_go_both_ways(open_server: RunningServer):
    assert await outcome("carry", f"{open_server.url}/apps/blank") == "as it was"


async def test_request_arguments_reach_the_app(open_server: RunningServer):
    seen, version = (await outcome("ask", f"{open_server.url}/apps/witness")).splitlines()
    assert json.loads(seen)["arguments"] == {"city": ["Gävle & Bodø"], "tag": ["asked"]}
    assert version == bokeh_version


async def test_the_holder_of_the_key_is_served(signed_server: RunningServer, key: dict[str, str]):
    assert bokeh_version in await outcome("ask", f"{signed_server.url}/apps/witness", env=key)
    async with client("double", signed_server.url, env=key) as doubler:
        assert await doubler.line()


@pytest.mark.parametrize("secret", ["", "another"])
async def test_who_has_not_the_key_is_refused(signed_server: RunningServer, key: dict[str, str], secret: str):
    env = key | {"BOKEH_SECRET_KEY": secret} if secret else None
    for name, path in [("double", ""), ("double", "/apps/blank"), ("ask", "/apps/witness")]:
        assert "403" in await refusal(name, signed_server.url + path, env=env)


async def test_a_name_that_nobody_signed_is_refused(signed_server: RunningServer, key: dict[str, str]):
    assert "403" in await refusal("double", signed_server.url, "hover", env=key)
    assert fetch(signed_server, "/apps/blank?bokeh-session-id=hover").status_code == 403


async def test_without_the_empty_app_nothing_takes_documents(site: Site, asgi_server: str):
    with site.serve("--server", asgi_server, "--session-ids", "unsigned", *APPS) as server:
        for path in ("", "/apps/blank"):
            assert "OSError" in await refusal("double", server.url + path)


async def test_a_client_ends_when_its_server_stops(site: Site, asgi_server: str):
    with site.serve("--server", asgi_server, "--session-ids", "unsigned", "--blank", *APPS) as server:
        async with client("double", server.url) as doubler:
            await doubler.line()
            server.process.terminate()
            await doubler.end()
            assert doubler.process.returncode == 0


# With a browser


async def show(page: Page, address: str) -> list[str]:
    """Open an address that a client wrote; what goes wrong there."""
    problems = problems_of(page)
    await page.goto(address)
    await page.wait_for_function("window.Bokeh?.documents?.length === 1 && Bokeh.documents[0].is_idle")
    return problems


async def doubles(page: Page, number: int) -> None:
    """Move the slider of ``double``, and wait for what the client makes of it."""
    await set_widget(page, "number", value=number)
    await until(page, f"model('double').text === '{2 * number}'")


@pytest.mark.browser
async def test_the_example_of_the_guide_moves_in_a_browser(open_server: RunningServer, page: Page):
    async with client("animate", open_server.url) as animation:
        problems = await show(page, await animation.line())
        seen = await read(page, "[column('curve', 'y')[10], model('line').line_alpha]")
        await until(page, f"column('curve', 'y')[10] !== {seen[0]} && model('line').line_alpha !== {seen[1]}")
        assert problems == []


@pytest.mark.browser
@pytest.mark.parametrize("path", ["", "/apps/blank"])
async def test_a_shown_session_answers(open_server: RunningServer, page: Page, path: str):
    async with client("double", open_server.url + path) as doubler:
        address = await doubler.line()
        assert address.startswith(f"{open_server.url}{path}/?bokeh-session-id=")
        problems = await show(page, address)
        await expect(page).to_have_title("Double")
        await doubles(page, 21)
        assert problems == []


@pytest.mark.browser
async def test_a_browser_joins_a_session_by_its_name(open_server: RunningServer, page: Page):
    async with client("double", f"{open_server.url}/apps/blank", "hover") as doubler:
        await doubler.line()
        await show(page, f"{open_server.url}/apps/blank?bokeh-session-id=hover")
        await doubles(page, 4)


@pytest.mark.browser
async def test_a_client_joins_a_browser_by_the_name_of_its_session(open_server: RunningServer, page: Page):
    await open_app(page, open_server, "sliders", "?bokeh-session-id=joined")
    async with client("move", f"{open_server.url}/apps/sliders", "amplitude", 2, 2, "joined") as mover:
        await mover.line()
        await mover.go()
        await until(page, "Math.max(...column('curve', 'y')) > 1.99")
        assert await mover.line() == "2.00"
    await set_widget(page, "offset", value=1)
    await until(page, "Math.max(...column('curve', 'y')) > 2.99")


@pytest.mark.browser
async def test_with_the_key_a_shown_session_opens_by_its_signed_name(
    signed_server: RunningServer, page: Page, key: dict[str, str]
):
    async with client("double", signed_server.url, env=key) as doubler:
        await show(page, await doubler.line())
        await doubles(page, 8)


# In pages of other sites


def site_of(*scripts: str) -> Any:
    """A web server with one page, in which these scripts stand."""
    return another_site(f"<title>Partner</title><link rel=icon href=data:,><body>{''.join(scripts)}")


@pytest.mark.browser
@pytest.mark.parametrize("with_credentials", [False, True])
async def test_a_session_of_a_client_is_embedded(
    open_server: RunningServer, page: Page, with_credentials: bool
):
    async with client("double", f"{open_server.url}/apps/blank") as doubler:
        script = server_session(
            session_id=session_id_of(await doubler.line()),  # type: ignore[arg-type]
            url=f"{open_server.url}/apps/blank",
            with_credentials=with_credentials,
        )
        async with site_of(script) as port:
            problems = await show(page, f"http://localhost:{port}/")
            await doubles(page, 16)
            await expect(page).to_have_title("Partner")
        assert problems == []


@pytest.mark.browser
async def test_an_app_is_embedded_with_arguments(open_server: RunningServer, page: Page):
    script = server_document(f"{open_server.url}/apps/witness", arguments={"tag": "embedded"})
    async with site_of(script) as port:
        problems = await show(page, f"http://localhost:{port}/")
        assert json.loads(await read(page, "model('seen').text"))["arguments"] == {"tag": ["embedded"]}
        await doubles(page, 3)
    assert problems == []


@pytest.mark.browser
async def test_a_site_that_is_not_allowed_embeds_neither(open_server: RunningServer, page: Page):
    async with client("double", f"{open_server.url}/apps/blank") as doubler:
        url = f"{open_server.url}/apps/blank"
        session_id = session_id_of(await doubler.line())
        scripts = [server_session(session_id=session_id, url=url), server_document(url)]  # type: ignore[arg-type]
        failed: asyncio.Queue[str] = asyncio.Queue()
        page.on("requestfailed", lambda request: failed.put_nowait(request.url))
        async with site_of(*scripts) as port, asyncio.timeout(SOON):
            await page.goto(f"http://127.0.0.1:{port}/")
            addresses = [await failed.get(), await failed.get()]
        assert all("/autoload.js" in address for address in addresses)
        assert await page.evaluate("window.Bokeh === undefined")
