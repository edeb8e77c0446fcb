"""The system checks: each finds what it is for, and is silent on the right set-up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.checks import CheckMessage, run_checks
from django.db import connections
from django.test import override_settings
from django.urls import include, path
from django.utils import timezone
from django.views import View

from apps_registry.checks import FAULTS, values
from apps_registry.conf import SETTINGS
from apps_registry.models import Host

BAD, GOOD = "bad", "good"
APPS = {"APPS": {}}
VIZ = path("viz/", include("apps_registry.urls"))
LOGIN = path("people/sign-in/", View.as_view(), name="sign-in")
REDIS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer"}}
MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
TEMPLATES = {
    "whole.html": "<title>{% block title %}{% endblock %}</title>{% block content %}{% endblock %}",
    "layout.html": "<title>{% block name %}{% endblock %}</title>{% block body %}{% endblock %}",
    "adapter.html": '{% extends "layout.html" %}{% block name %}{% block title %}{% endblock %}{% endblock %}'
    "{% block body %}{% block content %}{% endblock %}{% endblock %}",
    "dynamic.html": "{% extends chosen %}",
    "own.html": '{% extends "own.html" %}',
    "broken.html": "{% block title %}",
}


def without(names: Iterable[str], lost: str) -> list[str]:
    return [name for name in names if lost not in name]


def engine(**changes: Any) -> list[dict[str, Any]]:
    """The site's TEMPLATES with the templates above."""
    [given] = site.TEMPLATES
    options = given["OPTIONS"]
    app_loader = "django.template.loaders.app_directories.Loader"
    loaders = [("django.template.loaders.locmem.Loader", TEMPLATES), app_loader]
    merged = {"OPTIONS": options | {"loaders": loaders}, **changes}
    return [given | {"APP_DIRS": False} | merged]


def processors(lost: str) -> list[dict[str, Any]]:
    [given] = site.TEMPLATES
    left = without(given["OPTIONS"]["context_processors"], lost)
    return [given | {"OPTIONS": {"context_processors": left}}]


def apps_registry(**values: Any) -> dict[str, Any]:
    return {"APPS_REGISTRY": APPS | values}


def base(name: str) -> dict[str, Any]:
    return {"TEMPLATES": engine()} | apps_registry(BASE_TEMPLATE=name)


def limit(size: int) -> dict[str, int]:
    return {"DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE": size, "DAPHNE_WEBSOCKET_MAX_FRAME_SIZE": size}


def login(url: Any, *patterns: Any) -> dict[str, Any]:
    return apps_registry(ACCESS="login") | {"LOGIN_URL": url, "ROOT_URLCONF": (VIZ, *patterns)}


