"""One tab's end of a session: a bounded outbox that one writer empties."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from ..exceptions import SessionEnded, TooSlow, VizserverError

if TYPE_CHECKING:
    from .wire import Frame


class Connection:
    """What a session puts for one peer, and a writer task takes; all on the event loop.

    A peer that leaves more than ``limit`` bytes lying is closed, and pulls the document afresh. One
    message larger than that is let through when nothing else waits, or no big document could open.
    """

    def __init__(self, *, limit: int, may_push: bool = False, sees_tracebacks: bool = False) -> None:
        self.may_push = may_push
        self.sees_tracebacks = sees_tracebacks
        self.has_document = False
        self.closed: VizserverError | None = None
        self._limit = limit
        self._frames: deque[Frame] = deque()
        self._size = 0
        self._waiting: asyncio.Future[None] | None = None

    def put(self, frames: list[Frame]) -> None:
        """Leave a message for the writer; after the connection is closed, nothing."""
        if self.closed is not None:
            return
        size = sum(map(len, frames))
        if self._size and self._size + size > self._limit:
            self.close(TooSlow())
            return
        self._size += size
        self._frames.extend(frames)
        self._wake()

    def close(self, reason: VizserverError | None = None) -> None:
        """Let the writer end with ``reason``; what already waits is sent unless the peer was too slow."""
        if self.closed is not None:
            return
        self.closed = reason or SessionEnded()
        if isinstance(self.closed, TooSlow):
            self._frames.clear()
        self._wake()

    async def take(self) -> list[Frame]:
        """All that waits, as soon as something does; empty when the connection is closed and drained."""
        while not self._frames and self.closed is None:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        taken = list(self._frames)
        self._frames.clear()
        return taken

    def sent(self, frames: list[Frame]) -> None:
        """The writer has handed these frames to the server."""
        self._size -= sum(map(len, frames))

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
