"""Stopping in good order under servers that have no lifespan events: daphne, and ``manage.py runserver``."""

from __future__ import annotations

import asyncio
import atexit
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import TimeoutError
from contextlib import suppress
from typing import Any

type Stop = Callable[[], Awaitable[None]]

_registered = False


def call_at_end(stop: Stop, *, within: float) -> None:
    """Let ``stop`` run on this loop when the server ends, whichever way it does; ``within`` in seconds.

    ``stop`` must bear to be called when all is stopped already.
    """
    global _registered
    if _registered:
        return
    _registered = True
    loop = asyncio.get_running_loop()
    _with_twisted(stop, loop)
    atexit.register(_at_exit, loop, stop, within)


def _with_twisted(stop: Stop, loop: asyncio.AbstractEventLoop) -> None:
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None or not reactor.running:
        return
    from twisted.internet.defer import Deferred

    def begin() -> Deferred[None]:
        # At once, as daphne cancels what it runs at the same moment, and that shall know why
        return Deferred.fromFuture(asyncio.Task(_stopped(stop), loop=loop, eager_start=True))

    reactor.addSystemEventTrigger("before", "shutdown", begin)


async def _stopped(stop: Stop) -> None:
    await stop()


def _at_exit(loop: asyncio.AbstractEventLoop, stop: Stop, within: float) -> None:
    """Under the reloader of ``runserver`` the server's thread is just left; its loop still runs then."""
    if not loop.is_running():
        return

    with suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(_stopped(stop), loop).result(within)
