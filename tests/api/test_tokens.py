"""API tokens: what they are good for, until when, and that nobody reads them anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import OperationalError
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.views.debug import ExceptionReporter

from apps_registry import access
from apps_registry.models import ApiToken
from apps_registry.models.keys import SCOPES, ApiTokenQuerySet, digest
from apps_registry.visits import Visits

from ..serving import MANAGE
from .operations import OPERATIONS, TURNING
from .world import World, run_in

_ISSUE = """
import django, json
django.setup()
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from apps_registry.models import ApiToken, Dataset, VizApp
from apps_registry.models.keys import SCOPES
alice, now = User.objects.get(username="alice"), timezone.now()
of = lambda name: Dataset.objects.get(name=name)
app, _ = VizApp.objects.get_or_create(name="sliders", defaults={"source": "sliders", "enabled": True})
every = {
    "for granted": {"dataset": of("granted")},
    "for deleted": {"dataset": of("deleted")},
    "for sliders": {"app": app},
    "expired": {"expires_at": now - timedelta(seconds=1)},
    "not yet expired": {"expires_at": now + timedelta(hours=1)},
    "revoked": {},
    "to be revoked": {},
    "used once": {},
    "never used": {},
}
tokens = {name: ApiToken.objects.issue(alice, SCOPES, note=name, **values)[1] for name, values in every.items()}
ApiToken.objects.filter(note="revoked").update(revoked_at=now)
print(json.dumps(tokens))
"""
_LAST_USES = """
import django, json
django.setup()
from apps_registry.models import ApiToken
tokens = ApiToken.objects.filter(user__username="alice").exclude(note="")
print(json.dumps({token.note: str(token.last_used_at or "") for token in tokens}))
"""
_SWITCH = """
import django, httpx, json, sys
django.setup()
from django.contrib.auth.models import User
statuses, (url, token) = [], sys.argv[1:]
for is_active in (True, False, True):
    User.objects.filter(username="zoe").update(is_active=is_active)
    statuses.append(httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code)
print(json.dumps(statuses))
"""


@pytest.fixture(scope="module")
def issued(world: World) -> dict[str, str]:
    """Tokens of Alice's for everything, each with something of its own."""
    tokens = dict(json.loads(run_in(world.site, _ISSUE)))
    world.tokens.update(tokens)
    return tokens


def status(world: World, path: str, token: str, **options: Any) -> int:
    return world.ask("GET", path, token=token, **options).status_code


