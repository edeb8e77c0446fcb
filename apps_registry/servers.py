"""The two ASGI servers that ``manage.py runbokeh`` can start: uvicorn, and daphne."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from . import runtime
from .conf import settings

type Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Options:
    """Where and how to listen; times in seconds, sizes in bytes."""

    host: str = "127.0.0.1"
    port: int = 5006
    unix_socket: str | None = None
    keep_alive: float = 37.0
    use_xheaders: bool = False
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None

    @property
    def scheme(self) -> str:
        return "https" if self.ssl_certfile else "http"

    def address(self, port: int) -> str:
        """The server's address as a person types it."""
        if self.unix_socket:
            return f"unix:{self.unix_socket}"
        name = {"0.0.0.0": "localhost", "::": "localhost"}.get(self.host, self.host)  # noqa: S104
        return f"{self.scheme}://{f'[{name}]' if ':' in name else name}:{port}"


def with_prefix(application: Application, prefix: str) -> Application:
    """Serve ``application`` under ``prefix`` (such as ``/viz``), and nothing beside it."""
    prefix = "/" + prefix.strip("/")
    if prefix == "/":
        return application

    async def prefixed(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            path = scope["path"]
            if path == prefix:
                path = scope["path"] = prefix + "/"
            if not path.startswith(prefix + "/"):
                await _not_here(scope, receive, send)
                return
            scope = {**scope, "root_path": prefix}
        await application(scope, receive, send)

    return prefixed


async def _not_here(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4404})
        return
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Not found"})


def run_uvicorn(application: Application, options: Options, ready: Callable[[int], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is called with the port once the server listens."""
    import uvicorn

    # At DEBUG it writes every handshake, with the credentials in it
    handshakes = logging.getLogger("uvicorn.error")
    handshakes.setLevel(max(handshakes.getEffectiveLevel(), logging.INFO))

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                names = [sock.getsockname() for server in self.servers for sock in server.sockets]
                ready(names[0][1] if names and isinstance(names[0], tuple) else 0)

    config = uvicorn.Config(
        application,
        host=options.host,
        port=options.port,
        uds=options.unix_socket,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.MAX_MESSAGE_SIZE,
        ws_ping_interval=options.keep_alive or None,
        ws_ping_timeout=options.keep_alive or None,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=options.use_xheaders,
        forwarded_allow_ips="*" if options.use_xheaders else None,
        ssl_certfile=options.ssl_certfile,
        ssl_keyfile=options.ssl_keyfile,
        timeout_graceful_shutdown=int(settings.STOP_TIMEOUT),
    )
    server = Server(config)
    # When it has stopped in good order it raises the signal again, which is no failure
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not server.started:
        raise SystemExit(1)


def _ignore(number: int, frame: object) -> None:
    """What a signal does that the server has heeded already."""


def run_daphne(application: Application, options: Options, ready: Callable[[int], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is called with the port once the server listens."""
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server
    from twisted.internet import reactor

    class ReadyServer(Server):
        def listen_success(self, port: Any) -> None:
            super().listen_success(port)
            ready(getattr(port.getHost(), "port", 0))

        async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
            is_close = message["type"] == "websocket.close"
            if is_close and protocol in self.connections and protocol.state == protocol.STATE_OPEN:
                # Daphne itself leaves the reason out, and autobahn refuses codes such as 1012
                reason = message.get("reason", "").encode()
                protocol.sendCloseFrame(code=message.get("code", 1000), reasonUtf8=reason)
                return
            await super().handle_reply(protocol, message)

        def listen_error(self, failure: Any) -> None:
            super().listen_error(failure)
            failures.append(failure)

    failures: list[Any] = []
    server = ReadyServer(
        application,
        endpoints=_daphne_endpoints(options, build_endpoint_description_strings),
        ping_interval=options.keep_alive or 10**9,
        ping_timeout=options.keep_alive or 10**9,
        websocket_timeout=-1,
        # Beyond its own limit daphne drops a socket without a word; ours is reached before
        websocket_max_message_size=2 * settings.MAX_MESSAGE_SIZE,
        websocket_max_frame_size=2 * settings.MAX_MESSAGE_SIZE,
        proxy_forwarded_address_header="X-Forwarded-For" if options.use_xheaders else None,
        proxy_forwarded_port_header="X-Forwarded-Port" if options.use_xheaders else None,
        proxy_forwarded_proto_header="X-Forwarded-Proto" if options.use_xheaders else None,
        application_close_timeout=int(settings.STOP_TIMEOUT),
    )
    # Daphne knows no lifespan events; the apps load all the same before the first visitor
    reactor.callWhenRunning(lambda: asyncio.ensure_future(runtime.get()))
    server.run()
    if failures:
        raise SystemExit(1)


def _daphne_endpoints(options: Options, build: Callable[..., list[str]]) -> list[str]:
    if options.unix_socket:
        return build(unix_socket=options.unix_socket)
    if options.ssl_certfile:
        key = options.ssl_keyfile or options.ssl_certfile
        where = f"port={options.port}:interface={options.host}"
        return [f"ssl:{where}:privateKey={key}:certKey={options.ssl_certfile}"]
    return build(host=options.host, port=options.port)


SERVERS: dict[str, Callable[[Application, Options, Callable[[int], None]], None]] = {
    "uvicorn": run_uvicorn,
    "daphne": run_daphne,
}
