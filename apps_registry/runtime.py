"""The engine of this process: its threads, its sessions, its apps, from start to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import close_old_connections, connections

from . import logs
from .conf import settings
from .exceptions import AppError, ServerStopping, VizserverError
from .live import adapter
from .live.context import Request
from .live.failures import describe
from .live.loading import App, Code
from .live.memory import Collector
from .live.pool import Limits, Pool
from .live.session import Session
from .live.workers import Workers
from .registry import Registry
from .shutdown import call_at_end

log = logging.getLogger(__name__)


def _limits() -> Limits:
    return Limits(
        sessions=settings.MAX_SESSIONS,
        unattended=settings.UNUSED_SESSION_LIFETIME,
        check=settings.CHECK_UNUSED_SESSIONS,
        start=settings.START_TIMEOUT,
    )


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
        self.registry = Registry()
        self.workers = Workers(
            max_threads=settings.WORKER_THREADS,
            around=close_old_connections,
            on_thread_end=connections.close_all,
        )
        self._collector = Collector(lambda: self.workers.outstanding == 0)
        self.pool = Pool(self.workers, _limits, collector=self._collector, on_error=self.report)
        self._failures: dict[str, Failure] = {}
        self._loaded: dict[str, Code] = {}
        self._loading = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Load all apps and run their hooks; an app that does not load keeps no other from serving."""
        logs.install(prints=settings.LOG_PRINTS)
        await self.workers.run(adapter.prepare)
        for app in await self.workers.run(self.registry.apps):
            try:
                await self.code(app)
            except AppError as error:
                self.report(app.name, error.reference, error)
        self._collector.start()
        if settings.WATCH is not None:
            from .development import watch

            self._watcher = asyncio.create_task(watch(self, map(Path, settings.WATCH)), name="file watcher")

    async def stop(self) -> None:
        """End the sessions, run the hooks, end the threads."""
        self._stopping = True
        if self._watcher is not None:
            self._watcher.cancel()
        await self.pool.close(settings.STOP_TIMEOUT)
        for name, code in list(self._loaded.items()):
            await self._hook(name, "on_server_unloaded", code)
        self._loaded.clear()
        left = await self.workers.close(settings.STOP_TIMEOUT)
        if left:
            log.warning("%d threads still run app code.", left)
        self._collector.close()

    async def app(self, name: str) -> App:
        """The app of this name. Raises ``AppNotFound``."""
        if self._stopping:
            raise ServerStopping
        return self.registry.known(name) or await self.workers.run(lambda: self.registry.get(name))

    async def code(self, app: App) -> Code:
        """The newest code of an app that loads; its ``on_server_loaded`` has run. Raises ``AppError``."""
        code: Code = await self.workers.run(app.current)
        if self._loaded.get(app.name) is code:
            return code
        async with self._loading:
            previous = self._loaded.get(app.name)
            if previous is not code:
                if previous is not None:
                    await self._hook(app.name, "on_server_unloaded", previous)
                await self._hook(app.name, "on_server_loaded", code)
                self._loaded[app.name] = code
        return code

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
        return await self.pool.open(
            app.name,
            lambda: self.code(app),
            session_id,
            owner=owner,
            request=request,
            token_payload=token_payload,
            logout_url=settings.LOGOUT_URL,
        )

    def failure(self, app_name: str, reference: str) -> Failure | None:
        """What a viewer of ``app_name`` was told by ``reference``, if it is still remembered."""
        failure = self._failures.get(reference)
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

    async def _hook(self, app_name: str, hook: str, code: Code) -> None:
        fn = getattr(code.hooks, hook)
        if fn is None:
            return
        try:
            await self.workers.call(lambda: fn(self.pool.server_context(app_name)))
        except Exception:
            log.exception("The hook %s of %s failed.", hook, app_name)


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
