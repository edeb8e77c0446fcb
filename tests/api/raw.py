"""Requests that are not whole, or not as they should be, which no HTTP client sends."""

from __future__ import annotations

import json
import socket
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from .world import World


def raw(
    world: World,
    name: str,
    *headers: str,
    method: str = "PUT",
    path: str = "",
    token: str | None = None,
) -> socket.socket:
    """A connection on which a request has begun, without its body; mona's, unless there is another ``token``."""
    address = urlsplit(world.server.url)
    assert address.hostname is not None
    connection = socket.create_connection((address.hostname, address.port or 80), timeout=30)
    token = world.tokens["mona/all"] if token is None else token
    lines = [
        f"{method} {path or f'/api/datasets/{name}?format=csv'} HTTP/1.1",
        f"Host: {address.netloc}",
        *([f"Authorization: Bearer {token}"] if token else []),
        *headers,
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def received(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """The answer: its status, and what it says."""
    with HTTPResponse(connection) as answer:
        answer.begin()
        return answer.status, json.loads(answer.read())