#: Settings with which a check fires, each beside some with which it does not.
CASES: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "E001": [({"APPS_REGISTRY": ["APP_DIRS"]}, {"APPS_REGISTRY": {}})],
    "E002": [(apps_registry(MAX_SESSION=1), apps_registry(MAX_SESSIONS=1))],
    "E003": [
        (apps_registry(ACCESS="everybody"), apps_registry(ACCESS="grant")),
        (apps_registry(SESSION_IDS="signned"), apps_registry(SESSION_IDS="unsigned")),
    ],
    "E004": [
        ({"APPS_REGISTRY": {"APP_DIRS": "/tmp"}}, {"APPS_REGISTRY": {"APP_DIRS": ["/tmp"]}}),
        ({"APPS_REGISTRY": {"APP_DIRS": Path("/tmp")}}, {"APPS_REGISTRY": {"APP_DIRS": (Path("/tmp"),)}}),
        ({"APPS_REGISTRY": {"APP_DIRS": [7]}}, {"APPS_REGISTRY": {"APP_DIRS": []}}),
    ],
    "E005": [
        ({"ASGI_APPLICATION": None}, {"ASGI_APPLICATION": "vizserver.asgi.application"}),
        ({"ASGI_APPLICATION": "no_such.asgi.application"}, {}),
        ({"ASGI_APPLICATION": "application"}, {}),
    ],
    "E006": [
        (apps_registry(MAX_SESSIONS="many"), apps_registry(MAX_SESSIONS=10)),
        (apps_registry(MAX_SESSIONS=0), apps_registry(MAX_SESSIONS=1)),
        (apps_registry(START_TIMEOUT=True), apps_registry(START_TIMEOUT=2.5)),
        (apps_registry(STOP_TIMEOUT=-1), apps_registry(STOP_TIMEOUT=0)),
        (apps_registry(RECHECK_SECONDS=float("nan")), apps_registry(RECHECK_SECONDS=5)),
        (apps_registry(BLANK_APP="no"), apps_registry(BLANK_APP=True)),
        (apps_registry(WEBSOCKET_ORIGINS="viz.org"), apps_registry(WEBSOCKET_ORIGINS=["viz.org"])),
        (apps_registry(BASE_TEMPLATE=["base.html"]), apps_registry(BASE_TEMPLATE="base.html")),
        (apps_registry(INDEX=True), apps_registry(INDEX=False)),
        (apps_registry(WATCH="a"), apps_registry(WATCH=["a"])),
        (apps_registry(LOGOUT_URL=7), apps_registry(LOGOUT_URL="/out")),
        (apps_registry(APPS=["/tmp"]), apps_registry(APPS={"tmp": "/tmp"})),
    ],
    "E007": [
        (apps_registry(BASE_TEMPLATE="none.html"), {}),
        (base("broken.html"), base("whole.html")),
        (apps_registry(INDEX="none.html"), apps_registry(INDEX="base.html")),
    ],
    "E008": [({"ROOT_URLCONF": (LOGIN,)}, {"ROOT_URLCONF": (VIZ,), **apps_registry(ACCESS="public")})],
    "E009": [
        ({"MIDDLEWARE": without(site.MIDDLEWARE, "sessions")}, {}),
        ({"MIDDLEWARE": without(site.MIDDLEWARE, "AuthenticationMiddleware")}, {}),
    ],
    "E010": [({"STATIC_URL": None}, {"STATIC_URL": "static/"})],
    "E011": [
        (apps_registry(DATA_STORAGE="none"), apps_registry(DATA_STORAGE="staticfiles")),
        ({"STORAGES": {"default": {"BACKEND": "no.such.Storage"}}}, {}),
    ],
    "W001": [
        ({"APPS_REGISTRY": {"APP_DIRS": ["/no/such"]}}, {"APPS_REGISTRY": {"APP_DIRS": ["/tmp"]}}),
        ({"APPS_REGISTRY": {"APP_DIRS": [__file__]}}, {}),
        ({"APPS_REGISTRY": {"APP_DIRS": ["/" + 300 * "n"]}}, {}),
        (apps_registry(APPS={"sales": "/no/such"}), apps_registry(APPS={"sales": __file__})),
    ],
    "W002": [
        (base("layout.html"), base("adapter.html")),
        (base("layout.html"), base("dynamic.html")),
        (base("layout.html"), base("own.html")),
    ],
    "W003": [
        (login("sign-in"), login("sign-in", LOGIN)),
        (login("/accounts/login/"), login("/people/sign-in/?app=viz", LOGIN)),
        (login(None), login("https://sso.example.org/login")),
        (login("/accounts/login/"), login("//sso.example.org/login")),
    ],
    "W004": [({"TEMPLATES": processors("request")}, {}), ({"TEMPLATES": processors("auth.")}, {})],
    "W005": [
        ({"WEB_CONCURRENCY": "4"}, {"WEB_CONCURRENCY": "1"}),
        (
            {"WEB_CONCURRENCY": "4", "CHANNEL_LAYERS": MEMORY},
            {"WEB_CONCURRENCY": "4", "CHANNEL_LAYERS": REDIS},
        ),
        ({"WEB_CONCURRENCY": "2"}, {"WEB_CONCURRENCY": "two"}),
    ],
    "W006": [(limit(2**20), limit(20 * 2**20)), (limit(1), limit(0)), (limit(1), limit("none"))],
    "W007": [
        (
            {"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"]},
            {"AUTHENTICATION_BACKENDS": ["no.such.Backend", "apps_registry.backends.GrantBackend"]},
        )
    ],
    "W008": [({"MEDIA_ROOT": ""}, {"MEDIA_ROOT": "/srv/data"})],
    "W009": [
        ({"DATABASE": {"OPTIONS": {}}}, {"DATABASE": {"OPTIONS": {"transaction_mode": "IMMEDIATE"}}}),
        (
            {"DATABASE": {"OPTIONS": {"timeout": 20}}},
            {"DATABASE": {"ENGINE": "django.db.backends.postgresql"}},
        ),
    ],
}
ALL = [(number, *case) for number, cases in CASES.items() for case in cases]
RIGHT = {"AUTHENTICATION_BACKENDS": ["apps_registry.backends.GrantBackend"], **apps_registry(ACCESS="public")}


