"""The doors of an app, over real servers: page, socket, static files, metadata, embedding script."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import re
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest
from websockets import ConnectionClosed, connect as connect_websocket
from websockets.frames import Close

from apps_registry.testing import AppSocket, RunningServer, connect
from apps_registry.testing.peer import request
from apps_registry.testing.socket import token_of

from .conftest import MAX_MESSAGE_SIZE
from .serving import Site, cookie_header, fetch, log_in, open_tab, page_token, visit, ws_url

REFERENCE = re.compile(r"Reference: (?:<code>)?([0-9A-F]{8})\b")
BREAKOUT = '"</script><script>alert(1)</script>'


def raw_get(server: RunningServer, path: str, method: str = "GET") -> http.client.HTTPResponse:
    """A request whose path no client has tidied."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    try:
        connection.putrequest(method, path)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()


def assert_tells_nothing(text: str) -> None:
    """Neither a traceback, nor a path, nor what the app's code says of itself."""
    for secret in ("Traceback", "main.py", "ValueError", "hunter2", "site-packages", "/tests/", "/tmp/"):
        assert secret not in text


async def refused(url: str, token: str, headers: dict[str, str] | None = None) -> ConnectionClosed:
    """The close of a socket that opens and then says why it cannot be."""
    with pytest.raises(ConnectionClosed) as closed:
        async with connect(url, token, headers):
            pass
    return closed.value


# Pages


def test_a_page_has_a_token_and_is_not_kept(server: RunningServer):
    answer = fetch(server, "/apps/witness")
    assert answer.status_code == 200
    assert token_of(answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_the_head_of_a_page_has_no_token_and_makes_no_session(server: RunningServer, site: Site, tag: str):
    for name in ("witness", "templated"):
        answer = fetch(server, f"/apps/{name}?tag={tag}", "HEAD")
        assert answer.status_code == 200
        assert answer.content == b""
        assert answer.headers["Cache-Control"] == "no-store"
    fetch(server, f"/apps/templated?tag={tag}")
    assert site.notes(tag) == ["built"], "Only the GET should have built the document."


async def test_the_document_is_built_when_the_socket_comes(server: RunningServer, site: Site, tag: str):
    token = page_token(server, "witness", f"?tag={tag}")
    assert site.notes(tag) == []
    async with connect(ws_url(server, "witness"), token) as tab:
        assert tab.find("double").text == "2"
    assert site.notes(tag) == ["created", "built"]


async def test_an_app_with_a_template_is_built_for_its_page(server: RunningServer, site: Site, tag: str):
    page = fetch(server, f"/apps/templated?tag={tag}")
    assert page.headers["Cache-Control"] == "no-store"
    assert '<main class="own">' in page.text
    assert site.notes(tag) == ["built"]
    async with connect(ws_url(server, "templated"), token_of(page.text)) as tab:
        words = tab.find("words")
        assert words.text == "Placed by the template."
        assert f'"{words.id}"' in page.text, "The page places other roots than those of the session."
    assert site.notes(tag) == ["built"], "The socket should have found the session of the page."


async def test_several_tabs_of_one_token_share_a_session(server: RunningServer, site: Site, tag: str):
    token = page_token(server, "witness", f"?tag={tag}")
    url = ws_url(server, "witness")
    async with connect(url, token) as one, connect(url, token) as other:
        assert (await one.set("number", value=4)).type == "OK"
        await other.idle()
        assert other.find("double").text == "8"
    assert site.notes(tag) == ["created", "built"]


def test_an_unknown_app_is_not_found_at_any_door(server: RunningServer):
    for door in ("", "/metadata", "/autoload.js?bokeh-autoload-element=a", "/static/x.css"):
        answer = fetch(server, f"/apps/nothing{door}")
        assert answer.status_code == 404, door
        assert_tells_nothing(answer.text)


def test_a_slash_too_many_leads_to_the_page(server: RunningServer):
    # `session.show()` of bokeh.client writes one
    answer = fetch(server, "/apps/witness/?colour=red")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/apps/witness?colour=red")


def test_doors_that_only_show_take_no_post(server: RunningServer):
    for door in ("", "/metadata", "/static/x.css"):
        assert fetch(server, f"/apps/witness{door}", "POST").status_code in (403, 405), door


def test_the_address_of_a_socket_says_so_to_a_plain_request(server: RunningServer):
    answer = fetch(server, "/apps/witness/ws")
    assert answer.status_code == 426
    assert answer.headers["Upgrade"] == "websocket"


def test_the_catalogue_leads_to_the_apps(server: RunningServer):
    page = httpx.get(server.url + "/")
    assert page.status_code == 200
    assert 'href="/apps/witness"' in page.text
    assert 'href="/apps/templated"' in page.text


def test_metadata_is_that_of_bokeh_serve(server: RunningServer):
    answer = fetch(server, "/apps/witness/metadata")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"url": "/apps/witness", "data": {}}


