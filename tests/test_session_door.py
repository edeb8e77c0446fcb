"""The door by which an embedded app asks for its session, and what other sites may ask of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import bokeh
import httpx
import pytest
from bokeh.util.token import generate_session_id
from django.contrib.auth.models import AnonymousUser, User
from websockets import ConnectionClosed, InvalidStatus

from apps_registry.embedding.context import sign
from apps_registry.testing import RunningServer, connect

from .rows import KEY
from .serving import Site, cookie_header, fetch, log_in, visit, wait_until, ws_url

PARTNER = {"Origin": "http://partner.test"}
STRANGER = {"Origin": "http://evil.test"}


def ask(
    rows_server: RunningServer,
    name: str,
    client: httpx.Client | None = None,
    *,
    method: str = "GET",
    **arguments: Any,
) -> httpx.Response:
    """The answer of the door; header names stand in ``arguments`` with a capital letter."""
    headers = {key.replace("_", "-"): value for key, value in arguments.items() if key[0].isupper()}
    query = {key.replace("_", "-"): value for key, value in arguments.items() if key[0].islower()}
    get = client.request if client is not None else httpx.request
    url = f"{rows_server.url}/apps/{name}/session"
    return get(method, url, params=query, headers=headers, timeout=30)


async def seen(
    rows_server: RunningServer, answer: httpx.Response, cookies: dict[str, str] | None = None
) -> Any:
    """What the app ``witness`` learns in the session that the door has given."""
    assert answer.status_code == 200, answer.text
    said = answer.json()
    url = rows_server.ws_url + said["ws_path"]
    async with connect(url, said["token"], {"Origin": rows_server.url, **(cookies or {})}) as tab:
        return json.loads(tab.find("seen").text)


@pytest.fixture
def alice(rows_server: RunningServer) -> Iterator[httpx.Client]:
    with visit(rows_server) as client:
        log_in(client, "alice")
        yield client


async def test_the_door_gives_what_an_element_needs(rows_server: RunningServer):
    answer = ask(rows_server, "witness", region="EU", Accept="text/html")
    said = answer.json()
    assert {key: said[key] for key in ("name", "ws_path", "page_url", "catalogue_url", "use_for_title")} == {
        "name": "witness",
        "ws_path": "/apps/witness/ws",
        "page_url": "/apps/witness",
        "catalogue_url": "/",
        "use_for_title": False,
    }
    assert (said["title"], said["bokeh_version"]) == ("Witness", bokeh.__version__)
    assert said["script_urls"][0].startswith("/static/bokeh/js/bokeh.min.js")
    assert (said["style_urls"], said["raw_scripts"]) == ([], [])
    assert "errors_url" not in said
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await seen(rows_server, answer))["arguments"] == {"region": ["EU"]}


def test_a_row_names_the_app(rows_server: RunningServer):
    assert ask(rows_server, "templated").json()["title"] == "A row's title"


def test_staff_get_the_way_to_tracebacks(rows_server: RunningServer):
    with visit(rows_server) as sara:
        log_in(sara, "sara")
        assert ask(rows_server, "witness", sara).json()["errors_url"] == "/apps/witness/errors/"


def test_a_head_has_no_token(rows_server: RunningServer):
    answer = ask(rows_server, "witness", method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")


def test_other_methods_are_not_there(rows_server: RunningServer):
    answer = ask(rows_server, "witness", method="POST")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


# Refusals


@pytest.mark.parametrize("name", ["nothing", "granted", "off"])
def test_unknown_and_hidden_apps_are_not_found(rows_server: RunningServer, alice: httpx.Client, name: str):
    for client in (None, alice):
        answer = ask(rows_server, name, client)
        assert answer.status_code == 404
        assert answer.json() == {"code": 4404, "message": "There is no such app.", "reference": ""}
        assert "no-store" in answer.headers["Cache-Control"]


def test_a_visitor_learns_where_to_log_in(rows_server: RunningServer):
    """The element knows the page to come back to."""
    answer = ask(rows_server, "inside", region="EU")
    assert answer.status_code == 401
    assert answer.json() == {
        "code": 4401,
        "message": "Please log in to open this app.",
        "reference": "",
        "login_url": "/accounts/login/",
    }


def test_an_app_that_fails_says_so_by_a_reference(rows_server: RunningServer):
    answer = ask(rows_server, "broken_template")
    said = answer.json()
    assert answer.status_code == 500
    assert said["code"] == 4500
    assert said["message"] == "This app could not be started."
    assert len(said["reference"]) == 8
    assert "hunter2" not in answer.text


async def test_a_guest_comes_in_without_cookies(rows_server: RunningServer):
    answer = ask(rows_server, "granted", guest=KEY, region="EU")
    told = await seen(rows_server, answer)
    assert told["arguments"] == {"region": ["EU"]}
    assert ask(rows_server, "granted", guest="wrong").status_code == 404
    assert ask(rows_server, "off", guest=KEY).status_code == 404


def test_refusals_of_pages_and_origins_are_in_the_audit(rows_server: RunningServer, rows_site: Site):
    fetch(rows_server, "/report/")
    ask(rows_server, "shared", Origin=STRANGER["Origin"])
    asked = (
        "SELECT app_name, door, reason, address, origin FROM apps_registry_opening WHERE outcome = 'refused'"
    )

    def refusals() -> set[tuple[str, ...]]:
        with closing(sqlite3.connect(rows_site.folder / "db.sqlite3")) as database:
            return set(database.execute(asked))

    wait_until(
        lambda: (
            {
                ("granted", "tag", "There is no grant.", "127.0.0.1", ""),
                ("shared", "session", "This site may not open the app.", "127.0.0.1", "evil.test"),
            }
            <= refusals()
        )
    )


# The signed context


@pytest.fixture
def users() -> dict[str, User]:
    """As whom the template would have signed: the server's people, made in this order."""
    return {name: User(pk=number) for number, name in enumerate(("alice", "bob", "sara"), start=1)}


