"""Tokens: what they hold, what they refuse, and whom they let into a session."""

from __future__ import annotations

import base64
import json
import random
import time

import pytest
from bokeh.util import token as bokeh_token
from django.conf import settings as site_settings
from django.test import override_settings
from websockets import ConnectionClosed, InvalidStatus, connect as connect_websocket

from apps_registry import tokens
from apps_registry.exceptions import InvalidToken
from apps_registry.testing import RunningServer, connect
from apps_registry.testing.socket import token_of

from .serving import cookie_header, fetch, log_in, open_tab, page_token, visit, ws_url

ARGUMENTS = {"colour": [b"red", b"blue"], "word": ["grüße".encode()]}


def apps_registry(**values: object) -> override_settings:
    return override_settings(APPS_REGISTRY=values)


def client_token(key: str, session_id: str | None = None, **options: object) -> str:
    """A token as ``bokeh.client`` makes it when it has the key."""
    session_id = session_id or bokeh_token.generate_session_id(secret_key=key.encode(), signed=True)
    return bokeh_token.generate_jwt_token(session_id, secret_key=key.encode(), signed=True, **options)


# What a page's token holds


def test_a_token_gives_back_what_was_put_in():
    token = tokens.page_token("sales", "7", arguments=ARGUMENTS, extra={"theme": "dark"})
    claims = tokens.read(token, "sales")
    assert (claims.user_id, claims.owner) == ("7", "7")
    assert claims.arguments == ARGUMENTS
    assert claims.payload["theme"] == "dark"
    assert not claims.may_push
    assert claims.opens_new(returning=False)


def test_each_token_is_for_a_session_of_its_own_that_nobody_guesses():
    ids = {tokens.read(tokens.page_token("sales", None), "sales").session_id for _ in range(50)}
    assert len(ids) == 50
    assert min(map(len, ids)) >= 32


def test_bokehjs_finds_the_session_id_in_the_first_part_of_a_token():
    token = tokens.page_token("sales", None)
    first = token.split(".")[0]
    payload = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    assert payload["session_id"] == tokens.read(token, "sales").session_id


def test_what_an_app_adds_cannot_take_the_place_of_what_binds_the_token():
    forged = {"app": "salaries", "user": "1", "arguments": {}, "named": True}
    claims = tokens.read(tokens.page_token("sales", "7", arguments=ARGUMENTS, extra=forged), "sales")
    assert (claims.user_id, claims.owner, claims.arguments) == ("7", "7", ARGUMENTS)


def test_a_token_that_does_not_go_into_a_header_is_refused():
    noise = random.Random(1).randbytes(8000).hex()
    with pytest.raises(InvalidToken, match="too many arguments"):
        tokens.page_token("sales", None, arguments={"noise": [noise.encode()]})


def test_an_addition_that_is_no_json_is_told():
    with pytest.raises(InvalidToken, match="process_request"):
        tokens.page_token("sales", None, extra={"what": object()})


# What is refused


def test_a_token_opens_its_own_app_only():
    with pytest.raises(InvalidToken):
        tokens.read(tokens.page_token("sales", None), "salaries")


def test_no_letter_of_a_token_can_be_changed():
    token = tokens.page_token("sales", "7")
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(InvalidToken):
            tokens.read(token[:place] + other + token[place + 1 :], "sales")


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "a.b.c", "é", "\x00", "A" * 5000, "e30.e30.e30"])
def test_nonsense_is_refused(token: str):
    for session_ids in ("signed", "unsigned"):
        with apps_registry(SESSION_IDS=session_ids), pytest.raises(InvalidToken):
            tokens.read(token, "sales")


def test_random_tokens_are_refused():
    dice = random.Random(3)
    for _ in range(300):
        parts = [base64.urlsafe_b64encode(dice.randbytes(dice.randrange(60))) for _ in range(3)]
        token = b".".join(parts[: dice.randrange(1, 4)]).decode()
        for session_ids in ("signed", "unsigned"):
            with apps_registry(SESSION_IDS=session_ids), pytest.raises(InvalidToken):
                tokens.read(token, "sales")


def test_a_token_of_another_secret_is_refused():
    with override_settings(SECRET_KEY="another " * 8):
        token = tokens.page_token("sales", None)
    with pytest.raises(InvalidToken):
        tokens.read(token, "sales")


def test_a_token_of_the_secret_before_is_still_read():
    before = "the one before " * 4
    with override_settings(SECRET_KEY=before):
        token = tokens.page_token("sales", None)
    with override_settings(SECRET_KEY_FALLBACKS=[before]):
        assert tokens.read(token, "sales").user_id is None