def findings(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]) -> list[CheckMessage]:
    """What the checks find with these settings, and, for what stands in the environment, there."""
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    changed = RIGHT | settings
    if "WEB_CONCURRENCY" in changed:
        monkeypatch.setenv("WEB_CONCURRENCY", changed.pop("WEB_CONCURRENCY"))
    # Django does not let tests override DATABASES
    for name, value in changed.pop("DATABASE", {}).items():
        monkeypatch.setitem(connections.settings["default"], name, value)
    with override_settings(**changed):
        return run_checks(tags=["apps_registry"], include_deployment_checks=True)


def test_every_check_is_tested():
    assert {f"apps_registry.{number}" for number in CASES} == set(FAULTS)


@pytest.mark.parametrize(("number", "wrong", "right"), ALL)
def test_a_check_fires_and_is_silent(
    number: str, wrong: dict[str, Any], right: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    found = findings(monkeypatch, wrong)
    assert {message.id for message in found} == {f"apps_registry.{number}"}
    for message in found:
        assert message.hint
        assert message.level == {"E": 40, "W": 30}[number[0]]
        assert not {"{", "}"} & set(message.msg.replace("{}", ""))
    assert findings(monkeypatch, right) == []


def test_a_site_without_templates_is_told(monkeypatch: pytest.MonkeyPatch):
    found = findings(monkeypatch, {"TEMPLATES": []})
    assert {message.id for message in found} == {"apps_registry.E007", "apps_registry.W004"}
    assert any("no engine of Django's" in message.msg for message in found)


def test_a_site_without_its_static_files_is_told(monkeypatch: pytest.MonkeyPatch):
    left = without(site.INSTALLED_APPS, "staticfiles")
    left = without(left, "daphne")
    [found] = findings(monkeypatch, {"INSTALLED_APPS": left})
    assert found.id == "apps_registry.E010"
    assert "not installed" in found.msg


def test_who_does_not_install_daphne_is_not_told_of_its_limits(monkeypatch: pytest.MonkeyPatch):
    assert findings(monkeypatch, limit(1) | {"INSTALLED_APPS": without(site.INSTALLED_APPS, "daphne")}) == []


def test_the_nearest_name_is_shown(monkeypatch: pytest.MonkeyPatch):
    found = findings(monkeypatch, apps_registry(MAX_SESSION=1, FRUIT=1))
    hints = {message.msg: message.hint for message in found}
    assert hints["APPS_REGISTRY has no setting MAX_SESSION."] == "Did you mean MAX_SESSIONS?"
    assert hints["APPS_REGISTRY has no setting FRUIT."] == "docs/settings.md lists all settings."


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_has_a_kind_that_its_default_is_of(name: str):
    kind = values.kind_of(name)
    if name in ("ACCESS", "APP_DIRS", "SESSION_IDS"):
        assert kind is None, "Another check looks at it."
    else:
        assert kind is not None, "Say in checks/values.py what this setting has to be."
        assert kind.fits(SETTINGS[name].value())


def test_a_urlconf_that_cannot_be_imported_stops_no_check(monkeypatch: pytest.MonkeyPatch):
    assert findings(monkeypatch, {"ROOT_URLCONF": "no_such.urls"}) == []


def test_the_login_page_may_stand_under_a_path(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("apps_registry.checks.website.get_script_prefix", lambda: "/portal/")
    assert findings(monkeypatch, login("/portal/people/sign-in/", LOGIN)) == []


def make_hosts(*ages: int) -> None:
    now = timezone.now()
    for age in ages:
        Host.objects.create(name=f"host {age}", started_at=now, seen_at=now - timedelta(seconds=age))


def found_in_database(*databases: str) -> list[str]:
    found = run_checks(tags=["database"], databases=databases)
    return [message.id for message in found if message.id.startswith("apps_registry.")]


@pytest.mark.django_db
def test_hosts_without_redis_between_them_are_told():
    make_hosts(1, 2, 3600)
    with override_settings(CHANNEL_LAYERS=MEMORY):
        assert found_in_database("default") == ["apps_registry.W005"]
        assert found_in_database() == []
        Host.objects.get(name="host 2").delete()
        assert found_in_database("default") == []
    make_hosts(2)
    with override_settings(CHANNEL_LAYERS=REDIS):
        assert found_in_database("default") == []


@pytest.mark.django_db
def test_a_database_without_tables_stops_no_check(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Host._meta, "db_table", "no_such_table")
    assert found_in_database("default") == []
