"""Which pages may open a socket or embed an app: by the rule, and at the doors."""

from __future__ import annotations

import pytest
from django.test import override_settings
from websockets import InvalidStatus, connect as connect_websocket

from apps_registry import origins
from apps_registry.testing import RunningServer, connect

from .serving import Site, fetch, page_token, ws_url

SCRIPT = "/apps/witness/autoload.js?bokeh-autoload-element=spot"


@pytest.mark.parametrize(
    ("origin", "host", "secure", "allowed"),
    [
        ("http://example.com", "example.com", False, True),
        ("http://example.com:80", "example.com", False, True),
        ("http://example.com", "example.com:80", False, True),
        ("https://example.com", "example.com", True, True),
        ("https://example.com", "example.com:443", True, True),
        ("http://EXAMPLE.com", "example.COM", False, True),
        ("http://localhost:5006", "localhost:5006", False, True),
        ("http://[::1]:5006", "[::1]:5006", False, True),
        ("http://example.com:5006", "example.com", False, False),
        ("http://example.com", "example.com:5006", False, False),
        ("http://example.com", "example.com", True, False),
        ("https://example.com", "example.com", False, False),
        ("http://127.0.0.1:5006", "localhost:5006", False, False),
        ("http://example.com.evil.test", "example.com", False, False),
        ("http://evil-example.com", "example.com", False, False),
        ("http://example.com@evil.test", "example.com", False, False),
        ("http://sub.example.com", "example.com", False, False),
        ("null", "example.com", False, False),
        ("file://", "example.com", False, False),
        ("chrome-extension://abcdef", "abcdef", False, False),
        ("http://example.com:99999", "example.com", False, False),
        ("http://example.com:port", "example.com", False, False),
        ("http://[::1", "[::1", False, False),
    ],
)
def test_the_same_host_may(origin: str, host: str, secure: bool, allowed: bool):
    assert origins.is_allowed(origin, host, secure=secure) is allowed


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("partner.com", "http://partner.com", True),
        ("partner.com", "https://partner.com", True),
        ("Partner.COM", "https://partner.com", True),
        ("partner.com", "http://partner.com:5006", False),
        ("partner.com:5006", "http://partner.com:5006", True),
        ("partner.com:5006", "http://partner.com", False),
        ("partner.com:80", "http://partner.com", True),
        ("partner.com:*", "http://partner.com:5006", True),
        ("*.partner.com", "https://www.partner.com", True),
        ("*.partner.com", "https://a.b.partner.com", True),
        ("*.partner.com", "https://partner.com", False),
        ("*.partner.com", "https://evilpartner.com", False),
        ("*.partner.com", "https://partner.com.evil.test", False),
        ("*:5006", "http://anybody.test:5006", True),
        ("*:5006", "http://anybody.test:5007", False),
        ("*", "http://anybody.test:1234", True),
        ("*", "null", False),
        ("[::1]:5006", "http://[::1]:5006", True),
        ("[::1]:5006", "http://[::2]:5006", False),
    ],
)
def test_hosts_that_the_settings_name_may(pattern: str, origin: str, allowed: bool):
    with override_settings(APPS_REGISTRY={"WEBSOCKET_ORIGINS": [pattern]}):
        assert origins.is_allowed(origin, "example.com", secure=False) is allowed


@pytest.mark.parametrize(
    ("trusted", "origin", "allowed"),
    [
        ("https://partner.com", "https://partner.com", True),
        ("https://partner.com", "http://partner.com", False),
        ("https://*.partner.com", "https://www.partner.com", True),
        ("https://*.partner.com", "https://evilpartner.com", False),
        ("http://partner.com:8000", "http://partner.com:8000", True),
        ("http://partner.com:8000", "http://partner.com", False),
    ],
)
def test_what_django_trusts_may(trusted: str, origin: str, allowed: bool):
    with override_settings(CSRF_TRUSTED_ORIGINS=[trusted]):
        assert origins.is_allowed(origin, "example.com", secure=False) is allowed