# What app code sees of the request


async def test_app_code_sees_the_request_without_its_credentials(server: RunningServer, tag: str):
    query = f"?tag={tag}&colour=red&colour=blue&empty=&word=gr%C3%BC%C3%9Fe&bokeh-app-path=/x"
    token = page_token(server, "witness", query)
    headers = {
        "Cookie": "flavour=vanilla; sessionid=s3cret; csrftoken=s4cret",
        "Authorization": "Bearer s5cret",
        "X-Shade": "dark",
    }
    async with connect(ws_url(server, "witness"), token, headers) as tab:
        text = tab.find("seen").text
    seen = json.loads(text)
    expected = {"tag": [tag], "colour": ["red", "blue"], "empty": [""], "word": ["grüße"]}
    assert seen["arguments"] == expected
    assert seen["headers"]["x-shade"] == "dark"
    assert seen["cookies"] == {"flavour": "vanilla"}
    assert seen["user"] == ""
    assert seen["logout_url"] == "/accounts/logout/"
    assert seen["token_payload"]["greeting"] == "hello stranger"
    assert not {"cookie", "authorization", "sec-websocket-protocol"} & seen["headers"].keys()
    assert token not in text
    assert not re.search("s[345]cret", text)


async def test_process_request_sees_the_request_of_the_page(server: RunningServer):
    page = fetch(server, "/apps/witness", X_Name="Ada")
    async with connect(ws_url(server, "witness"), token_of(page.text)) as tab:
        assert json.loads(tab.find("seen").text)["token_payload"]["greeting"] == "hello Ada"


# Apps that fail


def test_an_app_that_fails_for_its_page_is_an_error_page(server: RunningServer):
    answer = fetch(server, "/apps/broken_template", Accept="text/html")
    assert answer.status_code == 500
    assert REFERENCE.search(answer.text)
    assert "no-store" in answer.headers["Cache-Control"]
    assert_tells_nothing(answer.text)
    script = fetch(server, "/apps/broken_template", Accept="application/json")
    assert script.status_code == 500
    assert script.headers["Content-Type"].startswith("text/plain")
    assert_tells_nothing(script.text)


def test_the_reference_of_a_failure_leads_to_its_traceback_in_the_log(server: RunningServer):
    answer = fetch(server, "/apps/broken_template")
    found = REFERENCE.search(answer.text)
    assert found is not None
    logged = server.output.partition(f"Reference: {found[1]}")[2]
    assert "hunter2" in logged
    assert "main.py" in logged


def test_under_debug_the_error_page_has_the_traceback(site: Site, apps):
    with site.serve(apps / "broken_template", debug=True) as server:
        answer = fetch(server, "/apps/broken_template")
    assert answer.status_code == 500
    assert REFERENCE.search(answer.text)
    assert "Traceback" in answer.text
    assert "hunter2" in answer.text


@pytest.mark.parametrize("name", ["broken", "exits"])
async def test_an_app_that_fails_at_the_socket_closes_it_with_a_reference(server: RunningServer, name: str):
    token = page_token(server, name)
    for _ in range(3):  # each the same session id: a failure must not block the next start
        closed = await refused(ws_url(server, name), token)
        assert closed.rcvd.code == 4500
        assert REFERENCE.search(closed.rcvd.reason)
        assert_tells_nothing(closed.rcvd.reason)


