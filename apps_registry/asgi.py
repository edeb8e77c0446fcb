"""The ASGI application of a site with apps: ``application = asgi_application(get_asgi_application())``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger(__name__)

type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]
type Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


def asgi_application(django_application: Any) -> Application:
    """Serve HTTP by ``django_application``, the sockets of apps beside it, and start and stop with the server."""
    # Not before: a site may import this module before it has set up Django
    from channels.routing import ProtocolTypeRouter

    from .api.gate import upload_gate
    from .routing import websocket_router

    application: Application = ProtocolTypeRouter(
        {"http": upload_gate(django_application), "websocket": websocket_router, "lifespan": _lifespan}
    )
    return application


async def _lifespan(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    from . import runtime

    while True:
        event = await receive()
        kind = event["type"]
        try:
            await (runtime.get() if kind == "lifespan.startup" else runtime.stop())
        except Exception as error:
            log.exception("%s failed.", kind)
            await send({"type": f"{kind}.failed", "message": str(error)})
            return
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