# Scopes


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_takes_a_token_of_its_scope_and_no_other(world: World, name: str):
    operation = OPERATIONS[name]
    dataset = "letter" if name == "download_file" else "granted"
    for scope in SCOPES:
        path, options = operation.path.format(name=dataset), operation.options_for(dataset)
        answer = world.ask(operation.method, path, "alice", scope=scope, **options)
        if scope == operation.scope:
            assert answer.status_code == operation.status, answer.text
            if name in TURNING:
                assert world.ask("POST", f"datasets/{dataset}/undelete", "alice").status_code == 200
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "OutOfScope"), scope
            assert f"'{operation.scope}'" in answer.json()["detail"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_without_the_scope_nobody_learns_what_there_is(world: World, name: str):
    operation = OPERATIONS[name]
    told = {
        world.ask(operation.method, operation.path.format(name=dataset), user, scope="push").text
        for user, dataset in product(("alice", "dora"), ("granted", "open", "nothing"))
    }
    assert len(told) == 1


# For one thing


@pytest.mark.parametrize("name", [name for name in OPERATIONS if OPERATIONS[name].role])
def test_a_token_for_one_data_set_opens_no_other(world: World, issued: dict[str, str], name: str):
    operation = OPERATIONS[name]
    for token, dataset in product(("for granted", "for sliders"), ("open", "nothing", "granted")):
        path, options = operation.path.format(name=dataset), operation.options_for(dataset)
        if (token, dataset) == ("for granted", "granted"):
            continue
        answer = world.ask(operation.method, path, token=issued[token], **options)
        assert (answer.status_code, answer.json()["code"]) == (403, "OutOfScope"), (token, dataset)
    right = world.ask(
        operation.method,
        operation.path.format(name="granted"),
        token=issued["for granted"],
        **operation.options,
    )
    # 'granted' is no plain file
    assert right.status_code == (422 if name == "download_file" else operation.status), right.text
    if name in TURNING:
        assert world.ask("POST", "datasets/granted/undelete", "alice").status_code == 200


def test_a_list_by_a_token_for_one_thing_holds_that_alone(world: World, issued: dict[str, str]):
    for token, names in (("for granted", ["granted"]), ("for deleted", []), ("for sliders", [])):
        found = world.get("datasets", token=issued[token])
        assert ([item["name"] for item in found["items"]], found["count"]) == (names, len(names))


def test_a_token_for_an_app_opens_that_app(world: World, issued: dict[str, str]):
    def opened(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return world.http.get("/apps/sliders/metadata", headers=headers).status_code

    assert opened(issued["for sliders"]) == opened(world.tokens["alice/push"]) == 200
    assert opened(world.tokens["alice/read"]) == opened(issued["for granted"]) == 403
    assert opened(issued["expired"]) == opened(world.tokens["gone/all"]) == 401


# Until when


@pytest.mark.parametrize("path", ["datasets", "datasets/open", "datasets/open/data", "datasets/granted"])
def test_a_token_that_does_not_serve_opens_nothing(world: World, issued: dict[str, str], path: str):
    assert status(world, path, issued["not yet expired"]) == 200
    wrong = [
        issued["expired"],
        issued["revoked"],
        world.tokens["gone/all"],
        issued["not yet expired"] + "x",
        issued["not yet expired"][:-1],
        "viz_",
        "viz_nothing",
        digest(issued["not yet expired"]),
    ]
    told = set()
    for token in wrong[:-1]:
        answer = world.ask("GET", path, token=token)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        told.add(answer.text)
        assert token not in answer.text or token == "viz_"
    assert len(told) == 1, "Nobody learns whether a token has been one."
    # What is stored is no token
    assert status(world, "datasets/granted", wrong[-1]) == 404


def test_a_token_serves_before_a_login_does(world: World, issued: dict[str, str]):
    headers = world.by_login("alice") | {"Authorization": f"Bearer {issued['revoked']}"}
    assert world.ask("GET", "datasets/granted", headers=headers).status_code == 401


def test_bearers_of_others_are_none(world: World):
    for value in ("Bearer eyJhbGciOi", "Basic dml6XzpwYXNz", "Bearer", "viz_x"):
        assert world.ask("GET", "datasets/open", headers={"Authorization": value}).status_code == 200
        assert world.put("open", "", headers={"Authorization": value}).status_code == 401


def test_a_token_is_void_as_soon_as_it_is_revoked(world: World, issued: dict[str, str]):
    token = issued["to be revoked"]
    assert status(world, "datasets/granted", token) == 200
    manage(world, "apitoken", "--revoke", token)
    assert status(world, "datasets/granted", token) == 401


def test_a_user_who_is_switched_off_has_no_tokens(world: World):
    url, token = f"{world.server.url}/api/datasets/open", world.tokens["zoe/read"]
    assert json.loads(run_in(world.site, _SWITCH, url, token)) == [200, 401, 200]


# Where it can be read


def manage(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MANAGE), *words]
    return subprocess.run(command, env=world.site.env(), check=True, capture_output=True, text=True)


def test_a_token_is_shown_once(world: World):
    done = manage(world, "apitoken", "dora", "--scope", "read", "--note", "shown once")
    token = world.tokens["shown once"] = done.stdout.strip()
    assert done.stdout == f"{token}\n"
    assert token not in done.stderr
    listed = manage(world, "apitoken", "--list", "dora")
    assert token[:10] in listed.stdout
    assert token not in listed.stdout + listed.stderr


def test_no_token_stands_in_the_database(world: World, issued: dict[str, str]):
    stored = b"".join(path.read_bytes() for path in world.site.folder.glob("*.sqlite3*"))
    assert digest(issued["expired"]).encode() in stored
    assert not [name for name, token in world.tokens.items() if token.encode() in stored]


def test_the_last_use_is_noted(world: World, issued: dict[str, str]):
    assert status(world, "datasets/open", issued["used once"]) == 200
    uses = json.loads(run_in(world.site, _LAST_USES))
    assert uses["used once"]
    assert not uses["never used"]
    assert not uses["revoked"]


def test_no_token_stands_in_the_log_or_in_an_error(world: World, issued: dict[str, str]):
    token, texts = issued["not yet expired"], []
    for path in (
        "datasets/nothing",
        "datasets?limit=x",
        "datasets/open/data?format=x",
        "nothing",
    ):
        answer = world.ask("GET", path, token=token)
        assert answer.status_code >= 400
        texts.append(answer.text)
    texts += [world.put("open", "", b"\xff", token=token).text, world.put("open", "", token=token[:-1]).text]
    assert not [text for text in texts if token[4:-1] in text]
    # Those of all tests are looked for in the log when the server has ended
    assert token not in world.server.output


def _ask_the_api(authorization: str) -> None:
    Client(headers={"Authorization": authorization}).get("/api/datasets")


def _open_an_app(authorization: str) -> None:
    async def run(job: Callable[[], Any]) -> Any:
        return job()

    async def auser() -> AnonymousUser:
        return AnonymousUser()

    request: HttpRequest = RequestFactory(headers={"Authorization": authorization}).get("/apps/sliders")
    request.auser = auser
    host: Any = SimpleNamespace(workers=SimpleNamespace(run=run))
    # Nothing in it waits, and without a loop the database may be asked
    access.enter(host, "sliders", request, door="page").send(None)


def _open_a_socket(authorization: str) -> None:
    headers = [(b"authorization", authorization.encode())]
    visits = Visits(lambda name: None)
    visits.user_behind({"headers": headers, "url_route": {"kwargs": {"name": "sliders"}}})


@pytest.mark.django_db
@pytest.mark.parametrize("fails", ["valid", "update"])
@pytest.mark.parametrize("ask", [_ask_the_api, _open_an_app, _open_a_socket])
def test_no_token_stands_in_the_report_of_an_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], None], fails: str
):
    """As Django mails it to those who want to see the variables, too."""

    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError("The database is gone.")

    _, text = ApiToken.objects.issue(User.objects.create_user("ann"), SCOPES)
    monkeypatch.setattr(ApiTokenQuerySet, fails, fail)
    errors = []
    try:
        ask(f"Bearer {text}")
    except OperationalError as error:
        # Without the frames of this test
        errors.append((type(error), error, error.__traceback__.tb_next.tb_next))
    errors += [record.exc_info for record in caplog.records if record.exc_info]
    [report] = [ExceptionReporter(None, *error).get_traceback_html() for error in errors]
    assert "The database is gone." in report
    assert "token_of" in report
    assert text not in report