@pytest.mark.parametrize(
    ("listed", "origin", "allowed"),
    [
        ("https://partner.com", "https://partner.com", True),
        ("https://partner.com", "http://partner.com", False),
        ("https://*.partner.com", "https://www.partner.com", True),
        ("https://*.partner.com", "https://partner.com.evil.test", False),
        ("http://localhost:*", "http://localhost:5007", True),
        ("http://localhost:*", "http://127.0.0.1:5007", False),
        ("partner.com", "https://partner.com", False),
        ("null", "null", False),
    ],
)
def test_what_a_row_lists_may(listed: str, origin: str, allowed: bool):
    assert origins.is_allowed(origin, "example.com", secure=False, extra=[listed]) is allowed
    assert not origins.is_allowed(origin, "example.com", secure=False)


def test_frames_follow_the_same_list():
    own = {"CSRF_TRUSTED_ORIGINS": ["https://*.trusted.test"]}
    with override_settings(APPS_REGISTRY={"WEBSOCKET_ORIGINS": ["friend.test:*"]}, **own):
        assert origins.others(
            ["https://partner.test", "https://*.trusted.test", "https://a.test; img-src *"]
        ) == [
            "https://*.trusted.test",
            "https://partner.test",
            "http://friend.test:*",
            "https://friend.test:*",
        ]
    with override_settings(APPS_REGISTRY={"WEBSOCKET_ORIGINS": ["friend.test", "*"]}):
        assert origins.others() == ["*"]


# At the doors


async def test_a_socket_opens_for_pages_of_the_same_host_only(server: RunningServer):
    url = ws_url(server, "witness")
    token = page_token(server, "witness")
    async with connect(url, token, {"Origin": server.url}) as tab:
        assert tab.find("double").text == "2"
    for origin in ("http://evil.test", "null", "http://127.0.0.1", server.url[:-1]):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, token, {"Origin": origin}):
                pass
        assert refused.value.response.status_code == 403, origin


async def test_a_host_that_the_site_does_not_have_opens_nothing(server: RunningServer):
    """As when a page of evil.test lets its own name lead to this machine, which makes it the same host."""
    token = page_token(server, "witness")
    port = server.url.rpartition(":")[2]
    assert fetch(server, "/apps/witness", Host=f"evil.test:{port}").status_code == 400
    with pytest.raises(InvalidStatus) as refused:
        async with connect_websocket(
            ws_url(server, "witness").replace("127.0.0.1", "evil.test"),
            subprotocols=["bokeh", token],
            additional_headers={"Origin": f"http://evil.test:{port}"},
            host="127.0.0.1",
            port=int(port),
        ):
            pass
    assert refused.value.response.status_code in (400, 403)


def test_the_embedding_script_names_allowed_origins_only(server: RunningServer):
    own = fetch(server, SCRIPT, Origin=server.url)
    assert own.headers["Access-Control-Allow-Origin"] == server.url
    assert own.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in own.headers["Vary"]
    for method in ("GET", "OPTIONS"):
        foreign = fetch(server, SCRIPT, method, Origin="http://evil.test")
        assert foreign.status_code == 403
        assert "Access-Control-Allow-Origin" not in foreign.headers
        assert "token" not in foreign.text
    bare = fetch(server, SCRIPT)
    assert bare.status_code == 200
    assert "Access-Control-Allow-Origin" not in bare.headers


async def test_the_option_and_the_setting_let_other_hosts_in(site: Site, apps, asgi_server: str):
    options = ["--server", asgi_server, "--allow-websocket-origin", "partner.test:8000"]
    options += ["--allow-websocket-origin", "*.friends.test"]
    with site.serve(*options, apps / "witness") as server:
        token = page_token(server, "witness")
        for origin in (server.url, "http://partner.test:8000", "https://www.friends.test"):
            async with connect(ws_url(server, "witness"), token, {"Origin": origin}):
                pass
            ask = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            preflight = fetch(server, SCRIPT, "OPTIONS", **ask)
            assert preflight.status_code == 204
            assert preflight.headers["Access-Control-Allow-Origin"] == origin
        with pytest.raises(InvalidStatus):
            async with connect(ws_url(server, "witness"), token, {"Origin": "http://partner.test"}):
                pass