async def test_a_signed_context_reaches_the_app(rows_server: RunningServer, alice: httpx.Client, users: Any):
    value = {"customer": 7, "名": ['"</script>']}
    signed = sign(value, "witness", users["alice"])
    answer = ask(rows_server, "witness", alice, bokeh_context=signed, context="mine")
    told = await seen(rows_server, answer, cookie_header(alice))
    assert told["token_payload"]["context"] == value
    assert told["token_payload"]["greeting"] == "hello stranger"
    assert told["arguments"] == {"context": ["mine"]}
    assert told["user"] == "alice"


async def test_nothing_else_makes_a_context(rows_server: RunningServer):
    arguments = {"context": "mine", "token_payload": "mine", "bokeh_context": ""}
    told = await seen(rows_server, ask(rows_server, "witness", **arguments))
    assert "context" not in told["token_payload"]


def test_a_context_is_good_for_whom_it_was_signed(
    rows_server: RunningServer, alice: httpx.Client, users: Any
):
    nobody = AnonymousUser()
    for signed in (
        sign(7, "witness", users["bob"]),
        sign(7, "witness", nobody),
        sign(7, "shared", users["alice"]),
        sign(7, "witness", users["alice"])[:-1],
        "7",
        '{"customer": 7}',
        "ü" * 5000,
    ):
        answer = ask(rows_server, "witness", alice, bokeh_context=signed)
        assert answer.status_code == 403, signed
        assert answer.json()["code"] == 4403
        assert "token" not in answer.json()
    assert ask(rows_server, "witness", bokeh_context=sign(7, "witness", users["alice"])).status_code == 403
    assert ask(rows_server, "witness", bokeh_context=sign(7, "witness", nobody)).status_code == 200


# Other sites


def allowed(answer: httpx.Response) -> str | None:
    return answer.headers.get("Access-Control-Allow-Origin")


@pytest.mark.parametrize("door", ["session", "autoload.js"])
def test_the_row_says_which_sites_may_ask(rows_server: RunningServer, door: str):
    path = f"{door}?bokeh-autoload-element=spot"
    answer = fetch(rows_server, f"/apps/shared/{path}", **PARTNER)
    assert (answer.status_code, allowed(answer)) == (200, PARTNER["Origin"])
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]
    for name, headers in [("shared", STRANGER), ("witness", PARTNER), ("shared", {"Origin": "null"})]:
        answer = fetch(rows_server, f"/apps/{name}/{path}", **headers)
        assert (answer.status_code, allowed(answer)) == (403, None)
        assert "token" not in answer.text