async def test_a_failed_start_leaves_the_session_id_free(server: RunningServer, site: Site):
    token = page_token(server, "moody")
    site.mood.touch()
    try:
        assert (await refused(ws_url(server, "moody"), token)).rcvd.code == 4500
    finally:
        site.mood.unlink()
    async with connect(ws_url(server, "moody"), token) as tab:
        assert tab.find("mood").text == "Well."


async def test_all_who_wait_for_one_failing_session_are_told(server: RunningServer):
    token = page_token(server, "broken")
    closes = await asyncio.gather(*(refused(ws_url(server, "broken"), token) for _ in range(5)))
    assert {closed.rcvd.code for closed in closes} == {4500}


async def test_an_app_that_never_ends_its_start_holds_up_nobody(server: RunningServer):
    token = page_token(server, "never_ends")
    waiting = asyncio.create_task(refused(ws_url(server, "never_ends"), token))
    async with open_tab(server, "witness") as tab:
        assert (await tab.set("number", value=3)).type == "OK"
        await tab.idle()
        assert tab.find("double").text == "6"
    assert not waiting.done()
    closed = await waiting
    assert closed.rcvd.code == 4504
    assert (await refused(ws_url(server, "never_ends"), token)).rcvd.code == 4504


async def test_a_failed_callback_is_answered_with_a_reference_only(server: RunningServer):
    async with open_tab(server, "raises_in_callback") as tab:
        answer = await tab.press("bad")
        assert answer.type == "ERROR"
        assert REFERENCE.search(answer.content["text"])
        assert answer.content["traceback"] is None
        assert "ZeroDivision" not in json.dumps(answer.content)
        assert "42" not in answer.content["text"].partition("Reference")[0]
        assert (await tab.press("good")).type == "OK"
        await tab.idle()
        assert tab.find("count").text == "1"


# Frames that no browser sends


async def close_after(tab: AppSocket, frames: list[str | bytes]) -> Close | None:
    """How the server closes a socket that these frames came over; None when it gives no code."""
    with suppress(ConnectionClosed):
        for frame in frames:
            await tab.socket.send(frame)
    with pytest.raises(ConnectionClosed) as closed:
        await tab.receive()
    return closed.value.rcvd


async def test_a_page_may_not_replace_the_document(server: RunningServer):
    token = page_token(server, "witness")
    async with connect(ws_url(server, "witness"), token) as bystander:
        async with connect(ws_url(server, "witness"), token) as tab:
            push = request("PUSH-DOC")
            push.content = {"doc": {"version": "3.10.2", "title": "Mine", "roots": []}}
            await tab.send(push)
            with pytest.raises(ConnectionClosed) as closed:
                await tab.receive()
            assert closed.value.rcvd.code == 4400
        assert (await bystander.set("number", value=9)).type == "OK"
        await bystander.idle()
        assert bystander.find("double").text == "18"


async def test_a_frame_that_is_too_large_closes_its_socket_only(server: RunningServer):
    async with open_tab(server, "witness") as bystander:
        async with open_tab(server, "witness") as tab:
            close = await close_after(tab, ["x" * (MAX_MESSAGE_SIZE + 100_000)])
            assert close is not None, "The server dropped the connection without a code."
            assert close.code in (1009, 4400)
        assert (await bystander.set("number", value=5)).type == "OK"