def test_an_expired_token_says_so(monkeypatch):
    token = tokens.page_token("sales", None)
    assert tokens.read(token, "sales").opens_new(returning=False)
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    assert not tokens.read(token, "sales").opens_new(returning=False)
    assert tokens.read(token, "sales").opens_new(returning=True)


def test_the_setting_says_when_a_token_expires(monkeypatch):
    with apps_registry(SESSION_TOKEN_EXPIRATION=1000):
        token = tokens.page_token("sales", None)
    later = time.time() + 900
    monkeypatch.setattr(time, "time", lambda: later)
    assert tokens.read(token, "sales").opens_new(returning=False)


# Python clients


def test_the_holder_of_the_key_opens_any_session_and_may_push():
    key = tokens.client_key()
    name = bokeh_token.generate_session_id(secret_key=key.encode(), signed=True)
    claims = tokens.read(client_token(key, name), "sales")
    assert claims.session_id == name
    assert claims.owner == tokens.CLIENT
    assert claims.may_push
    assert claims.arguments is None


def test_the_key_is_not_the_secret_and_follows_it():
    key = tokens.client_key()
    assert site_settings.SECRET_KEY not in key
    with override_settings(SECRET_KEY="another " * 8):
        assert tokens.client_key() != key
        with pytest.raises(InvalidToken):
            tokens.read(client_token(key), "sales")
    with override_settings(SECRET_KEY="another " * 8, SECRET_KEY_FALLBACKS=[site_settings.SECRET_KEY]):
        assert tokens.read(client_token(key), "sales").may_push


def test_an_unsigned_token_is_for_unsigned_servers_only():
    token = bokeh_token.generate_jwt_token("mine", signed=False)
    with pytest.raises(InvalidToken):
        tokens.read(token, "sales")
    with apps_registry(SESSION_IDS="unsigned"):
        assert tokens.read(token, "sales").session_id == "mine"


def test_what_a_client_claims_of_itself_is_not_believed():
    token = client_token(tokens.client_key(), extra_payload={"user": "1", "app": "sales", "greeting": "hi"})
    claims = tokens.read(token, "sales")
    assert claims.user_id is None
    assert "greeting" not in claims.payload


def test_only_a_signed_name_names_a_session():
    signed = bokeh_token.generate_session_id(secret_key=tokens.client_key().encode(), signed=True)
    assert tokens.named_session(signed) == signed
    for name in ("quarterly", signed + "x", "x" + signed):
        with pytest.raises(InvalidToken):
            tokens.named_session(name)
    with apps_registry(SESSION_IDS="unsigned"):
        assert tokens.named_session("quarterly") == "quarterly"


@pytest.mark.parametrize("session_id", ["", "x" * 513])
def test_a_session_id_has_a_sane_length(session_id: str):
    with apps_registry(SESSION_IDS="unsigned"), pytest.raises(InvalidToken):
        tokens.read(client_token("any", session_id) if session_id else "e30", "sales")


# At the door


