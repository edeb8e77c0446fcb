"""A site whose apps have rows in its database: who may open them, and which other sites may show them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps_registry.testing import RunningServer

from .serving import DOOR_APPS, ROOT, SAMPLES, Site

#: The key of the guest link to the app ``granted``.
KEY = "key-of-the-guest-link"
#: The other site that the rows ``shared`` and ``granted`` name; 127.0.0.1 is not localhost.
PARTNER = "http://localhost:*"
#: The rows, by their names: what differs from an app that is open to everybody.
ROWS: dict[str, dict[str, Any]] = {
    "witness": {},
    "shared": {"source": "witness", "embed_origins": f"{PARTNER}\nhttp://partner.test"},
    "inside": {"source": "witness", "access": "login", "embed_origins": "http://partner.test"},
    "granted": {"source": "witness", "access": "grant", "embed_origins": f"{PARTNER}\nhttp://partner.test"},
    "off": {"source": "witness", "enabled": False, "embed_origins": "http://partner.test"},
    "broken_template": {},
    "templated": {"title": "A row's title"},
    "sliders": {"source": "sliders.py"},
    "stream": {},
    "tides": {},
    "selection_histogram": {},
}

_MAKE_ROWS = """
import django, json, sys
django.setup()
from datetime import timedelta
from django.utils import timezone
from apps_registry.models import GuestLink, VizApp
rows, key = json.loads(sys.argv[1])
for name, values in rows.items():
    VizApp.objects.create(name=name, **{"source": name, "enabled": True, "access": "public"} | values)
expires_at = timezone.now() + timedelta(days=1)
GuestLink.objects.create(app=VizApp.objects.get(name="granted"), key=key, expires_at=expires_at)
"""


def make_rows(folder: Path) -> Site:
    """A site with ``ROWS`` in its database, and their apps."""
    site = Site(folder, folder / "journal.txt")
    site.make()
    rows = json.dumps([ROWS, KEY])
    subprocess.run([sys.executable, "-c", _MAKE_ROWS, rows], env=site.env(), cwd=ROOT, check=True)
    for source in {values.get("source", name) for name, values in ROWS.items()}:
        _copy(source, folder / "apps")
    return site


@contextmanager
def serve_rows(site: Site, **settings: Any) -> Iterator[RunningServer]:
    """The whole site that ``make_rows`` has made, without DEBUG."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.rows_settings"}
    with site.serve(env=env, APP_DIRS=[str(site.folder / "apps")], **settings) as server:
        yield server


def _copy(source: str, apps: Path) -> None:
    apps.mkdir(exist_ok=True)
    path = next(root / source for root in (DOOR_APPS, SAMPLES) if (root / source).exists())
    if path.is_dir():
        shutil.copytree(path, apps / source)
    else:
        shutil.copy(path, apps / source)
