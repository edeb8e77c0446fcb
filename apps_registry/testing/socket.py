"""An app opened over a real websocket: what a tab would see."""

from __future__ import annotations

import asyncio
import html
import json
import re
from typing import Any, Self

import websockets
from bokeh.document import Document
from bokeh.events import ButtonClick, Event
from bokeh.model import Model
from websockets.asyncio.client import ClientConnection

from ..live import adapter, wire
from . import peer

_CONFIG = re.compile(r'<script id="apps-registry-session" type="application/json">(.*?)</script>', re.DOTALL)


def token_of(page: str) -> str:
    """The token in the HTML of an app's page."""
    match = _CONFIG.search(page)
    if match is None:
        raise LookupError("The page has no token.")
    return str(json.loads(html.unescape(match[1]))["token"])


class AppSocket:
    """A tab's websocket on a session, with its own copy of the document."""

    def __init__(self, url: str, token: str, headers: dict[str, str] | None = None) -> None:
        """``url``: ``ws://HOST/apps/NAME/ws``; ``headers``: those of the handshake, such as Cookie and Origin."""
        self._url = url
        self._token = token
        self._headers = headers or {}
        self.document = Document()
        #: All messages but replies, as they came
        self.patches: list[wire.Message] = []
        #: The texts of ERROR replies
        self.errors: list[str] = []

    async def __aenter__(self) -> Self:
        self.socket: ClientConnection = await websockets.connect(
            self._url,
            subprotocols=["bokeh", self._token],  # type: ignore[list-item]
            additional_headers=self._headers,
            max_size=None,
            compression=None,
        )
        try:
            await self._pull()
        except BaseException:
            await self.socket.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.socket.close()

    async def _pull(self) -> None:
        self._assembler = wire.Assembler(1 << 40)
        greeting = await self.receive()
        assert greeting.type == "ACK", greeting
        reply = await self.ask(peer.request("PULL-DOC-REQ"))
        adapter.replace_document(self.document, reply.content["doc"], reply.buffers)

    async def receive(self) -> wire.Message:
        """The next message, whatever it is. Raises ``websockets.ConnectionClosed``."""
        while True:
            message = self._assembler.feed(await self.socket.recv())
            if message is not None:
                return message

    async def send(self, message: wire.Message) -> None:
        """Send a message of any kind."""
        content = adapter.dumps(message.content)
        for frame in wire.frames(message.type, content, message.buffers, message_id=message.id):
            await self.socket.send(frame)

    async def ask(self, message: wire.Message, within: float = 30) -> wire.Message:
        """Send a message and wait for its reply; patches that come before it are applied."""
        await self.send(message)
        async with asyncio.timeout(within):
            while True:
                answer = await self.receive()
                if answer.reply_to == message.id:
                    if answer.type == "ERROR":
                        self.errors.append(answer.content["text"])
                    return answer
                self._take(answer)

    def _take(self, message: wire.Message) -> None:
        if message.type == "PATCH-DOC":
            self.patches.append(message)
            adapter.apply_patch(self.document, message.content, message.buffers, self)

    def find(self, selector: str | type[Model] | dict[str, Any]) -> Any:
        """The one model of this name, type, or Bokeh selector. Raises ``LookupError``."""
        return peer.find(self.document, selector)

    async def set(self, selector: str | type[Model] | dict[str, Any], **values: Any) -> wire.Message:
        """Set properties of a model as the browser would; gives the reply (OK or ERROR)."""
        model = self.find(selector)
        for attr, value in values.items():
            model.set_from_json(attr, value)
        return await self.ask(peer.change(model, values))

    async def press(self, selector: str | type[Model] | dict[str, Any]) -> wire.Message:
        """Press a button; gives the reply."""
        return await self.tell(ButtonClick(self.find(selector)))

    async def tell(self, event: Event) -> wire.Message:
        """Let an event of the browser happen; gives the reply."""
        return await self.ask(peer.event(self.document, event))

    async def idle(self) -> None:
        """Return when the server has answered all that was sent, and what that set off at once."""
        await self.ask(peer.request("SERVER-INFO-REQ"))
        await self.ask(peer.request("SERVER-INFO-REQ"))

    async def patch(self, within: float = 30) -> wire.Message:
        """Wait for one more patch from the server, and apply it."""
        async with asyncio.timeout(within):
            while True:
                message = await self.receive()
                self._take(message)
                if message.type == "PATCH-DOC":
                    return message


def connect(url: str, token: str, headers: dict[str, str] | None = None) -> AppSocket:
    """Open the websocket of a session: ``async with connect(url, token) as tab``."""
    return AppSocket(url, token, headers)
