"""A site with an app of every kind and a visitor of every kind, for the table of doors."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from .serving import ROOT, Site

#: The apps: row by name, as far as it differs from an app that is on and open to everybody.
ROWS: dict[str, dict[str, Any]] = {
    "public_on": {},
    "login_on": {"access": "login"},
    "grant_on": {"access": "grant"},
    "public_off": {"enabled": False},
    "login_off": {"enabled": False, "access": "login"},
    "grant_off": {"enabled": False, "access": "grant"},
    # Its files are missing
    "missing_app": {"source": "not_there"},
    # Nobody has a grant
    "apart_app": {"access": "grant"},
}
#: A name that is that of no row.
UNKNOWN = "unknown_app"
APPS = (*ROWS, UNKNOWN)
GRANTED = tuple(name for name in ROWS if name != "apart_app")

#: The users: attributes, whether by himself or by his group, and the role that he has on ``GRANTED``.
USERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "stranger": ({}, "", ""),
    "granted by user": ({}, "user", "open"),
    "granted by group": ({}, "group", "open"),
    "manager": ({"is_staff": True}, "user", "manage"),
    "staff": ({"is_staff": True}, "", ""),
    "keeper": ({"is_staff": True}, "permission", "change_vizapp"),
    "superuser": ({"is_staff": True, "is_superuser": True}, "", ""),
    "disabled user": ({"is_staff": True}, "user", "manage"),
    "disabled superuser": ({"is_staff": True, "is_superuser": True}, "", ""),
}
DISABLED = tuple(name for name in USERS if name.startswith("disabled"))
GUESTS = ("guest", "guest too late")
VISITORS = ("anonymous", *USERS, *GUESTS)

#: Another site, whose pages may show all apps that have rows.
PARTNER = "http://partner.test"

MAIN = '''"""An app that says who looks at it."""
from bokeh.models import Div
from bokeh.plotting import curdoc

context = curdoc().session_context
curdoc().add_root(Div(name="inside", text=f"the inside, seen by {context.request.user}"))
'''
WORDS = "words of the app\n"
PICTURE = b"\x89PNG\r\n\x1a\n the picture"


def title(name: str) -> str:
    """What the row of an app is called; nobody hears it who may not open the app."""
    return f"Title-of-{name}"


def description(name: str) -> str:
    return f"Description-of-{name}"


def reference(name: str) -> str:
    """The reference of what an app did wrong."""
    return f"ABCD000{APPS.index(name)}"


def write_apps(folder: Path) -> None:
    """The one app that all rows serve."""
    (folder / "shared" / "static").mkdir(parents=True)
    (folder / "shared" / "main.py").write_text(MAIN)
    (folder / "shared" / "static" / "words.txt").write_text(WORDS)
    (folder / "shared" / "thumbnail.png").write_bytes(PICTURE)


def furnish() -> dict[str, Any]:
    """Write rows, users, grants, links and failures; gives the keys of users, rows, links and logins."""
    from django.contrib.auth.models import Group, Permission, User
    from django.utils import timezone

    from apps_registry.models import Failure, Grant, GuestLink, VizApp

    now = timezone.now()
    common = {"source": "shared", "enabled": True, "access": "public", "embed_origins": PARTNER}
    for name, values in ROWS.items():
        texts = {"title": title(name), "description": description(name)}
        row = VizApp.objects.create(name=name, **{**common, **texts, **values})
        for guest, expires_at in zip(GUESTS, (now + timedelta(1), now - timedelta(1)), strict=True):
            GuestLink.objects.create(app=row, expires_at=expires_at, note=guest)
        Failure.objects.create(
            app=row, app_name=name, reference=reference(name), summary="x", detail=f"Trace of {name}", at=now
        )
    for name, (attributes, means, what) in USERS.items():
        user = User.objects.create_user(name, password=name, **attributes)
        holder = {"user": user}
        if means == "group":
            holder = {"group": Group.objects.create(name="people")}
            user.groups.add(holder["group"])
        if means == "permission":
            user.user_permissions.add(Permission.objects.get(codename=what))
        elif means:
            for row in VizApp.objects.filter(name__in=GRANTED):
                Grant.objects.create(app=row, role=what, **holder)
    return {
        "rows": {row.name: row.pk for row in VizApp.objects.all()},
        "users": {user.username: user.pk for user in User.objects.all()},
        "links": {f"{link.note}/{link.app.name}": link.key for link in GuestLink.objects.all()},
        "logins": {user.username: _log_in(user) for user in User.objects.all()},
    }


def _log_in(user: Any) -> str:
    """The key of a login, as the login page would make it."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


@dataclass(frozen=True)
class Keys:
    """What ``furnish`` gave."""

    rows: dict[str, int]
    users: dict[str, int]
    links: dict[str, str]
    logins: dict[str, str]

    def cookies(self, visitor: str, app: str) -> dict[str, str]:
        """The header with which a visitor comes to a door of an app."""
        if visitor in USERS:
            return {"Cookie": f"sessionid={self.logins[visitor]}"}
        if visitor in GUESTS:
            return {"Cookie": f"apps_registry_guest={self.links.get(f'{visitor}/{app}', 'none')}"}
        return {}

    def user_id(self, visitor: str, app: str) -> str | None:
        """To whom a token of a visitor is bound."""
        if visitor in USERS:
            return str(self.users[visitor])
        if visitor in GUESTS:
            return f"guest:{self.links.get(f'{visitor}/{app}', 'none')}"
        return None


_SCRIPT = """
import django, json
django.setup()
from django.db import transaction
from tests.door_world import furnish
with transaction.atomic():
    print(json.dumps(furnish()))
"""


def furnish_site(site: Site) -> Keys:
    """``furnish`` the database of a site that is to be served."""
    command = [sys.executable, "-c", _SCRIPT]
    done = subprocess.run(command, env=site.env(), cwd=ROOT, check=True, capture_output=True, text=True)
    return Keys(**json.loads(done.stdout))


def switch_off_users(site: Site) -> None:
    """Behind the back of the server, as somebody with a shell of the database would."""
    with closing(sqlite3.connect(site.folder / "db.sqlite3", timeout=20)) as database, database:
        names = ", ".join(f"'{name}'" for name in DISABLED)
        changed = database.execute(f"UPDATE auth_user SET is_active = 0 WHERE username IN ({names})")
        assert changed.rowcount == len(DISABLED)
