"""One stretch of work under a session's lock, and what it leaves for the tabs."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import wire

if TYPE_CHECKING:
    from .connection import Connection

#: The turn that this thread or task works in; a change of a document outside of one is refused.
current_turn: ContextVar[Turn | None] = ContextVar("current_turn", default=None)


@dataclass(slots=True, eq=False)
class Turn:
    """Work for a session: ``fn`` is called on a worker thread, and awaited when it gives an awaitable.

    ``origin`` is the connection whose message it is, ``done`` is called on the loop at its end.
    """

    fn: Callable[[], Any]
    origin: Connection | None = None
    reply_to: str = ""
    done: Callable[[Turn], None] | None = None
    #: Bytes of its message
    size: int = 0
    result: Any = None
    error: BaseException | None = None
    reply: list[wire.Frame] | None = None
    gives_document: bool = False
    _texts: list[bytes] = field(default_factory=list)
    _buffers: wire.Buffers = field(default_factory=list)
    _echoes: int = 0
    _own_texts: list[bytes] = field(default_factory=list)
    _own_buffers: wire.Buffers = field(default_factory=list)
    _awaitables: list[Awaitable[Any]] = field(default_factory=list)
    _for_all: list[wire.Frame] | None = None
    _for_origin: list[wire.Frame] | None = None

    def call(self) -> None:
        """The part that runs at once; app code that is ``async def`` is left for ``finish``."""
        # Taken out, since what a message does refers to its turn: a circle, for each message
        fn, self.fn = self.fn, _done
        try:
            self.result = fn()
        except BaseException as error:  # sys.exit() in a callback ends the callback, not the server
            self.error = error
            return
        if inspect.isawaitable(self.result):
            self._awaitables.append(self.result)
            self.result = None
        if not self._awaitables:
            self.frames_for(None)

    @property
    def is_waiting(self) -> bool:
        """Whether there is app code to be awaited."""
        return bool(self._awaitables)

    async def finish(self) -> None:
        """Await the ``async def`` callbacks, each after the other; the first error is kept, the rest still run."""
        while self._awaitables:
            try:
                self.result = await self._awaitables.pop(0)
            except BaseException as error:
                self.error = self.error or error

    def add_awaitable(self, awaitable: Awaitable[Any]) -> None:
        """An ``async def`` callback was called; it is awaited before the turn ends."""
        self._awaitables.append(awaitable)

    def add_event(self, text: bytes, buffers: wire.Buffers, *, echo: bool) -> None:
        """One encoded change; an ``echo`` is not sent to the connection that it came from."""
        self._texts.append(text)
        self._buffers += buffers
        self._for_all = self._for_origin = None
        if echo:
            self._echoes += 1
        else:
            self._own_texts.append(text)
            self._own_buffers += buffers

    def frames_for(self, connection: Connection | None) -> list[wire.Frame]:
        """The PATCH-DOC of this turn for one connection, encoded once for all that get the same."""
        if connection is not None and connection is self.origin and self._echoes:
            if self._for_origin is None:
                self._for_origin = _patch(self._own_texts, self._own_buffers)
            return self._for_origin
        if self._for_all is None:
            self._for_all = _patch(self._texts, self._buffers)
        return self._for_all


def _done() -> None:
    """The work of a turn that has begun."""


def _patch(texts: list[bytes], buffers: wire.Buffers) -> list[wire.Frame]:
    return wire.patch_frames(texts, buffers) if texts else []
