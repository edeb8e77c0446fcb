"""From the path of a websocket to its consumer, by the site's own URLconf: the prefix is written once."""

from __future__ import annotations

from typing import Any

from django.urls import Resolver404, resolve

from .consumers import DocumentConsumer
from .requests import site_path

_consumer = DocumentConsumer.as_asgi()

#: The names of the URL patterns that are websockets, with the app that a pattern without name means.
_SOCKETS = frozenset({"ws", "blank_ws"})


async def websocket_router(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI application for websockets: the sockets of ``apps_registry.urls``, wherever they are included."""
    try:
        match = resolve(site_path(scope))
    except Resolver404:
        match = None
    if match is None or match.app_name != "apps_registry" or match.url_name not in _SOCKETS:
        await receive()
        await send({"type": "websocket.close", "code": 4404})
        return
    scope = {**scope, "url_route": {"args": match.args, "kwargs": match.kwargs}}
    await _consumer(scope, receive, send)
