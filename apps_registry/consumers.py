"""The websocket door: frames in, frames out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from typing import Any

from channels.consumer import AsyncConsumer
from django.db import Error

from . import origins, permissions, requests, runtime, tokens
from .access import visitor_of
from .conf import settings
from .exceptions import (
    AppError,
    AppNotFound,
    InvalidToken,
    OriginRefused,
    ServerStopping,
    VizserverError,
)
from .live.connection import Connection
from .live.session import Session
from .live.wire import Assembler
from .models import VizApp
from .visits import Visit

log = logging.getLogger(__name__)

type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]

#: With this code a page closes a socket whose app it has taken off itself: nobody comes back to it.
TAKEN_OFF = 4000
#: A close frame takes 123 bytes of reason.
_MAX_REASON = 123


class DocumentConsumer(AsyncConsumer):
    """One tab's or Python client's socket on a session.

    It runs its own receive loop: the stock ``dispatch`` makes a thread hop for each frame
    (measured: 3,100 echoes/s against 9,500).
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        await receive()
        self._accepted = False
        #: With what the socket was closed, by the peer or by the server as it stops
        self._code: int | None = None
        self._host = await runtime.get()
        changes = self._host.visits.changes
        try:
            visit = await self.connect()
        except VizserverError as error:
            await (self._close(error) if self._accepted else self._refuse(error))
            return
        writer = asyncio.create_task(self._write(visit.connection))
        try:
            if self._host.visits.changes != changes:
                # The right may have gone while the session was made
                await self._host.recheck([visit])
            await self._read(visit.session, visit.connection)
        except asyncio.CancelledError:
            # Daphne ends so; the tab shall hear that it is to come back
            await self._close(ServerStopping())
            raise
        finally:
            self.leave(visit)
            writer.cancel()

    async def connect(self) -> Visit:
        """Token, origin, login, permission; then the session. Raises ``VizserverError``."""
        host, name = self._host, self.scope["url_route"]["kwargs"]["name"]
        self._visitor = visitor_of(self.scope)
        try:
            claims = self._claims(name)
            by_browser = bool(self._visitor.origin)
            # A Python client understands an HTTP status, and no close code
            with suppress(AppNotFound) if by_browser else nullcontext():
                await host.app(name)
            self._check_origin(host.registry.row(name))
            # From here on the peer is a page of ours, and learns by close code and reason what is wrong
            await self._send({"type": "websocket.accept", "subprotocol": "bokeh"})
            self._accepted = True
            return await self._visit(name, claims, by_browser=by_browser)
        except (AppError, ServerStopping):
            raise
        except VizserverError as error:
            if (row := host.registry.row(name)) is not None:
                host.records.refused(row, self._visitor, "socket", error)
            raise

    def _claims(self, name: str) -> tokens.Claims:
        protocols = self.scope.get("subprotocols") or []
        if len(protocols) != 2 or protocols[0] != "bokeh":
            raise InvalidToken
        return tokens.read(protocols[1], name)

    async def _visit(self, name: str, claims: tokens.Claims, *, by_browser: bool) -> Visit:
        host = self._host
        user, may_push = await self._ask(name, claims, by_browser=by_browser)
        session = await self._session(name, claims, user)
        row = host.registry.row(name)
        if row is None:
            raise AppNotFound
        connection = Connection(
            limit=settings.OUTBOX_SIZE,
            may_push=may_push,
            sees_tracebacks=permissions.sees_tracebacks(user),
        )
        session.attach(connection)
        opening = host.records.opened(row, self._visitor, "socket", session.id)
        visit = Visit(connection, session, name, user, self.scope, claims, opening)
        host.visits.add(visit)
        return visit

    async def _ask(self, name: str, claims: tokens.Claims, *, by_browser: bool) -> tuple[Any, bool]:
        """As whom the visitor counts, and whether he may push; raises why he may not come in."""
        visits = self._host.visits

        def ask() -> tuple[Any, VizserverError | None, bool]:
            known = visits.user_behind(self.scope)
            user, error = visits.ask(name, claims, known)
            may_push = claims.may_push or (not by_browser and error is None and visits.may_push(name, user))
            return known if user is None else user, error, may_push

        try:
            user, error, may_push = await self._host.workers.run(ask)
        except Error:
            log.exception("It could not be found out who may open %s.", name)
            raise VizserverError from None
        self._visitor = self._visitor.known_as(user)
        if error is not None:
            raise error
        return user, may_push

    async def _session(self, name: str, claims: tokens.Claims, user: Any) -> Session:
        host = self._host
        app = await host.app(name)
        arguments = claims.arguments
        if arguments is None:
            arguments = requests.arguments(self.scope["query_string"])
        if host.pool.find(name, claims.session_id, claims.owner) is None:
            returning = b"bokeh-reconnect=" in self.scope["query_string"]
            if not claims.opens_new(returning=returning):
                raise InvalidToken
        return await host.open_session(
            app,
            claims.session_id,
            owner=claims.owner,
            request=requests.app_request(self.scope, user, arguments, self.scope["path"]),
            token_payload=claims.payload,
        )

    def leave(self, visit: Visit) -> None:
        """The socket is closed, by whichever side."""
        host, session, connection = self._host, visit.session, visit.connection
        host.visits.remove(visit)
        is_stopping = host.is_stopping or self._code == ServerStopping.close_code
        by_server = ServerStopping() if is_stopping else None
        host.records.ended(visit.opening, connection.closed or by_server)
        session.detach(connection)
        connection.close()
        if self._code == TAKEN_OFF and not session.connections:
            host.pool.end_soon(session)

    def _check_origin(self, row: VizApp | None) -> None:
        origin, host = self._visitor.origin, requests.header(self.scope, "host")
        if not origins.host_is_ours(host):
            raise OriginRefused
        if not origin:
            # A browser always names its origin; a Python client does not, and has the token alone
            return
        extra = row.origins if row is not None else ()
        if not origins.is_allowed(origin, host, secure=self.scope.get("scheme") == "wss", extra=extra):
            log.warning(
                "A page of %s was refused; WEBSOCKET_ORIGINS, CSRF_TRUSTED_ORIGINS or the app's row allow it.",
                origin,
            )
            raise OriginRefused

    async def _read(self, session: Session, connection: Connection) -> None:
        assembler = Assembler(settings.MAX_MESSAGE_SIZE)
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._code = event.get("code")
                return
            if connection.closed is not None:
                continue
            frame = event.get("text")
            try:
                message = assembler.feed(frame if frame is not None else event["bytes"])
                if message is not None and (room := session.handle(connection, message)) is not None:
                    # Other tabs of the session wait for the same
                    await asyncio.shield(room)
            except VizserverError as error:
                connection.close(error)

    async def _write(self, connection: Connection) -> None:
        # A server says by OSError that the peer is gone, which the reading side learns anyhow
        with suppress(OSError):
            while frames := await connection.take():
                for frame in frames:
                    kind = "text" if isinstance(frame, str) else "bytes"
                    await self._send({"type": "websocket.send", kind: frame})
                connection.sent(frames)
                # Or a tab that gets no other message keeps its document here
                del frames, frame
            if connection.closed is not None:
                await self._close(connection.closed)

    async def _refuse(self, error: VizserverError) -> None:
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            await self._send({"type": "websocket.close", "code": error.close_code})
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        start = {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
        await self._send(start)
        await self._send({"type": "websocket.http.response.body", "body": str(error).encode()})

    async def _close(self, error: VizserverError) -> None:
        reason = str(error).encode()[:_MAX_REASON].decode(errors="ignore")
        await self._send({"type": "websocket.close", "code": error.close_code, "reason": reason})
