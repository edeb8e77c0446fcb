"""A browser tab as the server sees it: page, token, websocket, Bokeh's messages."""

from __future__ import annotations

import asyncio
import html
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

CHANGES_PER_ROUND_TRIP = 3

_TOKEN = re.compile(r'"token"\s*:\s*"([^"]+)"')
_SLIDER = re.compile(rb'"name"\s*:\s*"Slider"\s*,\s*"id"\s*:\s*"([^"]+)"')
_FREED = re.compile(r"moved=(\d+) freed=(\d+)")


class UnexpectedAnswerError(Exception):
    """The server refused, or answered something that the protocol does not allow here."""


@dataclass(slots=True)
class Message:
    """One received message; `size` counts the bytes of all its frames, buffers included."""

    kind: str
    reply_to: str | None
    content: bytes
    size: int


@dataclass(slots=True)
class Tab:
    """An open session: a connected websocket and the slider that round trips move."""

    websocket: ClientConnection
    slider: str = ""
    freed: int = 0
    bytes_moved: int = 0
    _values: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    async def receive(self) -> Message:
        """Wait for the next whole message."""
        head = await self.websocket.recv(decode=False)
        metadata = await self.websocket.recv(decode=False)
        content = await self.websocket.recv(decode=False)
        header = orjson.loads(head)
        size = len(head) + len(metadata) + len(content)
        for _ in range(2 * header.get("num_buffers", 0)):
            size += len(await self.websocket.recv(decode=False))
        if header["msgtype"] == "ERROR":
            raise UnexpectedAnswerError(content[:500].decode())
        return Message(header["msgtype"], header.get("reqid"), content, size)

    async def send(self, kind: str, content: object) -> str:
        """Send one message without buffers and return its id."""
        message_id = f"bench-{next(self._ids)}"
        header = orjson.dumps({"msgid": message_id, "msgtype": kind})
        body = orjson.dumps(content)
        for frame in (header, b"{}", body):
            await self.websocket.send(frame, text=True)
        self.bytes_moved += len(header) + 2 + len(body)
        return message_id

    async def pull(self) -> Message:
        """Ask for the document, as BokehJS does first of all."""
        request = await self.send("PULL-DOC-REQ", {})
        reply = await self.receive()
        if (reply.kind, reply.reply_to) != ("PULL-DOC-REPLY", request):
            raise UnexpectedAnswerError(f"expected the document, got {reply.kind}")
        return reply

    async def find_slider(self) -> None:
        """Ask for the document, and find the slider in it."""
        found = _SLIDER.search((await self.pull()).content)
        if found is None:
            raise UnexpectedAnswerError("no slider in the document")
        self.slider = found[1].decode()

    async def round_trip(self, value: int | None = None) -> None:
        """Move the slider; return once every change that it causes and the OK are here."""
        value = next(self._values) if value is None else value
        change = {"kind": "ModelChanged", "model": {"id": self.slider}, "attr": "value", "new": value}
        request = await self.send("PATCH-DOC", {"events": [change]})
        missing, answered = CHANGES_PER_ROUND_TRIP, False
        # A server may send its changes one by one or together, and the OK before or after them.
        while missing > 0 or not answered:
            message = await self.receive()
            self.bytes_moved += message.size
            if message.kind == "PATCH-DOC":
                missing -= self._changes(message, value)
            elif message.reply_to == request:
                answered = True
        if missing < 0:
            raise UnexpectedAnswerError(f"{-missing} changes more than the callback made")

    async def close(self) -> None:
        """Close the socket as a browser does that leaves the page."""
        await self.websocket.close(1001)

    def _changes(self, message: Message, value: int) -> int:
        events: list[dict[str, Any]] = orjson.loads(message.content)["events"]
        for event in events:
            text = _FREED.match(event["new"]) if event.get("attr") == "text" else None
            if text is None:
                continue
            if int(text[1]) != value:
                raise UnexpectedAnswerError(f"the slider stands at {value}, the callback saw {text[1]}")
            self.freed = int(text[2])
        return len(events)


async def open_tab(url: str) -> Tab:
    """Open the app at `url` (http://HOST:PORT/...): page, websocket, ACK, document."""
    tab = await connect_tab(url)
    await tab.find_slider()
    return tab


async def connect_tab(url: str, cookie: str = "") -> Tab:
    """Open the app at `url` as far as the ACK, as the visitor who has this cookie."""
    headers = {"Cookie": cookie} if cookie else {}
    token = await _page_token(url, headers)
    parts = urlsplit(url)
    websocket = await connect(
        f"ws://{parts.netloc}{parts.path}/ws",
        origin=Origin(f"http://{parts.netloc}"),
        subprotocols=[Subprotocol("bokeh"), Subprotocol(token)],
        additional_headers=headers,
        compression=None,
        max_size=None,
        ping_interval=None,
        open_timeout=60,
        close_timeout=2,
    )
    tab = Tab(websocket)
    if (first := await tab.receive()).kind != "ACK":
        raise UnexpectedAnswerError(f"expected ACK, got {first.kind}")
    return tab


async def _page_token(url: str, headers: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        # HTTP/1.0: the answer ends with the connection and is never chunked.
        lines = {"Host": parts.netloc, "Accept": "text/html", **headers}
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        asked = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"GET {path} HTTP/1.0\r\n{asked}\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    if " 200 " not in f"{status} ":
        raise UnexpectedAnswerError(f"GET {parts.path}: {status or 'no answer'}")
    found = _TOKEN.search(html.unescape(body.decode()))
    if found is None:
        raise UnexpectedAnswerError(f"GET {parts.path}: no token in the page")
    return found[1]
