"""The live sessions of this host: each made once, kept while somebody looks, and let go."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import (
    AppError,
    AppStartTimeout,
    ServerStopping,
    SessionEnded,
    SessionIdle,
    SessionNotYours,
    TooManySessions,
    VizserverError,
)
from .context import Request, ServerContext
from .session import OnError, Session

if TYPE_CHECKING:
    from .loading import Code
    from .memory import Collector
    from .workers import Workers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How many sessions there may be, and how long they live; times in seconds, None: no limit."""

    sessions: int = 2000
    app_sessions: int | None = None
    user_sessions: int | None = None
    idle: float | None = None
    unattended: float = 60.0
    start: float = 60.0


@dataclass
class _Live:
    session: Session
    code: Code


#: How long the end of one session may hold up the end of the next.
_END_SECONDS = 2.0

type _Key = tuple[str, str]


class Pool:
    """Makes, finds and lets go the sessions of one process."""

    def __init__(
        self,
        workers: Workers,
        limits: Callable[[str], Limits],
        *,
        check: float = 5.0,
        collector: Collector | None = None,
        on_error: OnError | None = None,
    ) -> None:
        self._check = check
        self._workers = workers
        self._limits = limits
        self._collector = collector
        self._on_error = on_error
        self._live: dict[_Key, _Live] = {}
        self._pending: dict[_Key, asyncio.Task[Session]] = {}
        self._owners: dict[_Key, object] = {}
        self._contexts: dict[str, ServerContext] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._sweeper = asyncio.create_task(self._sweep(), name="session sweeper")

    def __len__(self) -> int:
        return len(self._live)

    def sessions(self, app_name: str | None = None) -> list[Session]:
        """The live sessions, of one app or of all."""
        return [live.session for (name, _), live in self._live.items() if app_name in (None, name)]

    def server_context(self, app_name: str) -> ServerContext:
        """What the hooks of an app get; the same object for as long as the process lives."""
        if app_name not in self._contexts:
            self._contexts[app_name] = ServerContext(lambda: self.sessions(app_name))
        return self._contexts[app_name]

    def find(self, app_name: str, session_id: str, owner: object) -> Session | None:
        """A live session, if there is one. Raises ``SessionNotYours`` when it is bound to somebody else."""
        key = (app_name, session_id)
        if key in self._owners and self._owners[key] != owner:
            raise SessionNotYours
        live = self._live.get(key)
        return live.session if live is not None and not live.session.destroyed else None

    async def open(
        self,
        app_name: str,
        load: Callable[[], Awaitable[Code]],
        session_id: str,
        *,
        owner: object,
        request: Request,
        token_payload: Mapping[str, Any] | None = None,
        logout_url: str | None = None,
    ) -> Session:
        """The session of this id: the live one, the one under way, or a new one of the code that ``load`` gives.

        Raises ``AppError`` (the app's code failed), ``AppStartTimeout``, ``SessionNotYours``,
        ``TooManySessions`` or ``ServerStopping``.
        """
        if (session := self.find(app_name, session_id, owner)) is not None:
            return session
        key = (app_name, session_id)
        task = self._pending.get(key)
        if task is None:
            self._admit(key, owner)
            self._owners[key] = owner
            make = functools.partial(
                Session,
                session_id,
                app_name=app_name,
                owner=owner,
                workers=self._workers,
                server_context=self.server_context(app_name),
                request=request,
                token_payload=token_payload,
                logout_url=logout_url,
                on_error=self._on_error,
            )
            task = self._pending[key] = asyncio.create_task(self._make(key, load, make))
            task.add_done_callback(lambda done: self._made(key, done))
        # A visitor who goes away must not take the session from those who wait for it too
        try:
            async with asyncio.timeout(self._limits(app_name).start):
                return await asyncio.shield(task)
        except TimeoutError:
            self._forget_pending(key, task)
            raise AppStartTimeout from None
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if self._stopping and task.cancelled() and waiter is not None and not waiter.cancelling():
                raise ServerStopping from None
            raise

    async def end(self, session: Session, reason: VizserverError | None = None) -> None:
        """Let one session go: close its connections, run the hooks, cut its references."""
        key = (session.app_name, session.id)
        live = self._live.get(key)
        if live is None or live.session is not session or session.destroyed:
            return
        session.end(reason)
        try:
            await session.run(lambda: None, final=True)
            await self._run_destroyed(live)
        finally:
            if self._live.get(key) is live:
                del self._live[key]
                # Somebody may have come back already, to a session that is just being made
                if key not in self._pending:
                    self._owners.pop(key, None)
            await self._release(live)

    def end_soon(self, session: Session, reason: VizserverError | None = None) -> asyncio.Task[None]:
        """``end`` as a task of its own."""
        task = asyncio.create_task(self.end(session, reason))
        self._ending.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A session could not be ended in good order.", exc_info=error)

    async def close(self, grace: float = 10.0) -> None:
        """End all sessions, and take no new ones; what does not come to its end in time is left."""
        self._stopping = True
        self._sweeper.cancel()
        for pending in self._pending.values():
            pending.cancel()
        ends = [asyncio.create_task(self.end(session, ServerStopping())) for session in self.sessions()]
        waiting: list[asyncio.Task[Any]] = [self._sweeper, *self._pending.values(), *self._ending, *ends]
        _, late = await asyncio.wait(waiting, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            log.warning("%d sessions did not come to their end within %g s.", len(late), grace)

    # Making

    def _admit(self, key: _Key, owner: object) -> None:
        if self._stopping:
            raise ServerStopping
        app_name, _ = key
        limits = self._limits(app_name)
        # Who comes back to a session that is just being let go takes its place
        if len(self._owners) - (key in self._owners) >= limits.sessions:
            raise TooManySessions
        if limits.app_sessions is None and limits.user_sessions is None:
            return
        owners = [
            its_owner for other, its_owner in self._owners.items() if other[0] == app_name and other != key
        ]
        if limits.app_sessions is not None and len(owners) >= limits.app_sessions:
            raise TooManySessions
        # A visitor without a name has no count of his own
        if (
            limits.user_sessions is not None
            and owner is not None
            and owners.count(owner) >= limits.user_sessions
        ):
            raise TooManySessions("You have this app open too often. Please close another tab of it first.")

    async def _make(
        self, key: _Key, load: Callable[[], Awaitable[Code]], make: Callable[[], Session]
    ) -> Session:
        code = await load()
        code.attach()
        session = make()
        live = _Live(session, code)
        try:
            await self._run_created(live)
            await session.run(lambda: code.build(session.document))
            session.own_models = code.models(session.document)
            session.start()
        except asyncio.CancelledError:
            # The server stops, and the app's code may still be at work in the document
            session.end()
            raise
        except BaseException:
            session.end()
            await self._release(live)
            raise
        if self._pending.get(key) is not asyncio.current_task():
            # Everybody who wanted it has given up waiting
            session.end()
            await self._run_destroyed(live)
            await self._release(live)
            raise SessionEnded
        self._live[key] = live
        return session

    async def _run_created(self, live: _Live) -> None:
        hook = live.code.hooks.on_session_created
        if hook is None:
            return
        try:
            await live.session.run(lambda: hook(live.session.session_context))
        except Exception:
            log.exception("The hook on_session_created of %s failed.", live.session.app_name)

    def _made(self, key: _Key, task: asyncio.Task[Session]) -> None:
        self._forget_pending(key, task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, AppError):
            if self._on_error is not None:
                self._on_error(key[0], error.reference, error)
        elif not isinstance(error, VizserverError):
            log.error("A session of %s could not be made.", key[0], exc_info=error)

    def _forget_pending(self, key: _Key, task: asyncio.Task[Session]) -> None:
        if self._pending.get(key) is task:
            del self._pending[key]
            if key not in self._live:
                self._owners.pop(key, None)

    # Letting go

    async def _run_destroyed(self, live: _Live) -> None:
        context = live.session.session_context
        calls: list[Callable[[Any], Any]] = list(live.session.document.session_destroyed_callbacks)
        if live.code.hooks.on_session_destroyed is not None:
            calls.append(live.code.hooks.on_session_destroyed)
        for call in calls:
            try:
                await live.session.run(lambda call=call: call(context), final=True)  # type: ignore[misc]
            except Exception:
                log.exception("A callback at the end of a session of %s failed.", live.session.app_name)

    async def _release(self, live: _Live) -> None:
        def release() -> None:
            live.code.release(live.session.document)
            live.session.release()

        await self._workers.run(release)
        live.code.detach()
        if self._collector is not None:
            self._collector.session_ended()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._check)
            await self._end_unused()

    async def _end_unused(self) -> None:
        now = asyncio.get_running_loop().time()
        for session in self.sessions():
            if session.destroyed:
                continue
            limits = self._limits(session.app_name)
            reason: VizserverError | None = None
            if session.connections:
                if limits.idle is None or now - session.active < limits.idle:
                    continue
                wanted = session.active + self._check
                reason = SessionIdle()
            elif now - session.unattended_since < limits.unattended:
                continue
            else:
                wanted = session.unattended_since
            # What a viewer has begun is waited for, and not what goes on by itself, turn after turn
            if session.has_worked_since(wanted):
                continue
            # One after the other, so that those who stay are served in between; but none holds up the rest
            await asyncio.wait({self.end_soon(session, reason)}, timeout=_END_SECONDS)