async def test_a_message_whose_frames_are_too_large_together_closes_its_socket(server: RunningServer):
    async with open_tab(server, "witness") as tab:
        header = {"msgid": "1", "msgtype": "PATCH-DOC", "num_buffers": 100}
        buffers = [
            frame for name in range(5) for frame in (f'{{"id": "{name}"}}', bytes(MAX_MESSAGE_SIZE // 3))
        ]
        close = await close_after(tab, [json.dumps(header), "{}", '{"events": []}', *buffers])
    assert close.code == 4400
    assert "too large" in close.reason


def nonsense(dice: random.Random) -> list[str | bytes]:
    """A few frames that look more or less like the protocol, and two that end every reading of them."""
    kinds = ["PATCH-DOC", "PULL-DOC-REQ", "SERVER-INFO-REQ", "PUSH-DOC", "ACK", "OK", "NONSENSE", "", 7, None]
    counts = [0, 1, 3, 10_000, 10**9, -1, True, 1.5, "2", None, [1]]
    deep = "[" * 800 + "]" * 800

    def header() -> str:
        fields = {"msgid": dice.choice(["1", 1, None]), "msgtype": dice.choice(kinds)}
        if dice.random() < 0.4:
            fields["num_buffers"] = dice.choice(counts)
        return json.dumps(fields)

    def event() -> str:
        model = dice.choice([{"id": "p1001"}, {"id": 5}, None, "p1001", {"type": "object", "name": "Div"}])
        kind = dice.choice(["ModelChanged", "MessageSent", "RootAdded", "ColumnsStreamed", "x", None])
        fields = {"kind": kind, "model": model, "attr": dice.choice(["value", "__class__", 3]), "new": 1}
        return json.dumps({"events": [fields] * dice.randrange(3)})

    pieces = [
        header,
        header,
        event,
        lambda: dice.choice(
            ["{}", "[]", "null", "0", '""', "{", "\x00", "é" * 50, '{"id": "b"}', '{"id": 3}']
        ),
        lambda: '{"events": ' + dice.choice([deep, "{}", "null", '"x"', "[null]", "[[]]"]) + "}",
        lambda: dice.randbytes(dice.randrange(60)),
    ]
    frames = [dice.choice(pieces)() for _ in range(dice.randrange(1, 9))]
    # Two binary frames in a row are right nowhere
    return [*frames, b"", b""]


async def test_malformed_frames_close_their_own_socket_only(server: RunningServer):
    dice = random.Random(20)
    token = page_token(server, "witness")
    url = ws_url(server, "witness")

    async def throw(frames: list[str | bytes]) -> int | None:
        async with connect_websocket(url, subprotocols=["bokeh", token], compression=None) as socket:
            with suppress(ConnectionClosed):
                for frame in frames:
                    await socket.send(frame)
            with suppress(ConnectionClosed):
                async with asyncio.timeout(20):
                    while True:
                        await socket.recv()
            return socket.close_code

    async with connect(url, token) as bystander:
        codes = []
        for _ in range(10):
            codes += await asyncio.gather(*(throw(nonsense(dice)) for _ in range(20)))
        assert set(codes) == {4400}
        assert (await bystander.set("number", value=21)).type == "OK"
        await bystander.idle()
        assert bystander.find("double").text == "42"
    assert server.process.poll() is None
    assert "Exception in ASGI application" not in server.output
    assert "Exception inside application" not in server.output


# Static files of apps


def test_a_static_file_comes_with_type_and_date(server: RunningServer):
    address = f"{server.url}/apps/templated/static/css/page.css"
    answer = httpx.get(address)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/css")
    assert answer.text.startswith("main.own")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    again = httpx.get(address, headers={"If-Modified-Since": answer.headers["Last-Modified"]})
    assert again.status_code == 304
    assert again.content == b""
    head = httpx.head(address)
    assert head.status_code == 200
    assert head.headers["Last-Modified"] == answer.headers["Last-Modified"]
    assert head.content == b""


def test_static_files_may_have_any_name_and_be_links_within(server: RunningServer):
    odd = fetch(server, "/apps/templated/static/a%20b%2Bc.txt")
    assert odd.text == "Words with a plus and a space.\n"
    assert fetch(server, "/apps/templated/static/link_in.css").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "..%2fmain.py",
        "../main.py",
        "%2e%2e/main.py",
        "css/..%2f..%2fmain.py",
        "..%5cmain.py",
        "..%252fmain.py",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "css%00/page.css",
        "css",
        "",
        "no.css",
        "link_out.txt",
        "folder_out/secret.txt",
        "x" * 3000,
    ],
)
def test_nothing_outside_of_static_is_given(server: RunningServer, path: str):
    assert raw_get(server, f"/apps/templated/static/{path}").status in (400, 404)
    assert raw_get(server, f"/apps/templated/static/{path}", "HEAD").status in (400, 404)


def test_an_app_without_static_files_has_none(server: RunningServer):
    assert fetch(server, "/apps/witness/static/main.py").status_code == 404


