"""Sessions that look at published data while it changes: with the notices of the database, and without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from bokeh.document import Document
from django.db import close_old_connections, connections

from apps_registry.datasets.following import Following
from apps_registry.live.session import Session
from apps_registry.live.workers import Workers
from apps_registry.relay import Heard, Relay

from ..live.harness import Tab, idle, open_tab, running
from ..serving import wait_until


class Watching:
    """What a server is to its sessions, as far as data goes."""

    def __init__(self, workers: Workers, stack: AsyncExitStack) -> None:
        self.workers = workers
        self.following = Following(workers.run)
        self.sessions: list[Session] = []
        self.heard = 0
        self._stack = stack

    async def open(self, build: Callable[[Document], Any], user: Any = None) -> Session:
        """A new session of ``user``, whose document ``build`` fills."""
        opened = running(build, workers=self.workers, user=user)
        session = await self._stack.enter_async_context(opened)
        self.sessions.append(session)
        return session

    async def tab(self, build: Callable[[Document], Any], user: Any = None) -> Tab:
        """A tab on a new session, which has pulled the document."""
        return await open_tab(await self.open(build, user))

    async def close_sessions(self) -> None:
        """End them all."""
        self.sessions.clear()
        await self._stack.aclose()

    async def do(self, fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call what asks the database, as some other part of the server would; its notices are followed then."""
        before = self.heard
        result = await self.workers.run(lambda: fn(*args, **options))
        await until(lambda: self.heard > before)
        await self.settled()
        return result

    def do_meanwhile(self, fn: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Call it on a thread of app code, and return when the notices of it were followed."""
        before = self.heard
        with ThreadPoolExecutor() as elsewhere:
            elsewhere.submit(lambda: (fn(*args, **options), connections.close_all())).result()
        wait_until(lambda: self.heard > before)

    async def settled(self) -> None:
        """Return when all sessions have done what there was to be done at once."""
        await until(lambda: not self.following._looking.locked() and not self.following._tasks)
        for session in self.sessions:
            await idle(session)

    async def follow(self, notices: Iterable[Heard]) -> None:
        """For the relay."""
        await self.following.heard([(notice.kind, notice.data) for notice in notices])
        self.heard += 1


@asynccontextmanager
async def watching() -> AsyncIterator[Watching]:
    """Everything that sessions need to follow data."""
    workers = Workers(max_threads=8, around=close_old_connections, on_thread_end=connections.close_all)
    async with AsyncExitStack() as stack:
        watched = Watching(workers, stack)
        relay = Relay(watched.follow, workers.run)
        await relay.start()
        try:
            yield watched
        finally:
            await relay.stop()
            await watched.following.close()
            await stack.aclose()
            await workers.close(5)


async def until(condition: Callable[[], Any], within: float = 10) -> None:
    """Return when something has become true."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)
