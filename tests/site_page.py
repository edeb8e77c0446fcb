"""What stands between a browser and a server in tests: a cable that can be cut, a page more, sockets that end."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Self

from playwright.async_api import Page, WebSocketRoute

from apps_registry.testing import RunningServer


class Cable:
    """A TCP proxy before a server, whose connections can be cut."""

    def __init__(self, target: RunningServer) -> None:
        self._port = int(target.url.rpartition(":")[2])
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """End all connections, without a word to either side."""
        for writer in self._writers:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._port)
        both = {writer, other_writer}
        self._writers |= both
        await asyncio.gather(
            self._copy(reader, other_writer, answer_to=writer), self._copy(other_reader, writer)
        )
        self._writers -= both

    async def _copy(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer_to: asyncio.StreamWriter | None = None,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if answer_to is not None and (answer := self._answer(data)):
                    answer_to.write(answer)
                    break
                writer.write(data)
                await writer.drain()
        writer.close()

    def _answer(self, request: bytes) -> bytes:
        """What the proxy itself answers to a request, for the last time on its connection; mostly nothing."""
        return b""


class SitePage(Cable):
    """A server that has one page more, at ``/page``, with a Content-Security-Policy if one is given."""

    def __init__(self, target: RunningServer, html: str, policy: str = "") -> None:
        super().__init__(target)
        headers = ["HTTP/1.1 200 OK", "Content-Type: text/html; charset=utf-8", "Connection: close"]
        if policy:
            headers.append(f"Content-Security-Policy: {policy}")
        self._page = "\r\n".join([*headers, "", f"<!doctype html>{html}"]).encode()

    def _answer(self, request: bytes) -> bytes:
        return self._page if request.startswith((b"GET /page ", b"GET /page?")) else b""


class Sockets:
    """The sockets of a page by the ``tag`` of their apps; a test closes them as a server would.

    Servers may drop the reason of a close; these do. ``refused`` says with which code new ones close at once.
    """

    def __init__(self) -> None:
        self.open: dict[str, WebSocketRoute] = {}
        self.refused: dict[str, int] = {}

    async def watch(self, page: Page) -> None:
        await page.route_web_socket(re.compile("/ws"), self._connect)

    async def _connect(self, socket: WebSocketRoute) -> None:
        tag = socket.url.partition("tag=")[2].partition("&")[0]
        if tag in self.refused:
            await socket.close(code=self.refused[tag])
        else:
            self.open[tag] = socket
            socket.connect_to_server()