# The embedding script


def test_the_embedding_script_holds_a_token_and_absolute_addresses(server: RunningServer):
    address = f"{server.url}/apps/witness/autoload.js?bokeh-autoload-element=spot"
    answer = httpx.get(address)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/javascript")
    assert answer.headers["Cache-Control"] == "no-store"
    assert f"{server.url}/static/bokeh/js/bokeh.min.js" in answer.text
    assert f"{server.url}/apps/witness" in answer.text
    assert '"spot"' in answer.text
    assert "bokeh.min.js" not in httpx.get(address + "&resources=none").text
    assert httpx.head(address).content == b""


@pytest.mark.parametrize(
    "parameter",
    [
        "bokeh-autoload-element",
        "bokeh-app-path",
        "bokeh-absolute-url",
        "bokeh-session-id",
        "resources",
        "tag",
        BREAKOUT,
    ],
)
def test_no_parameter_breaks_out_of_the_embedding_script(server: RunningServer, parameter: str):
    parameters = {"bokeh-autoload-element": "spot", parameter: BREAKOUT}
    answer = httpx.get(f"{server.url}/apps/witness/autoload.js", params=parameters)
    assert answer.status_code in (200, 400, 403)
    assert "alert(1)" not in answer.text
    if answer.status_code == 200:
        assert "javascript" in answer.headers["Content-Type"]


def test_the_embedding_script_of_a_broken_app_is_an_error(server: RunningServer):
    answer = httpx.get(
        f"{server.url}/apps/broken_template/autoload.js?bokeh-autoload-element=spot",
        headers={"Accept": "*/*", "Sec-Fetch-Dest": "script"},
    )
    assert answer.status_code == 500
    assert REFERENCE.search(answer.text)
    assert_tells_nothing(answer.text)


# Apps for those who are logged in


def test_a_visitor_is_led_to_the_login_and_back(private_server: RunningServer, tag: str):
    with visit(private_server) as client:
        wanted = f"/apps/witness?tag={tag}&colour=red"
        away = client.get(wanted, headers={"Accept": "text/html"})
        assert away.status_code == 302
        login = client.get(away.headers["Location"])
        field = re.search(r'name="next" value="([^"]*)"', login.text)
        form = {
            "username": "alice",
            "password": "alice",
            "next": field[1].replace("&amp;", "&"),
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        back = client.post(away.headers["Location"], data=form, headers={"Referer": str(login.url)})
        assert back.headers["Location"] == wanted
        assert client.get(wanted).status_code == 200


def test_without_login_no_door_opens(private_server: RunningServer):
    for name in ("witness", "templated"):
        for door in ("", "/metadata", "/autoload.js?bokeh-autoload-element=a", "/static/css/page.css"):
            page = httpx.get(f"{private_server.url}/apps/{name}{door}", headers={"Accept": "text/html"})
            assert page.status_code == 302, door
            assert page.headers["Location"].startswith("/accounts/login/?next=")
            script = httpx.get(f"{private_server.url}/apps/{name}{door}", headers={"Accept": "text/css"})
            assert script.status_code == 401, door


def test_the_catalogue_names_no_app_to_who_may_open_none(private_server: RunningServer):
    assert "/apps/witness" not in httpx.get(private_server.url + "/").text
    with visit(private_server) as client:
        log_in(client, "alice")
        assert "/apps/witness" in client.get("/").text


async def test_app_code_knows_who_is_logged_in(private_server: RunningServer):
    with visit(private_server) as client:
        log_in(client, "alice")
        token = page_token(private_server, "witness", client=client)
        async with connect(ws_url(private_server, "witness"), token, cookie_header(client)) as tab:
            seen = json.loads(tab.find("seen").text)
    assert seen["user"] == "alice"
    assert seen["cookies"] == {}


def test_staff_sees_the_traceback_and_others_do_not(private_server: RunningServer):
    with visit(private_server) as alice, visit(private_server) as sara:
        log_in(alice, "alice")
        log_in(sara, "sara")
        assert_tells_nothing(alice.get("/apps/broken_template").text)
        assert "hunter2" in sara.get("/apps/broken_template").text
