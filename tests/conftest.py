"""What all tests share: servers, a browser, and a watch over what a test leaves behind."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio
from asgiref.sync import SyncToAsync
from django.db import connections

from apps_registry.live.importing import PREFIX
from apps_registry.testing import RunningServer

from .rows import make_rows, serve_rows
from .serving import APPS, DOOR_APPS, Site

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Without a sandbox, which root may not have, and without the small /dev/shm of containers.
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb"]
#: Bytes of a message, seconds of a start: less than the defaults, so that tests reach them soon.
MAX_MESSAGE_SIZE = 1_000_000
START_TIMEOUT = 3.0
#: Milliseconds in which a page has to come to what a test waits for, on a machine with much else to do.
PAGE_TIMEOUT = 30_000
#: Seconds that a thread or process may take to end once nobody needs it.
GRACE = 5.0


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are processors: many tests wait for a server or a browser."""
    return (os.cpu_count() or 1) + 1


# What a test leaves behind


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a child process, or a module of an app."""
    threads, children, modules = set(threading.enumerate()), _children(), _app_modules()
    yield
    # asgiref keeps its one thread for as long as the process lives
    threads |= SyncToAsync.single_thread_executor._threads
    for thread in set(threading.enumerate()) - threads:
        thread.join(GRACE)
    left = [f"thread {thread.name}" for thread in set(threading.enumerate()) - threads]
    _, alive = psutil.wait_procs(_children() - children, GRACE)
    left += [f"process {process.pid}" for process in alive]
    left += [f"module {name}" for name in _app_modules() - modules]
    assert not left, f"The test left behind: {', '.join(left)}"


@pytest.fixture(autouse=True)
def no_task_left_behind(nothing_left_behind: None, request: pytest.FixtureRequest) -> None:
    """Fail an async test that leaves a task on its loop."""
    if inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("watched_tasks")


@pytest_asyncio.fixture
async def watched_tasks() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"The test left behind: {left}"


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children())


def _app_modules() -> set[str]:
    return {name for name in sys.modules if name.startswith(PREFIX)}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The database of the tests; at their end, the one thread of asgiref lets it go too."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


# Servers


@pytest.fixture(scope="session", autouse=True)
def one_tls_context() -> Iterator[None]:
    """Let HTTP clients share what each of them makes anew, which takes longer than most requests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx._transports.default, "create_ssl_context", cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Data for servers: a database with people in it, and a journal."""
    folder = tmp_path_factory.mktemp("site")
    site = Site(folder, folder / "journal.txt")
    site.make()
    return site


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the apps of the tests, in which links lead astray."""
    folder = tmp_path_factory.mktemp("apps")
    shutil.copytree(DOOR_APPS, folder, dirs_exist_ok=True)
    secret = tmp_path_factory.mktemp("outside") / "secret.txt"
    secret.write_text("not for the web")
    static = folder / "templated" / "static"
    (static / "link_out.txt").symlink_to(secret)
    (static / "folder_out").symlink_to(secret.parent)
    (static / "link_in.css").symlink_to(static / "css" / "page.css")
    for name in ("broken", "exits", "never_ends", "raises_in_callback"):
        shutil.copytree(APPS / name, folder / name)
    return folder


@pytest.fixture(scope="session", params=["uvicorn", "daphne"])
def asgi_server(request: pytest.FixtureRequest) -> str:
    """Both servers, one after the other."""
    return request.param


@pytest.fixture(scope="session")
def server(site: Site, apps: Path, asgi_server: str) -> Iterator[RunningServer]:
    """A server whose apps are open to everybody, without DEBUG."""
    settings = {"START_TIMEOUT": START_TIMEOUT, "STOP_TIMEOUT": 1, "LOGOUT_URL": "/accounts/logout/"}
    size = ["--websocket-max-message-size", str(MAX_MESSAGE_SIZE)]
    with site.serve("--server", asgi_server, *size, *sorted(apps.iterdir()), **settings) as server:
        yield server


@pytest.fixture(scope="session")
def private_server(site: Site, apps: Path, asgi_server: str) -> Iterator[RunningServer]:
    """A server whose apps are for those who are logged in, without DEBUG."""
    paths = {name: str(apps / name) for name in ("witness", "templated", "broken", "broken_template")}
    with site.serve("--server", asgi_server, APPS=paths, ACCESS="login") as server:
        yield server


@pytest.fixture(scope="session")
def rows_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose apps have rows, see ``tests.rows``."""
    return make_rows(tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="session")
def rows_server(rows_site: Site) -> Iterator[RunningServer]:
    """A server whose apps have rows, without DEBUG."""
    with serve_rows(rows_site) as server:
        yield server


@pytest.fixture(scope="module")
def demo_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with what ``manage.py loaddemo`` makes."""
    folder = tmp_path_factory.mktemp("demo")
    site = Site(folder, folder / "journal.txt")
    site.make()
    site.manage("loaddemo", "--force")
    return site


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    """A word for ``?tag=``, by which a test finds its own sessions in the journal."""
    return "".join(letter if letter.isalnum() else "_" for letter in request.node.name)


@pytest.fixture(scope="session")
def redis_program() -> str:
    """The path of redis-server."""
    return _program("redis-server")


def _program(*names: str) -> str:
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"There is no {names[0]} here.")
    return path


# A browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Any]:
    """Chromium, for tests marked ``browser``, which run on the loop of the session."""
    from playwright.async_api import async_playwright

    path = _program(*CHROMIUM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(browser: Any) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """``await new_page(**options)`` is a page of a new visitor; all are closed at the end."""
    contexts = []

    async def new_page(**options: Any) -> Any:
        contexts.append(await browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options))
        page = await contexts[-1].new_page()
        page.set_default_timeout(PAGE_TIMEOUT)
        return page

    yield new_page
    for context in contexts:
        await context.close()
