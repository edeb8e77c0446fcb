"""A site with data sets of every kind, people of every kind, and their API tokens."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import httpx

from apps_registry.testing import RunningServer

from ..serving import ROOT, Site

#: Who there is, and what for. Alice owns all data sets; she and Mona may make data sets.
PEOPLE = {
    "alice": "owner",
    "oscar": "owner by grant",
    "carol": "publisher",
    "bob": "viewer by user",
    "erin": "viewer by group",
    "mona": "may make data sets",
    "dora": "stranger",
    "root": "superuser",
    "gone": "switched off",
    "zoe": "nobody asks for her: she is granted and refused things",
}
#: The groups, which are regions too.
GROUPS = {"bob": "north", "erin": "south"}
#: The data sets: what is set in the row.
DATASETS: dict[str, dict[str, Any]] = {
    "open": {"access": "public"},
    "inside": {"access": "login"},
    "granted": {"access": "grant"},
    "regional": {"access": "grant", "row_rule": "groups", "row_column": "region"},
    "personal": {"access": "public", "row_rule": "username", "row_column": "who"},
    "letter": {"access": "grant", "kind": "file"},
    "empty": {"access": "public"},
    "deleted": {"access": "public"},
}
#: Who else has which role, of all data sets.
GRANTS = {"bob": "open", "carol": "publish", "oscar": "manage"}
GROUP_GRANTS = {"south": "open"}
#: The rows of all tables.
CSV = "who,region,price\nbob,north,1.5\ndora,south,2.5\ncarol,north,\n"
LETTER = b"Dear all,\n\xff\xfe not a table\n"

CSRF = "c" * 32

type Words = dict[str, dict[str, str]]


def furnish() -> Words:
    """Write people, data sets and keys; gives the texts of the tokens, as ``USER/SCOPES``, and of the sessions."""
    from django.contrib.auth.models import User

    users = _make_users()
    for name, values in DATASETS.items():
        _make_dataset(name, values, users)
    words = {"tokens": _make_tokens(users), "sessions": {name: _log_in(users[name]) for name in users}}
    User.objects.filter(username="gone").update(is_active=False)
    return words


def _make_users() -> dict[str, Any]:
    from django.contrib.auth.models import Group, Permission, User

    there = {user.username: user for user in User.objects.all()}
    users = {name: there.get(name) or User.objects.create_user(name, password=name) for name in PEOPLE}
    User.objects.filter(username="root").update(is_superuser=True)
    users["root"].refresh_from_db()
    for name, group in GROUPS.items():
        users[name].groups.add(Group.objects.create(name=group))
    makes_data = Permission.objects.get(codename="publish_data")
    for name in ("alice", "mona"):
        users[name].user_permissions.add(makes_data)
    return users


def _make_dataset(name: str, values: dict[str, Any], users: dict[str, Any]) -> None:
    from django.contrib.auth.models import Group

    from apps_registry.datasets.managing import delete
    from apps_registry.datasets.publishing import publish
    from apps_registry.models import Dataset, DatasetGrant

    alice = users["alice"]
    dataset = Dataset.objects.create(name=name, owner=alice, title=f"Title of {name}", **values)
    for holder, role in GRANTS.items():
        DatasetGrant.objects.create(dataset=dataset, user=users[holder], role=role)
    for holder, role in GROUP_GRANTS.items():
        DatasetGrant.objects.create(dataset=dataset, group=Group.objects.get(name=holder), role=role)
    if name == "letter":
        publish(dataset, BytesIO(LETTER), user=alice, filename="a letter.html", media_type="text/html")
    elif name != "empty":
        publish(dataset, BytesIO(CSV.encode()), user=alice, format="csv")
    if name == "deleted":
        delete(dataset, alice)


def _make_tokens(users: dict[str, Any]) -> dict[str, str]:
    from apps_registry.models import ApiToken
    from apps_registry.models.keys import SCOPES

    scopes = {"all": [*SCOPES], **{scope: [scope] for scope in SCOPES}}
    return {
        f"{name}/{words}": ApiToken.objects.issue(user, chosen)[1]
        for name, user in users.items()
        for words, chosen in scopes.items()
    }


def _log_in(user: Any) -> str:
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


_SCRIPT = """
import django, json
django.setup()
from tests.api.world import furnish
print(json.dumps(furnish()))
"""


def furnish_site(site: Site) -> Words:
    """``furnish`` the database of a site that is to be served."""
    return dict(json.loads(run_in(site, _SCRIPT)))


def run_in(site: Site, script: str, *args: str) -> str:
    """What a script writes that runs beside the server, on the same database."""
    command = [sys.executable, "-c", script, *args]
    done = subprocess.run(command, env=site.env(), cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


@dataclass
class World:
    """The site while it is served."""

    site: Site
    server: RunningServer
    tokens: dict[str, str]
    sessions: dict[str, str]
    http: httpx.Client

    def ask(
        self, method: str, path: str, user: str = "", *, scope: str = "all", token: str = "", **options: Any
    ) -> httpx.Response:
        """What the API answers at ``path`` to a program of this user, or to a visitor."""
        token = token or (self.tokens[f"{user}/{scope}"] if user else "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        return self.http.request(method, f"/api/{path}", headers=headers, **options)

    def by_login(self, user: str) -> dict[str, str]:
        """The headers of what a page of the site asks while this user is logged in."""
        if not user:
            return {}
        cookies = {"sessionid": self.sessions[user], "csrftoken": CSRF}
        return {
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "X-CSRFToken": CSRF,
        }

    def get(self, path: str, user: str = "", **options: Any) -> Any:
        """What the API tells at ``path``."""
        answer = self.ask("GET", path, user, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, name: str, user: str, content: bytes | str = CSV, **options: Any) -> httpx.Response:
        """Publish."""
        params = {"format": "csv"} | options.pop("params", {})
        return self.ask("PUT", f"datasets/{name}", user, content=content, params=params, **options)
