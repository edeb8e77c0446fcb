"""A session of the engine with tabs that write down what they get: no server, no app directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
from bokeh.document import Document
from bokeh.io.doc import patch_curdoc

from apps_registry.live.connection import Connection
from apps_registry.live.context import Request, ServerContext
from apps_registry.live.session import Session
from apps_registry.live.wire import Assembler, Message
from apps_registry.live.workers import Workers
from apps_registry.testing import peer

_ids = count(1)


@dataclass
class Tab:
    """One connection, and the messages that a writer took from it."""

    session: Session
    connection: Connection
    messages: list[Message] = field(default_factory=list)
    _assembler: Assembler = field(default_factory=lambda: Assembler(1 << 40))

    def send(self, message: Message) -> Message:
        self.session.handle(self.connection, message)
        return message

    def read(self) -> list[Message]:
        """What came since the last time."""
        frames = list(self.connection._frames)
        self.connection._frames.clear()
        self.connection.sent(frames)
        new = [message for frame in frames if (message := self._assembler.feed(frame)) is not None]
        self.messages += new
        return new

    def events(self) -> list[list[dict[str, Any]]]:
        """The events of each patch that came since the last time."""
        return [message.content["events"] for message in self.read() if message.type == "PATCH-DOC"]

    async def pull(self) -> dict[str, Any]:
        request = self.send(peer.request("PULL-DOC-REQ"))
        await idle(self.session)
        return next(m for m in self.read() if m.reply_to == request.id).content["doc"]  # type: ignore[no-any-return]


@asynccontextmanager
async def running(
    build: Callable[[Document], Any], *, workers: Workers | None = None, user: Any = None, **options: Any
) -> AsyncIterator[Session]:
    """A started session whose document ``build`` has filled, on workers of its own."""
    own = workers or Workers(max_threads=8)
    session = Session(
        f"session{next(_ids)}",
        app_name="test",
        owner=None,
        workers=own,
        server_context=ServerContext(list),
        request=Request(user=user),
        **options,
    )

    def fill() -> None:
        with patch_curdoc(session.document):
            build(session.document)

    await session.run(fill)
    session.start()
    try:
        yield session
    finally:
        session.end()
        if workers is None:
            await own.close(1)
        session.release()


def tab(session: Session, *, limit: int = 1 << 30, **options: Any) -> Tab:
    """One more tab on a session."""
    connection = Connection(limit=limit, **options)
    session.attach(connection)
    return Tab(session, connection)


async def open_tab(session: Session, **options: Any) -> Tab:
    """One more tab, which has pulled the document."""
    opened = tab(session, **options)
    await opened.pull()
    return opened


async def idle(session: Session) -> None:
    """Return when the session has nothing to do."""
    async with asyncio.timeout(10):
        quiet = 0
        while quiet < 3:
            await asyncio.sleep(0.001)
            busy = session.is_busy or session._workers.outstanding or session._tasks
            quiet = 0 if busy else quiet + 1


def same_json(left: bytes, right: Any) -> bool:
    """Whether JSON text says the same as a value, whatever the order of keys."""
    return bool(orjson.loads(left) == right)
