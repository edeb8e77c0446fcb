"""The engine of this process: its threads, its sessions, its apps, from start to stop."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings as site
from django.db import DatabaseError, close_old_connections, connections
from django.urls import set_script_prefix

from . import logs, permissions
from .conf import settings
from .exceptions import AppError, ServerStopping, TooManySessions, VizserverError
from .live import adapter
from .live.context import Request, current_session
from .live.failures import describe, in_one_line
from .live.loading import App, Code
from .live.memory import Collector
from .live.pool import Limits, Pool
from .live.session import Session
from .live.workers import Workers
from .models import Failure as StoredFailure, VizApp
from .presence import Presence, host_name
from .records import Records, short_name
from .registry import Registry, named_row
from .relay import Relay
from .shutdown import call_at_end
from .upkeep import Upkeep
from .visits import Visit, Visits

log = logging.getLogger(__name__)

#: So many failures are remembered, for staff to look at.
MAX_FAILURES = 200


@dataclass(frozen=True)
class Failure:
    """What app code did wrong; ``detail`` is for staff."""

    app_name: str
    detail: str


class Runtime:
    """What serves apps in one process, on one event loop."""

    def __init__(self) -> None:
        self.name = host_name()
        self.loop = asyncio.get_running_loop()
        self.registry = Registry()
        self.workers = Workers(
            max_threads=settings.WORKER_THREADS,
            around=_tidy,
            on_thread_end=connections.close_all,
        )
        self._collector = Collector(lambda: self.workers.outstanding == 0)
        self.pool = Pool(
            self.workers,
            self._limits,
            check=settings.CHECK_UNUSED_SESSIONS,
            collector=self._collector,
            on_error=self.report,
        )
        self.visits = Visits(self.registry.row)
        self.records = Records(self.name)
        self.presence = Presence(self.name)
        self._upkeep = Upkeep(self)
        self._relay = Relay(self._upkeep.heard, self.workers.run)
        self._failures: dict[str, Failure] = {}
        self._loaded: dict[str, Code] = {}
        #: For each app, so that the hook of one holds up no other
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._watcher: asyncio.Task[None] | None = None
        #: Whether all is about to end
        self.is_stopping = False

    async def start(self) -> None:
        """Load the apps that are on and run their hooks; one that does not load keeps no other from serving."""
        logs.install(prints=settings.LOG_PRINTS)
        await self.workers.run(adapter.prepare)
        await self.workers.run(self.registry.sync)
        await self.settle()
        self._collector.start()
        await self._relay.start()
        # For what was changed while the apps were loaded
        self.registry.refresh()
        self._upkeep.start()
        if settings.WATCH is not None:
            from .development import watch

            self._watcher = asyncio.create_task(watch(self, map(Path, settings.WATCH)), name="file watcher")

    async def settle(self) -> None:
        """Load the apps that have been switched on, and run the last hook of those that were switched off."""
        apps = await self.workers.run(self.registry.apps)
        served = {app.name for app in apps if self._is_on(app.name)}
        for name in self._loaded.keys() - served:
            code = None if self.pool.sessions(name) else self._loaded.pop(name, None)
            if code is not None:
                await self._hook(name, "on_server_unloaded", code)
        for app in apps:
            if app.name in served and app.name not in self._loaded:
                try:
                    await self.code(app)
                except AppError as error:
                    self.report(app.name, error.reference, error)

    def _is_on(self, name: str) -> bool:
        row = self.registry.row(name)
        return row is not None and row.enabled

    async def stop(self) -> None:
        """End the sessions, run the hooks, end the threads."""
        self.is_stopping = True
        if self._watcher is not None:
            self._watcher.cancel()
        await self._relay.stop()
        await self.pool.close(settings.STOP_TIMEOUT)
        hooks = (self._hook(name, "on_server_unloaded", code) for name, code in self._loaded.items())
        try:
            async with asyncio.timeout(settings.STOP_TIMEOUT):
                await asyncio.gather(*hooks)
        except TimeoutError:
            log.warning("The hooks did not come to their end within %g s.", settings.STOP_TIMEOUT)
        self._loaded.clear()
        await self._upkeep.stop()
        left = await self.workers.close(settings.STOP_TIMEOUT)
        if left:
            log.warning("%d threads still run app code.", left)
        self._collector.close()
        self.registry.close()

    async def app(self, name: str) -> App:
        """The app of this name. Raises ``AppNotFound``."""
        if self.is_stopping:
            raise ServerStopping
        return self.registry.known(name) or await self.workers.run(lambda: self.registry.get(name))

    async def code(self, app: App) -> Code:
        """The newest code of an app that loads; its ``on_server_loaded`` has run. Raises ``AppError``."""
        code: Code = await self.workers.run(app.current)
        if self._loaded.get(app.name) is code:
            return code
        async with self._loading[app.name]:
            previous = self._loaded.get(app.name)
            if previous is not code:
                if previous is not None:
                    await self._hook(app.name, "on_server_unloaded", previous)
                await self._hook(app.name, "on_server_loaded", code)
                self._loaded[app.name] = code
        return code

    async def may(self, user: Any, role: str, row: VizApp) -> bool:
        """``permissions.may``, asked on a thread."""
        return bool(await self.workers.run(lambda: permissions.may(user, role, row)))

    async def recheck(self, visits: list[Visit]) -> None:
        """Close those sockets that may no longer be open."""
        await self._upkeep.recheck(visits, fresh=True)

    async def open_session(
        self,
        app: App,
        session_id: str,
        *,
        owner: object,
        request: Request,
        token_payload: Mapping[str, Any],
    ) -> Session:
        """The session of this id, made when it is not there. Raises what ``Pool.open`` raises."""
        if self.pool.find(app.name, session_id, owner) is None:
            await self._check_elsewhere(app.name, session_id, owner)
        return await self.pool.open(
            app.name,
            lambda: self.code(app),
            session_id,
            owner=owner,
            request=request,
            token_payload=token_payload,
            logout_url=settings.LOGOUT_URL,
        )

    async def _check_elsewhere(self, app_name: str, session_id: str, owner: object) -> None:
        """Count the sessions of other processes too, as far as they have been written down."""
        limits = self._limits(app_name)
        if limits.app_sessions is None and limits.user_sessions is None:
            return
        but = short_name(session_id)
        in_all, of_user = await self.workers.run(lambda: self.presence.elsewhere(app_name, owner, but=but))
        mine = [session for session in self.pool.sessions(app_name) if session.id != session_id]
        if limits.app_sessions is not None and in_all + len(mine) >= limits.app_sessions:
            raise TooManySessions
        of_user += sum(session.owner == owner for session in mine)
        if limits.user_sessions is not None and owner is not None and of_user >= limits.user_sessions:
            raise TooManySessions("You have this app open too often. Please close another tab of it first.")

    async def failure(self, app_name: str, reference: str) -> Failure | None:
        """What a viewer of ``app_name`` was told by ``reference``, if that is still known."""
        failure = self._failures.get(reference) or await self.workers.run(lambda: _stored(reference))
        return failure if failure is not None and failure.app_name == app_name else None

    def report(self, app_name: str, reference: str, error: BaseException) -> None:
        """Take note of what app code did wrong, for the log and for staff; once per reference."""
        if reference in self._failures:
            return
        if isinstance(error, AppError):
            log.error("%s: %s\n%s", app_name, error, error.detail)
        detail = error.detail if isinstance(error, VizserverError) else describe(error)
        self._failures[reference] = Failure(app_name, detail)
        while len(self._failures) > MAX_FAILURES:
            del self._failures[next(iter(self._failures))]
        session = current_session.get()
        summary = error.summary if isinstance(error, AppError) else in_one_line(error)
        row = self.registry.row(app_name) or named_row(app_name)
        self.records.failed(row, session and session.user, reference, summary, detail)

    def _limits(self, app_name: str) -> Limits:
        row = self.registry.row(app_name) or named_row(app_name)
        unattended = row.unattended_seconds
        return Limits(
            sessions=settings.MAX_SESSIONS,
            app_sessions=row.max_sessions,
            user_sessions=row.max_sessions_per_user,
            idle=row.idle_seconds,
            unattended=settings.UNUSED_SESSION_LIFETIME if unattended is None else unattended,
            start=settings.START_TIMEOUT,
        )

    async def _hook(self, app_name: str, hook: str, code: Code) -> None:
        fn = getattr(code.hooks, hook)
        if fn is None:
            return
        try:
            await self.workers.call(lambda: fn(self.pool.server_context(app_name)))
        except Exception:
            log.exception("The hook %s of %s failed.", hook, app_name)


def _tidy() -> None:
    """What Django does around each request: stale connections go, and ``reverse`` knows the site's path."""
    close_old_connections()
    if site.FORCE_SCRIPT_NAME:
        set_script_prefix(site.FORCE_SCRIPT_NAME.rstrip("/") + "/")


def _stored(reference: str) -> Failure | None:
    try:
        stored = StoredFailure.objects.filter(reference=reference).first()
    except DatabaseError:
        return None
    return None if stored is None else Failure(stored.app_name, stored.detail)


_runtime: Runtime | None = None
_starting: asyncio.Task[Runtime] | None = None


async def get() -> Runtime:
    """The runtime of this process, started when it is first asked for."""
    global _starting
    if _runtime is not None:
        return _runtime
    if _starting is None:
        _starting = asyncio.create_task(_start(), name="runtime start")
    return await asyncio.shield(_starting)


def running() -> Runtime | None:
    """The runtime of this process, if it runs already."""
    return _runtime


async def _start() -> Runtime:
    global _runtime, _starting
    try:
        runtime = Runtime()
        await runtime.start()
        _runtime = runtime
        call_at_end(stop, within=2 * settings.STOP_TIMEOUT)
        return runtime
    finally:
        _starting = None


async def stop() -> None:
    """Stop the runtime of this process, if it runs."""
    global _runtime
    if _runtime is not None:
        runtime, _runtime = _runtime, None
        await runtime.stop()
