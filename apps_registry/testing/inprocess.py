"""An app opened in the process of the test, with all of the engine and no server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bokeh.document import Document
from bokeh.events import ButtonClick, Event
from bokeh.model import Model
from django.db import close_old_connections, connections

from ..live.connection import Connection
from ..live.context import Request
from ..live.loading import App
from ..live.pool import Limits, Pool
from ..live.session import Session
from ..live.workers import Workers
from ..permissions import user_id
from . import peer


class CallbackFailed(AssertionError):
    """A callback of the app raised; ``__cause__`` is what."""


class OpenedApp:
    """One session of an app, and one tab that looks at it.

    To be entered by ``with`` or ``async with``. In between, ``wait`` (or ``await idle()``) lets
    the app do its work, and raises ``CallbackFailed`` when one of its callbacks failed.
    """

    document: Document
    session: Session

    def __init__(
        self,
        path: str | Path,
        *,
        user: Any = None,
        arguments: Mapping[str, str] | None = None,
        token_payload: Mapping[str, Any] | None = None,
    ) -> None:
        self._app = App(Path(path).stem, Path(path))
        self._request = Request(
            arguments={name: [value.encode()] for name, value in (arguments or {}).items()}, user=user
        )
        self._token_payload = token_payload or {}
        self._failures: list[BaseException] = []
        self._runner: asyncio.Runner | None = None

    async def __aenter__(self) -> Self:
        self._workers = Workers(around=close_old_connections, on_thread_end=connections.close_all)
        self._pool = Pool(self._workers, lambda _: Limits(unattended=3600), on_error=self._failed)
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def _open(self) -> None:
        async def load() -> Any:
            code = await self._workers.run(self._app.current)
            await self._hook(code.hooks.on_server_loaded)
            return code

        self.session = await self._pool.open(
            self._app.name,
            load,
            "test",
            owner=user_id(self._request.user),
            request=self._request,
            token_payload=self._token_payload,
        )
        self.document = self.session.document
        self._tab = Connection(limit=1 << 40, sees_tracebacks=True)
        self.session.attach(self._tab)
        self.session.handle(self._tab, peer.request("PULL-DOC-REQ"))
        await self.idle()

    async def __aexit__(self, *exception: object) -> None:
        await self._close()

    async def _close(self) -> None:
        await self._pool.close()
        if self._app.code is not None:
            await self._hook(self._app.code.hooks.on_server_unloaded)
        await self._workers.close()
        self._app.close()

    async def _hook(self, hook: Any) -> None:
        if hook is not None:
            await self._workers.call(lambda: hook(self._pool.server_context(self._app.name)))

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        try:
            self._runner.run(self.__aenter__())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        try:
            self._runner.run(self.__aexit__(kind, error, traceback))
        finally:
            self._runner.close()

    def _failed(self, app_name: str, reference: str, error: BaseException) -> None:
        self._failures.append(error)

    def find(self, selector: str | type[Model] | dict[str, Any]) -> Any:
        """The one model of this name, type, or Bokeh selector. Raises ``LookupError``."""
        return peer.find(self.document, selector)

    def set(self, selector: str | type[Model] | dict[str, Any], **values: Any) -> None:
        """Set properties of a model as the browser would, so that the app's callbacks run."""
        self.session.handle(self._tab, peer.change(self.find(selector), values))

    def press(self, selector: str | type[Model] | dict[str, Any]) -> None:
        """Press a button."""
        self.send(ButtonClick(self.find(selector)))

    def send(self, event: Event) -> None:
        """Let an event of the browser happen, such as ``Tap(plot, x=1, y=2)``."""
        self.session.handle(self._tab, peer.event(self.document, event))

    async def idle(self, within: float = 30) -> None:
        """Return when no callback runs or is due now (periodic ones and timeouts are not waited for).

        Raises ``CallbackFailed``, or ``TimeoutError`` after ``within`` seconds.
        """
        async with asyncio.timeout(within):
            quiet = 0
            while quiet < 3:
                await asyncio.sleep(0.001)
                quiet = 0 if self.session.is_busy or self._workers.outstanding else quiet + 1
        if self._failures:
            error = self._failures.pop(0)
            raise CallbackFailed(f"{type(error).__name__}: {error}") from error

    def wait(self, within: float = 30) -> None:
        """``idle``, for tests that are not async."""
        assert self._runner is not None, "Use `await app.idle()` within `async with`."
        self._runner.run(self.idle(within))

    async def run_for(self, seconds: float) -> None:
        """Let time pass, so that periodic callbacks and timeouts run."""
        await asyncio.sleep(seconds)
        await self.idle()

    def wait_for(self, seconds: float) -> None:
        """``run_for``, for tests that are not async."""
        assert self._runner is not None, "Use `await app.run_for()` within `async with`."
        self._runner.run(self.run_for(seconds))


def open_app(path: str | Path, **options: Any) -> OpenedApp:
    """Open an app's directory or file: ``with open_app("bokeh_apps/sales", user=alice) as app``.

    Options: ``user`` (a Django user, or None), ``arguments`` (of the address), ``token_payload``.
    Raises ``AppError``, whose detail is the traceback, when the app's code fails. Code that uses the ORM
    runs on threads of its own, so the test needs committed data (``TransactionTestCase``).
    """
    return OpenedApp(path, **options)
