"""What tests in a real browser share. With SHOTS set to a directory, screenshots are left there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from apps_registry.testing import RunningServer

from .conftest import PAGE_TIMEOUT

SOON = PAGE_TIMEOUT

expect.set_options(timeout=SOON)

#: What a page shows once its session is there.
LIVE = "[data-session-state=live]"
PHONE = {"width": 390, "height": 844}


def problems_of(page: Page) -> list[str]:
    """What goes wrong in a page from now on: errors in the console, exceptions, failed requests."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
    page.on("console", lambda said: said.type in ("error", "warning") and problems.append(said.text))
    page.on(
        "response", lambda answer: answer.status >= 400 and problems.append(f"{answer.status}: {answer.url}")
    )
    return problems


async def log_in_on(page: Page, server: RunningServer, name: str, path: str = "/") -> None:
    """Log in as people do, each with the name as the password, and come to ``path``."""
    await page.goto(f"{server.url}/accounts/login/?next={path}")
    await page.get_by_label("Username").fill(name)
    await page.get_by_label("Password").fill(name)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(server.url + path)


async def open_app(page: Page, server: RunningServer, name: str, query: str = "") -> None:
    """Load the page of an app, and wait until its document is there and drawn."""
    await page.goto(f"{server.url}/apps/{name}{query}")
    await has_opened(page)


async def has_opened(page: Page) -> None:
    """Wait until the document of an app's page is there and drawn."""
    await page.wait_for_selector(LIVE, state="attached")
    await page.wait_for_function("() => Bokeh.documents.length === 1 && Bokeh.documents[0].is_idle")


async def read(page: Page, expression: str) -> Any:
    """What ``expression`` gives in the page, where ``model(name)`` is a model of the document."""
    return await page.evaluate(scripted(expression))


async def until(page: Page, expression: str) -> None:
    """Wait until ``expression`` is true in the page."""
    await page.wait_for_function(scripted(expression))


def scripted(expression: str) -> str:
    return (
        "() => { const model = (name) => Bokeh.documents[0].get_model_by_name(name);"
        " const data = (name, key) => model(name).data[key] ?? model(name).data.get(key);"
        " const column = (name, key) => Array.from(data(name, key));"
        f" return ({expression}); }}"
    )


async def set_widget(page: Page, name: str, **values: Any) -> None:
    """Set properties of a model as its widget does."""
    await page.evaluate(
        "([name, values]) => Bokeh.documents[0].get_model_by_name(name).setv(values)", [name, values]
    )


async def shoot(page: Page, name: str) -> None:
    """Leave a screenshot, when these are wanted."""
    if folder := os.environ.get("SHOTS"):
        image = await page.screenshot(full_page=True, animations="disabled")
        leave(Path(folder), f"{name}.png", image)


def leave(folder: Path, name: str, image: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(image)


async def overflows(page: Page) -> bool:
    """Whether the page is wider than the window."""
    return await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


@asynccontextmanager
async def another_site(body: str) -> AsyncIterator[int]:
    """A web server that gives this one page; its port."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<!doctype html>"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write((head + body).encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
