"""Servers whose rows, people and grants change while sockets are open.

Code that changes them runs in one of the servers (``In``), or in another process of the site (``Beside``).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
from websockets import ConnectionClosed, InvalidStatus

from apps_registry.testing import AppSocket, RunningServer, connect
from apps_registry.testing.socket import token_of

from . import databases
from .serving import ROOT, Site, wait_until, ws_url

WATCHED_APPS = ROOT / "tests" / "apps_watched"

#: People, apps and grants as every test finds them.
RESET = """
from django.contrib.sessions.models import Session
for model in (VizApp, Grant, GuestLink, User, Group, Session):
    model.objects.all().delete()
LiveSession.objects.all().delete()
for name in ("alpha", "beta", "gated", "failing"):
    VizApp.objects.create(name=name, source=name + ".py", enabled=True, access="login")
for name in ("alice", "bob", "sara", "root"):
    User.objects.create_user(name, password=name, is_staff=name in ("sara", "root"), is_superuser=name == "root")
"""

#: What servers that ran on the same site before have left.
RECORDS = """
for model in (Opening, Failure, Host):
    model.objects.all().delete()
"""


def busy() -> float:
    """How much longer than on an idle machine things may take just now."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


# Code in other processes


def execute(code: str) -> Any:
    """Run code among the models, in this process; gives what it calls ``result``."""
    from django.contrib.auth.models import Group, User

    from apps_registry import models, relay

    names: dict[str, Any] = {**vars(models), "User": User, "Group": Group, "relay": relay, "log_in": _log_in}
    exec(code, names)
    return names.get("result")


def _log_in(name: str) -> str:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get(username=name))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


_LOOP = """
import json, sys, traceback
import django
django.setup()
from tests.watched import execute
for line in sys.stdin:
    try:
        answer = {"result": execute(json.loads(line))}
    except Exception:
        answer = {"error": traceback.format_exc()}
    print(json.dumps(answer), flush=True)
"""


class In:
    """In the process of a server, by a view of it."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server

    def run(self, code: str) -> Any:
        """What the code calls ``result``."""
        answer = httpx.post(f"{self.server.url}/run", content=code, timeout=60)
        assert answer.status_code == 200, self.server.output
        return answer.json()["result"]

    def sessions(self) -> list[str]:
        """The apps of the sessions that live in it."""
        code = "from apps_registry import runtime\nsessions = runtime.running().pool.sessions()\n"
        names: list[str] = self.run(code + "result = [session.app_name for session in sessions]")
        return names


class Beside:
    """In a process of the site that serves nobody, as a command is one."""

    def __init__(self, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            env=env,
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, code: str) -> Any:
        """What the code calls ``result``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


# Servers


@dataclass
class Watched:
    """Servers on one database, and a process beside them."""

    site: Site
    servers: list[RunningServer]
    beside: Beside
    env: dict[str, str]

    @property
    def server(self) -> RunningServer:
        """The first server."""
        return self.servers[0]

    def reset(self) -> None:
        """Make everything as it was, once nothing lives from before."""
        self.run("VizApp.objects.update(unattended_seconds=0)")
        self.refresh()
        for server in self.servers:
            wait_until(lambda server=server: not In(server).sessions())
        self.run(RESET)
        self.refresh()

    def refresh(self) -> None:
        """Let the servers know how things are, without waiting until they notice."""
        code = "from apps_registry import runtime\nregistry = runtime.running().registry\n"
        for server in self.servers:
            In(server).run(code + "registry.refresh()\nregistry.apps()")

    def another(self) -> AbstractContextManager[RunningServer]:
        """One more server like those."""
        return self.site.serve(env=self.env)

    def run(self, code: str) -> Any:
        """What code calls ``result`` that runs beside the servers."""
        return self.beside.run(code)


def environment(site: Site, **settings: Any) -> dict[str, str]:
    """The environment of a process of a watched site; keywords add to the settings of the apps."""
    settings = {"APP_DIRS": [str(WATCHED_APPS)], "CHECK_UNUSED_SESSIONS": 0.2} | settings
    return site.env(**settings) | {"DJANGO_SETTINGS_MODULE": "tests.watched_settings"}


@contextmanager
def watch(
    site: Site, *args: str, servers: int = 1, env: dict[str, str] | None = None, **settings: Any
) -> Iterator[Watched]:
    """Servers of a watched site until the end of the block."""
    variables = environment(site, **settings) | (env or {})
    with ExitStack() as stack:
        beside = stack.enter_context(Beside(variables))
        beside.run(RESET + RECORDS)
        running = [stack.enter_context(site.serve(*args, env=variables)) for _ in range(servers)]
        yield Watched(site, running, beside, variables)


def copy_of(site: Site, folder: Path) -> Site:
    """A site with data of its own, and the same tables."""
    databases.copy(site.folder, folder)
    journal = folder / "journal.txt"
    journal.touch()
    return Site(folder, journal)


# Tabs


class Refused(Exception):
    """A page or socket was not let in; ``code`` is an HTTP status, or that of the socket's close."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def end_of(closed: ConnectionClosed) -> tuple[int, str]:
    """The code and the reason with which a socket was closed."""
    return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd is not None else (1006, "")


def token_for(server: RunningServer, app: str, key: str = "") -> str:
    """The token in the page of an app, for the holder of a login. Raises ``Refused``."""
    cookies = {"sessionid": key} if key else {}
    with httpx.Client(base_url=server.url, cookies=cookies, follow_redirects=True, timeout=60) as visitor:
        page = visitor.get(f"/apps/{app}")
    if page.status_code != 200 or not page.url.path.startswith("/apps/"):
        raise Refused(page.status_code if page.is_error else 401)
    return token_of(page.text)


@dataclass
class Tab:
    """A socket on an app, and what it was opened with."""

    server: RunningServer
    app: str
    headers: dict[str, str]
    token: str
    socket: AppSocket

    async def closing(self, within: float = 30) -> tuple[int, str]:
        """The code and the reason with which the server closes it; raises ``TimeoutError``."""
        async with asyncio.timeout(within):
            try:
                while True:
                    await self.socket.receive()
            except ConnectionClosed as closed:
                return end_of(closed)

    async def lives(self) -> None:
        """Assert that it is open."""
        await self.socket.idle()


class Tabs:
    """Opens tabs, and closes them at the end."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def open(
        self, app: str, user: str = "", *, server: int = 0, key: str = "", query: str = "", **headers: str
    ) -> Tab:
        """A new tab of a person, with a login of his own unless ``key`` names one. Raises ``Refused``."""
        running = self._watched.servers[server]
        if user and not key:
            key = self._watched.run(f"result = log_in({user!r})")
        cookies = {"Cookie": f"sessionid={key}"} if key else {}
        token = token_for(running, app + query, key)
        return await self._enter(running, app, cookies | headers, token)

    async def again(self, tab: Tab) -> Tab:
        """The socket of the same page once more, as BokehJS opens it. Raises ``Refused``."""
        return await self._enter(tab.server, tab.app, tab.headers, tab.token)

    async def _enter(self, server: RunningServer, app: str, headers: dict[str, str], token: str) -> Tab:
        socket = connect(ws_url(server, app), token, {"Origin": server.url} | headers)
        try:
            await self._stack.enter_async_context(socket)
        except ConnectionClosed as closed:
            raise Refused(end_of(closed)[0]) from None
        except InvalidStatus as answer:
            raise Refused(answer.response.status_code) from None
        return Tab(server, app, headers, token, socket)
