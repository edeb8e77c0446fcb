"""The websocket door: frames in, frames out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from channels.consumer import AsyncConsumer

from . import login, origins, permissions, requests, runtime, tokens
from .conf import settings
from .exceptions import (
    InvalidToken,
    LoginRequired,
    OriginRefused,
    ServerStopping,
    SessionNotYours,
    VizserverError,
)
from .live.connection import Connection
from .live.session import Session
from .live.wire import Assembler

log = logging.getLogger(__name__)

type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]

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
        try:
            session, connection = await self.connect()
        except VizserverError as error:
            await (self._close(error) if self._accepted else self._refuse(error))
            return
        writer = asyncio.create_task(self._write(connection))
        try:
            await self._read(session, connection)
        except asyncio.CancelledError:
            # Daphne ends so; the tab shall hear that it is to come back
            await self._close(ServerStopping())
            raise
        finally:
            session.detach(connection)
            connection.close()
            writer.cancel()

    async def connect(self) -> tuple[Session, Connection]:
        """Token, login, permission, origin; then the session. Raises ``VizserverError``."""
        name = self.scope["url_route"]["kwargs"]["name"]
        protocols = self.scope.get("subprotocols") or []
        if len(protocols) != 2 or protocols[0] != "bokeh":
            raise InvalidToken
        claims = tokens.read(protocols[1], name)
        self._check_origin()
        user = await login.user_of(self.scope)
        host = await runtime.get()
        if not requests.header(self.scope, "origin"):
            # A Python client understands an HTTP status, and no close code
            await host.app(name)
        # From here on the peer is a page of ours, and learns by close code and reason what is wrong
        await self._send({"type": "websocket.accept", "subprotocol": "bokeh"})
        self._accepted = True
        session = await self._session(host, name, claims, user)
        connection = Connection(
            limit=settings.OUTBOX_SIZE,
            may_push=claims.may_push,
            sees_tracebacks=permissions.sees_tracebacks(user),
        )
        session.attach(connection)
        return session, connection

    async def _session(self, host: runtime.Runtime, name: str, claims: tokens.Claims, user: Any) -> Session:
        app = await host.app(name)
        if not claims.may_push:
            if not permissions.may(user, "open", app):
                raise LoginRequired
            if claims.owner != tokens.CLIENT and claims.user_id != permissions.user_id(user):
                raise SessionNotYours
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

    def _check_origin(self) -> None:
        host, origin = requests.header(self.scope, "host"), requests.header(self.scope, "origin")
        if not origins.host_is_ours(host):
            raise OriginRefused
        if not origin:
            # A browser always names its origin; a Python client does not, and has the token alone
            return
        if not origins.is_allowed(origin, host, secure=self.scope.get("scheme") == "wss"):
            log.warning(
                "A page of %s was refused; WEBSOCKET_ORIGINS or CSRF_TRUSTED_ORIGINS allow it.", origin
            )
            raise OriginRefused

    async def _read(self, session: Session, connection: Connection) -> None:
        assembler = Assembler(settings.MAX_MESSAGE_SIZE)
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return
            if connection.closed is not None:
                continue
            frame = event.get("text")
            try:
                message = assembler.feed(frame if frame is not None else event["bytes"])
                if message is not None and (room := session.handle(connection, message)) is not None:
                    await room
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
