"""Next-tick, timeout and periodic callbacks of one session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from bokeh.server.callbacks import NextTickCallback, PeriodicCallback, SessionCallback, TimeoutCallback


class Runs(Protocol):
    """How a session takes work in: ``done`` is called on the loop when it is through."""

    def __call__(self, fn: Callable[[], Any], *, locked: bool, done: Callable[[], None]) -> None: ...


class Schedule:
    """Holds the callbacks that wait for their time, and hands each to the session when it has come.

    ``add`` and ``remove`` may be called from any thread; all else happens on the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, run: Runs) -> None:
        self._loop = loop
        self._run = run
        self._waiting: dict[str, asyncio.Handle | None] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, callback: SessionCallback) -> None:
        """Let ``callback`` run at its time."""
        self._loop.call_soon_threadsafe(self._add, callback)

    def remove(self, callback: SessionCallback) -> None:
        """Let ``callback`` not run (again), even when its turn is already due."""
        self._loop.call_soon_threadsafe(self._remove, callback.id)

    def close(self) -> None:
        """Forget all callbacks, those to come, and the session."""
        self._closed = True
        self._run = _nothing
        for callback_id in list(self._waiting):
            self._remove(callback_id)

    def _add(self, callback: SessionCallback) -> None:
        if self._closed:
            return
        match callback:
            case NextTickCallback():
                self._waiting[callback.id] = None
                self._due(callback)
            case TimeoutCallback():
                self._later(callback, callback.timeout / 1000)
            case PeriodicCallback():
                self._later(callback, callback.period / 1000)

    def _later(self, callback: SessionCallback, seconds: float) -> None:
        self._waiting[callback.id] = self._loop.call_later(seconds, self._due, callback)

    def _remove(self, callback_id: str) -> None:
        handle = self._waiting.pop(callback_id, None)
        if handle is not None:
            handle.cancel()

    def _due(self, callback: SessionCallback) -> None:
        started = self._loop.time()

        def run() -> Any:
            if callback.id in self._waiting:
                return callback.callback()
            return None

        def done() -> None:
            if callback.id not in self._waiting:
                return
            if isinstance(callback, PeriodicCallback):
                elapsed = self._loop.time() - started
                self._later(callback, max(0.0, callback.period / 1000 - elapsed))
            else:
                del self._waiting[callback.id]

        locked = not getattr(callback.callback, "nolock", False)
        self._run(run, locked=locked, done=done)


def _nothing(fn: Callable[[], Any], *, locked: bool, done: Callable[[], None]) -> None:
    """How callbacks are run when their session is gone: not at all."""
