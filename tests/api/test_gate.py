"""Long uploads from who may not publish: refused in the same words as short ones, before anything has come."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from http.client import HTTPResponse

import pytest

from .operations import OPERATIONS
from .raw import raw, received
from .world import CSV, World

PUBLISHING = [name for name, operation in OPERATIONS.items() if operation.scope == "publish"]
BODY = b"who,region,price\n" + b"zoe,west,9\n" * 120_000
LONG = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
#: User or user and scope of the token, the data set, and the status of the answer.
REFUSED = [
    ("", "open", 401),
    ("gone", "open", 401),
    ("carol/read", "granted", 403),
    ("bob", "granted", 403),
    ("dora", "granted", 404),
    ("dora", "nothing", 404),
    ("mona", "granted", 403),
    ("carol", "deleted", 404),
]
#: Seconds in which nothing comes, when nothing is to come.
PAUSE = 0.3


def token_of(world: World, who: str) -> str:
    return world.tokens[who if "/" in who else f"{who}/all"] if who else ""


def begin(
    world: World, operation: str, dataset: str, *headers: str, token: str = "", path: str = ""
) -> socket.socket:
    """A connection on which a publication has begun, without its body."""
    method = OPERATIONS[operation].method
    path = path or f"/api/{OPERATIONS[operation].path.format(name=dataset)}?format=csv"
    return raw(world, dataset, *headers, method=method, path=path, token=token)


def is_waiting(connection: socket.socket) -> bool:
    """Whether the server waits for more."""
    connection.settimeout(PAUSE)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(30)
    return False


@pytest.mark.parametrize("operation", PUBLISHING)
@pytest.mark.parametrize(("who", "dataset", "status"), REFUSED)
def test_it_is_refused_as_a_short_one(world: World, operation: str, who: str, dataset: str, status: int):
    token = token_of(world, who)
    path = OPERATIONS[operation].path.format(name=dataset)
    short = world.ask(OPERATIONS[operation].method, path, token=token, content=CSV, params={"format": "csv"})
    assert short.status_code == status
    for framing in (LONG, CHUNKED):
        with begin(world, operation, dataset, framing, token=token) as connection:
            assert received(connection) == (status, short.json())


@pytest.mark.parametrize("operation", PUBLISHING)
@pytest.mark.parametrize("framing", [LONG, CHUNKED])
def test_it_is_taken_once_from_who_may(world: World, name: str, operation: str, framing: str):
    world.put(name, "mona")
    with begin(world, operation, name, framing, token=token_of(world, "mona")) as connection:
        assert is_waiting(connection)
        body = BODY if framing == LONG else f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n0\r\n\r\n"
        connection.sendall(body)
        status, version = received(connection)
    assert (status, version["number"]) == (201, 2)
    assert len(world.get(f"datasets/{name}/versions", "mona")["items"]) == 2


def test_what_can_be_known_before_is_said_before(world: World, name: str):
    world.put(name, "mona")
    token = token_of(world, "mona")
    multipart = "Content-Type: multipart/form-data; boundary=x"
    for header, status in ((multipart, 422), ('If-Match: "no"', 422)):
        with begin(world, "publish", name, LONG, header, token=token) as connection:
            assert received(connection)[0] == status, header


def test_who_asks_whether_to_go_on_is_told(world: World, name: str):
    expect = "Expect: 100-continue"
    with begin(world, "publish", "granted", LONG, expect, token=token_of(world, "dora")) as connection:
        assert received(connection)[0] == 404
    with begin(world, "publish", name, LONG, expect, token=token_of(world, "mona")) as connection:
        assert connection.recv(12) == b"HTTP/1.1 100"


def test_other_operations_do_at_once_what_they_do(world: World, name: str):
    """They might do it twice: once without the body, and once with it."""
    world.put(name, "mona")
    token = token_of(world, "mona")
    bodies = {
        "change_dataset": b'{"description": "New."}',
        "put_grant": b'{"user": "zoe", "role": "viewer"}',
        "delete_dataset": b"{}",
    }
    for operation, body in bodies.items():
        chunked = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        kind = "Content-Type: application/json"
        with begin(world, operation, name, CHUNKED, kind, token=token) as connection:
            assert is_waiting(connection), operation
            connection.sendall(chunked)
            with HTTPResponse(connection) as answer:
                answer.begin()
                assert answer.status in (200, 204), answer.read()


# By the login of the site


def by_login(world: World, who: str, *, csrf: bool = True) -> Sequence[str]:
    headers = world.by_login(who)
    return [f"{name}: {value}" for name, value in headers.items() if csrf or name == "Cookie"]


@pytest.mark.parametrize(
    ("who", "dataset", "status"), [("dora", "granted", 404), ("bob", "granted", 403), ("carol", "granted", 0)]
)
def test_a_login_is_asked_about_too(world: World, who: str, dataset: str, status: int):
    with begin(world, "publish", dataset, LONG, *by_login(world, who)) as connection:
        assert is_waiting(connection) == (not status)
        assert not status or received(connection)[0] == status


def test_what_another_site_sends_is_refused_before_it_comes(world: World):
    with begin(world, "publish", "granted", LONG, *by_login(world, "carol", csrf=False)) as connection:
        status, problem = received(connection)
    assert (status, problem["code"]) == (403, "RequestForged")


PAGES = {"new": "/data/-/new", "upload": "/data/granted/upload"}


@pytest.mark.parametrize(
    ("page", "who", "status"),
    [
        ("new", "", 302),
        ("upload", "", 403),
        ("new", "bob", 403),
        ("upload", "bob", 403),
        ("upload", "dora", 403),
        ("new", "mona", 0),
        ("upload", "carol", 0),
    ],
)
def test_a_form_is_taken_from_those_to_whom_it_is_shown(world: World, page: str, who: str, status: int):
    kind = "Content-Type: multipart/form-data; boundary=x"
    headers = (LONG, kind, *by_login(world, who))
    with begin(world, "append_rows", "granted", *headers, path=PAGES[page]) as connection:
        assert is_waiting(connection) == (not status)
        if status:
            with HTTPResponse(connection) as answer:
                answer.begin()
                assert answer.status == status
