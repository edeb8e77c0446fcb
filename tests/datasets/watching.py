"""Sessions that look at published data while it changes: with the notices of the database, and without a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from django.db import close_old_connections, connections

from apps_registry.data import open_dataset
from apps_registry.datasets.followers import everything
from apps_registry.datasets.following import Following
from apps_registry.live.session import Session
from apps_registry.live.workers import Workers
from apps_registry.relay import Heard, Relay

from ..live.harness import Tab, idle, open_tab, running
from ..serving import wait_until
from .published import put, user


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
        result = await self.tell(fn, *args, **options)
        await self.settled()
        return result

    async def tell(self, fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """The same, without waiting for what is new to be shown."""
        before = self.heard
        result = await self.workers.run(lambda: fn(*args, **options))
        await until(lambda: self.heard > before)
        return result

    async def hear(self, *notices: tuple[str, dict[str, Any]]) -> None:
        """Hear all of these at once, as from another process."""
        await self.following.heard(notices)
        await self.settled()

    async def recheck(self) -> None:
        """Look at everything again, as by the clock."""
        await self.following.recheck()
        await self.settled()

    def do_meanwhile(self, fn: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Call it on a thread of app code, and return when all was asked that its notices ask for."""
        before = self.heard
        with ThreadPoolExecutor() as elsewhere:
            elsewhere.submit(lambda: (fn(*args, **options), connections.close_all())).result()
        wait_until(lambda: self.heard > before and not self.following._tasks)

    async def settled(self) -> None:
        """Return when all sessions have done what there was to be done at once."""
        await until(lambda: not self.following._looking.locked() and not self.following._tasks)
        for session in self.sessions:
            await idle(session)

    async def quiet(self) -> None:
        """Return when all sessions have done what there was to be done at once and later."""
        await self.settled()
        while self.following._timer is not None or any(w.follows.is_busy for w in everything()):
            await asyncio.sleep(0.002)
            await self.settled()

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


class HeldUp:
    """Holds up the first answer of a method that is not None."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self._is_given, self._may_go_on = threading.Event(), threading.Event()
        method = getattr(owner, name)

        def held_up(*args: Any) -> Any:
            answer = method(*args)
            if answer is not None and not self._is_given.is_set():
                self._is_given.set()
                assert self._may_go_on.wait(10)
            return answer

        monkeypatch.setattr(owner, name, held_up)

    async def given(self) -> None:
        """Return when the answer is there."""
        await until(self._is_given.is_set)

    def go_on(self) -> None:
        """Hand it over."""
        self._may_go_on.set()


async def until(condition: Callable[[], Any], within: float = 10) -> None:
    """Return when something has become true."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)


# What sessions show


def live(**options: Any) -> Callable[[Document], None]:
    """Fills a document with one live source."""
    return lambda document: document.add_root(open_dataset("sales").source(**{"live": True, **options}))


def source_of(session: Session, number: int = 0) -> ColumnDataSource:
    """One of the sources that are roots."""
    source: ColumnDataSource = session.document.roots[number]
    return source


def regions(session: Session, number: int = 0) -> list[str]:
    """The regions in a source."""
    return list(source_of(session, number).data["region"])


def kinds(patches: list[list[dict[str, Any]]]) -> list[list[str]]:
    """What the events of each patch are; of a property of a model, its name."""

    def kind(event: dict[str, Any]) -> str:
        return event["attr"] if event["kind"] == "ModelChanged" else event["kind"]

    return [[kind(event) for event in patch] for patch in patches]


async def seen_by(watched: Watching, *names: str, **values: Any) -> list[Any]:
    """Publish sales, and make users who may see it."""
    return await watched.workers.run(lambda: (put(**values), [user(name) for name in names])[1])
