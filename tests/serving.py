"""Real servers for the tests: the whole site, with data of its own and people who can log in."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
from django.conf import settings

from apps_registry.testing import AppSocket, RunningServer, connect, run_server
from apps_registry.testing.socket import token_of

from . import databases

ROOT = Path(__file__).parents[1]
APPS = ROOT / "tests" / "apps"
DOOR_APPS = ROOT / "tests" / "apps_doors"
SAMPLES = ROOT / "bokeh_apps"
MANAGE = ROOT / "manage.py"

#: Who can log in, each with the name as the password. Sara is staff.
PEOPLE = ("alice", "bob", "sara")

_MAKE_DATA = """
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", verbosity=0)
for name in {people}:
    User.objects.create_user(name, password=name, is_staff=name == "sara")
"""


@dataclass(frozen=True)
class Site:
    """The site's data, and the journal that apps of the tests write."""

    folder: Path
    journal: Path

    @property
    def mood(self) -> Path:
        """While this file is there, the app ``moody`` does not start."""
        return self.folder / "mood"

    def with_journal(self, name: str) -> Site:
        """The same site, with an empty journal of this name."""
        journal = self.folder / name
        journal.write_text("")
        return replace(self, journal=journal)

    def make(self) -> None:
        """Make the database and the people."""
        self.folder.mkdir(exist_ok=True)
        databases.copy(_template(), self.folder)
        self.journal.touch()

    def manage(self, *words: str | Path) -> str:
        """What ``manage.py WORDS`` says; fails the test when it does."""
        command = [sys.executable, str(MANAGE), *map(str, words)]
        done = subprocess.run(command, env=self.env(), cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def env(self, *, debug: bool = False, **apps_registry: Any) -> dict[str, str]:
        """The environment of a process of this site; keywords add to the settings of the apps."""
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.serving_settings",
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": databases.address(self.folder),
            "DEBUG": str(int(debug)),
            "SECRET_KEY": settings.SECRET_KEY,
            "SESSION_COOKIE_SECURE": "0",
            "TEST_APPS_REGISTRY": json.dumps(apps_registry),
            "JOURNAL": str(self.journal),
            "MOOD": str(self.mood),
        }

    def serve(
        self,
        *args: str | Path,
        debug: bool = False,
        env: Mapping[str, str] | None = None,
        **apps_registry: Any,
    ) -> AbstractContextManager[RunningServer]:
        """``manage.py runbokeh ARGS`` until the end of the block."""
        return run_server(*args, manage=MANAGE, env=self.env(debug=debug, **apps_registry) | dict(env or {}))

    def notes(self, tag: str = "-") -> list[str]:
        """What the journal says of the pages that were opened with ``?tag=TAG``."""
        lines = (line.split() for line in self.journal.read_text().splitlines())
        return [what for what, noted in lines if noted == tag]


@cache
def _template() -> Path:
    """A folder with the database of a site to which nothing has happened yet."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    databases.create(folder)
    script = _MAKE_DATA.format(people=PEOPLE)
    env = Site(folder, folder / "journal.txt").env()
    subprocess.run([sys.executable, "-c", script], env=env, cwd=ROOT, check=True)
    return folder


def fetch(server: RunningServer, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """The answer to a visitor without cookies."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, server.url + path, headers=named, timeout=30)


def visit(server: RunningServer, **options: Any) -> httpx.Client:
    """An HTTP client of one visitor, to be closed."""
    return httpx.Client(base_url=server.url, timeout=30, **options)


def log_in(client: httpx.Client, name: str) -> None:
    """Log in on the site's own page."""
    address = "/accounts/login/"
    client.get(address)
    form = {"username": name, "password": name, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
    answer = client.post(address, data=form, headers={"Referer": str(client.base_url) + address})
    assert answer.status_code == 302, answer.text


def cookie_header(client: httpx.Client) -> dict[str, str]:
    """The cookies of a client, for the handshake of a websocket."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}


def page_token(server: RunningServer, name: str, query: str = "", client: httpx.Client | None = None) -> str:
    """The token in the page of an app, as this visitor gets it."""
    get = client.get if client is not None else httpx.get
    answer = get(f"{server.url}/apps/{name}{query}", timeout=30)
    assert answer.status_code == 200, answer.text
    return token_of(answer.text)


def ws_url(server: RunningServer, name: str) -> str:
    return f"{server.ws_url}/apps/{name}/ws"


def open_tab(
    server: RunningServer, name: str, query: str = "", headers: dict[str, str] | None = None
) -> AppSocket:
    """Load the page of an app, then its document: ``async with open_tab(server, name) as tab``."""
    return connect(ws_url(server, name), page_token(server, name, query), headers)


def wait_until(seen: Callable[[], Any], within: float = 20) -> Any:
    """What ``seen`` gives, as soon as that is true: for files and output that other processes write."""
    end = time.monotonic() + within
    while not (result := seen()):
        assert time.monotonic() < end, f"This did not happen within {within} s."
        time.sleep(0.02)
    return result