def test_a_listed_site_reads_the_refusal(rows_server: RunningServer):
    answer = ask(rows_server, "inside", Origin=PARTNER["Origin"])
    assert (answer.status_code, allowed(answer)) == (401, PARTNER["Origin"])
    own = ask(rows_server, "nothing", Origin=rows_server.url)
    assert (own.status_code, allowed(own)) == (404, rows_server.url)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_no_origin_finds_out_hidden_apps(rows_server: RunningServer, method: str):
    """Their rows name the partner; they answer as an app does that is not there."""
    for origin in (PARTNER["Origin"], STRANGER["Origin"]):
        answers = [
            ask(rows_server, name, method=method, Origin=origin) for name in ("nothing", "granted", "off")
        ]
        assert len({(answer.status_code, answer.content, allowed(answer)) for answer in answers}) == 1
        assert answers[0].status_code == (204 if method == "OPTIONS" and origin == PARTNER["Origin"] else 403)


def test_a_preflight_lets_listed_sites_send_headers(rows_server: RunningServer):
    wanted = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "bokeh-session-id"}
    answer = ask(rows_server, "shared", method="OPTIONS", Origin=PARTNER["Origin"], **wanted)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Headers"] == "bokeh-session-id"


@pytest.mark.parametrize("door", ["session", "autoload.js"])
def test_a_plain_script_tag_of_another_site_gets_nothing(rows_server: RunningServer, door: str):
    """A browser names no origin then, and would send the visitor's cookies."""
    path = f"/apps/witness/{door}?bokeh-autoload-element=spot"
    for site, status in [("cross-site", 403), ("same-site", 403), ("same-origin", 200)]:
        answer = fetch(
            rows_server, path, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="script"
        )
        assert answer.status_code == status


async def test_the_socket_follows_the_same_list(rows_server: RunningServer):
    token = ask(rows_server, "shared").json()["token"]
    url = ws_url(rows_server, "shared")
    for origin in (rows_server.url, PARTNER["Origin"], "http://localhost:1234"):
        async with connect(url, token, {"Origin": origin}) as tab:
            assert tab.find("double").text == "2"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, token, STRANGER):
            pass
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        async with connect(
            ws_url(rows_server, "witness"), ask(rows_server, "witness").json()["token"], PARTNER
        ):
            pass


async def test_without_an_origin_a_socket_needs_a_credential(rows_server: RunningServer, alice: httpx.Client):
    url = ws_url(rows_server, "inside")
    token = ask(rows_server, "inside", alice).json()["token"]
    async with connect(url, token, cookie_header(alice)):
        pass
    for bad in (token[:-1], generate_session_id(None, signed=False), "x.y"):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, bad, cookie_header(alice)):
                pass
        assert refused.value.response.status_code == 403
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        async with connect(url, token):
            pass


def test_the_page_of_an_app_says_who_may_frame_it(rows_server: RunningServer):
    """And no more than that differs from the policy of the site, which lets nobody."""
    site = policy(fetch(rows_server, "/accounts/login/"))
    assert site["frame-ancestors"] == ["'none'"]
    shared, plain = fetch(rows_server, "/apps/shared?bare"), fetch(rows_server, "/apps/witness")
    listed = ["'self'", "http://localhost:*", "http://partner.test"]
    assert without_nonce(policy(shared)) == site | {"frame-ancestors": listed}
    assert "X-Frame-Options" not in shared.headers
    assert without_nonce(policy(plain)) == site | {"frame-ancestors": ["'self'"]}
    assert plain.headers["X-Frame-Options"] == "DENY"
    # An app's own template goes another way
    assert policy(fetch(rows_server, "/apps/templated"))["frame-ancestors"] == ["'self'"]


def policy(answer: httpx.Response) -> dict[str, list[str]]:
    parts = answer.headers["Content-Security-Policy"].split("; ")
    return {directive: sources for directive, *sources in map(str.split, parts)}


def without_nonce(policy: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: [s for s in sources if not s.startswith("'nonce-")] for name, sources in policy.items()}