async def assert_refused(url: str, subprotocols: list[str] | None) -> None:
    """The handshake is refused, before the socket opens."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect_websocket(url, subprotocols=subprotocols):
            pass
    # Daphne itself has 400 for some of what no browser sends
    assert refused.value.response.status_code in (400, 403)


async def closing(url: str, token: str, headers: dict[str, str] | None = None) -> int:
    """The code with which a socket that opened is closed."""
    with pytest.raises(ConnectionClosed) as closed:
        async with connect(url, token, headers):
            pass
    return closed.value.rcvd.code


async def test_the_door_wants_a_token_of_this_app(server: RunningServer):
    url = ws_url(server, "witness")
    token = page_token(server, "witness")
    await assert_refused(url, None)
    await assert_refused(url, ["bokeh"])
    await assert_refused(url, [token, "bokeh"])
    await assert_refused(url, ["bokeh", token, token])
    await assert_refused(url, ["other", token])
    await assert_refused(url, ["bokeh", token[:-1] + ("A" if token[-1] != "A" else "B")])
    await assert_refused(url, ["bokeh", page_token(server, "raises_in_callback")])
    await assert_refused(url, ["bokeh", bokeh_token.generate_jwt_token("mine", signed=False)])
    async with connect(url, token) as tab:
        assert tab.socket.subprotocol == "bokeh"


async def test_a_socket_of_no_app_is_refused(server: RunningServer):
    await assert_refused(f"{server.ws_url}/apps/nothing/ws", ["bokeh", page_token(server, "witness")])
    await assert_refused(f"{server.ws_url}/no/such/address", ["bokeh", page_token(server, "witness")])
    # A token for an app that was there when the page was made: a page hears a code, a client a status
    url, token = f"{server.ws_url}/apps/nothing/ws", tokens.page_token("nothing", None)
    assert await closing(url, token, {"Origin": server.url}) == 4453
    with pytest.raises(InvalidStatus) as refused:
        async with connect_websocket(url, subprotocols=["bokeh", token]):
            pass
    assert refused.value.response.status_code in (404, 403)


async def test_an_expired_token_opens_a_live_session_and_no_new_one(server: RunningServer, monkeypatch):
    url = ws_url(server, "witness")
    monkeypatch.setattr(tokens, "new_session_id", lambda: "a-live-session")
    fresh = tokens.page_token("witness", None)
    with apps_registry(SESSION_TOKEN_EXPIRATION=-1):
        expired = tokens.page_token("witness", None)
    assert await closing(url, expired) == 4403
    async with connect(url, fresh) as tab:
        await tab.set("number", value=7)
        async with connect(url, expired) as again:
            assert again.find("double").text == "14"


async def test_a_page_that_comes_back_to_a_lost_session_gets_a_new_one(server: RunningServer):
    url = ws_url(server, "witness")
    with apps_registry(SESSION_TOKEN_EXPIRATION=-60):
        expired = tokens.page_token("witness", None)
    with apps_registry(SESSION_TOKEN_EXPIRATION=-90_000):
        forgotten = tokens.page_token("witness", None)
    async with connect(f"{url}?bokeh-reconnect=1", expired) as tab:
        assert tab.find("double")
    assert await closing(f"{url}?bokeh-reconnect=1", forgotten) == 4403


def test_an_unsigned_name_does_not_name_a_session(server: RunningServer):
    refused = fetch(server, "/apps/witness?bokeh-session-id=quarterly")
    assert refused.status_code == 403
    assert "no-store" in refused.headers["Cache-Control"]


async def test_pages_of_one_signed_name_share_a_session(server: RunningServer):
    name = bokeh_token.generate_session_id(secret_key=tokens.client_key().encode(), signed=True)
    query = f"?bokeh-session-id={name}"
    url = ws_url(server, "witness")
    async with open_tab(server, "witness", query) as one, open_tab(server, "witness", query) as other:
        await one.set("number", value=3)
        await other.idle()
        assert other.find("double").text == "6"
        async with connect(url, client_token(tokens.client_key(), name)) as client:
            assert client.find("double").text == "6"


async def test_a_session_belongs_to_its_user(private_server: RunningServer):
    url = ws_url(private_server, "witness")
    with visit(private_server) as alice, visit(private_server) as bob:
        log_in(alice, "alice")
        log_in(bob, "bob")
        token = page_token(private_server, "witness", client=alice)
        assert await closing(url, token) == 4451
        assert await closing(url, token, cookie_header(bob)) == 4409
        async with connect(url, token, cookie_header(alice)) as tab:
            await tab.set("number", value=5)
            assert await closing(url, token, cookie_header(bob)) == 4409
            assert await closing(url, token) == 4451
            assert (await tab.set("number", value=6)).type == "OK"


async def test_a_token_made_for_nobody_does_not_serve_somebody(private_server: RunningServer):
    with visit(private_server) as bob:
        log_in(bob, "bob")
        token = tokens.page_token("witness", None)
        url = ws_url(private_server, "witness")
        assert await closing(url, token) == 4401
        assert await closing(url, token, cookie_header(bob)) == 4409


async def test_the_session_built_for_a_page_belongs_to_its_user(private_server: RunningServer):
    url = ws_url(private_server, "templated")
    with visit(private_server) as alice, visit(private_server) as bob:
        log_in(alice, "alice")
        log_in(bob, "bob")
        token = token_of(alice.get("/apps/templated").text)
        assert await closing(url, token, cookie_header(bob)) == 4409
        async with connect(url, token, cookie_header(alice)) as tab:
            assert tab.find("words").text == "Placed by the template."


async def test_after_logging_out_neither_token_nor_cookie_opens_anything(private_server: RunningServer):
    with visit(private_server) as alice:
        log_in(alice, "alice")
        token = page_token(private_server, "witness", client=alice)
        before = cookie_header(alice)
        form = {"csrfmiddlewaretoken": alice.cookies["csrftoken"]}
        address = f"{private_server.url}/accounts/logout/"
        assert alice.post(address, data=form, headers={"Referer": address}).status_code == 200
        assert await closing(ws_url(private_server, "witness"), token, before) == 4451
        assert alice.get("/apps/witness", headers={"Accept": "text/html"}).status_code == 302
