"""The foreign site, run as its own people would: its commands, its servers, its people and their apps."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from apps_registry.testing import RunningServer, run_server

from .serving import ROOT

PROJECT = ROOT / "tests" / "foreign_site"
#: The site's part of every address of the apps.
PREFIX = "/tools/viz"
#: Who can sign in, each with the part before the @ as the password. Carla is the superuser.
PEOPLE = ("alice@harbour.example", "bob@harbour.example", "carla@harbour.example")

_MANAGE = "from django.core.management import call_command as manage\n"
MAKE_PEOPLE = f"""
from accounts.models import Person
for email in {PEOPLE[:2]}:
    Person.objects.create_user(email, email.partition("@")[0])
Person.objects.create_superuser("{PEOPLE[2]}", "carla")
"""


@dataclass(frozen=True)
class ForeignSite:
    """The foreign project, with data of its own; ``python`` runs it, and finds the package at ``package``."""

    data: Path
    python: str = sys.executable
    package: Path | None = ROOT
    settings: str = "foreign_site.settings"

    def env(self, path: str = "") -> dict[str, str]:
        """The environment of a process of this site, which stands under ``path``."""
        places = [str(PROJECT), *([str(self.package)] if self.package else [])]
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": self.settings,
            "PORTAL_DATA": str(self.data),
            "PORTAL_HASHER": "MD5PasswordHasher",
            "PORTAL_PATH": path,
            "PYTHONPATH": os.pathsep.join(places),
        }

    def manage(self, *words: str, stdin: str = "") -> str:
        """What ``manage.py WORDS`` writes; it has to succeed."""
        command = [self.python, str(PROJECT / "manage.py"), *words]
        done = subprocess.run(
            command, env=self.env(), input=stdin, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self, code: str) -> str:
        """What code writes that the site's Python runs: ``manage(...)`` in it is a command, cheaper than a process."""
        return self.manage("shell", "--no-imports", stdin=_MANAGE + code)

    def make(self, code: str) -> str:
        """Make the database and the collected static files, then run code, as ``run`` does."""
        migrate, collect = (
            "manage('migrate', verbosity=0)",
            "manage('collectstatic', '--no-input', verbosity=0)",
        )
        return self.run(f"{migrate}\n{collect}\n{code}")

    @contextmanager
    def runbokeh(self, path: str = "") -> Iterator[RunningServer]:
        """``manage.py runbokeh``; the server's ``url`` is that of the site's home page."""
        with run_server(manage=PROJECT / "manage.py", env=self.env(path)) as server:
            server.url = server.url.removesuffix(PREFIX)
            yield server

    @contextmanager
    def uvicorn(self, path: str = "") -> Iterator[RunningServer]:
        """``uvicorn foreign_site.asgi:application``; the server's ``url`` is that of the site's home page."""
        process = subprocess.Popen(
            [self.python, "-m", "uvicorn", "foreign_site.asgi:application", "--port", "0"],
            env=self.env(path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        urls: Queue[str] = Queue()
        reader = Thread(target=_read, args=(process, lines, urls))
        reader.start()
        try:
            try:
                url = urls.get(timeout=60)
            except Empty:
                url = ""
            if not url:
                raise RuntimeError("The server did not start.\n" + "".join(lines))
            yield RunningServer(url + path, process, lines)
        finally:
            process.terminate()
            process.wait(30)
            reader.join()
            process.stdout.close()


def _read(process: subprocess.Popen[str], lines: list[str], urls: Queue[str]) -> None:
    for line in process.stdout or ():
        lines.append(line)
        if "Uvicorn running on " in line:
            urls.put(line.partition("Uvicorn running on ")[2].split()[0])
    urls.put("")
