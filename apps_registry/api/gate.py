"""Stops uploads before they are on the disk, if they are too big or come from who may not publish.

Django itself hands on a request when all of it is there. So one that is long is first handed on without its body, and
goes through the whole site as far as to where the body would be read; only when nothing is against it does it come in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from traceback import clear_frames
from typing import Any, Literal

from django.http import HttpRequest
from django.urls import Resolver404, resolve

from ..conf import settings
from ..datasets.limits import is_full, size_text
from ..exceptions import NoRoom, TooBig, VizserverError
from ..requests import header, site_path
from .problems import problem

log = logging.getLogger(__name__)

type Event = dict[str, Any]
type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[Event]]
type Send = Callable[[Event], Awaitable[None]]
type Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: The headers that say what the body is.
_OF_BODY = frozenset({b"content-length", b"transfer-encoding"})
#: The methods that come without a body, or with none that is worth a look at the address.
_PLAIN = frozenset({"GET", "HEAD", "OPTIONS"})
#: The operations of the API that take files, by the name of their address.
_OPERATIONS = frozenset({("dataset", "PUT"), ("append", "POST")})
#: The pages that take files, in a form with some more in it.
_PAGES = frozenset({"dataset_new", "dataset_upload"})
_REST_OF_FORM = 2**16
#: Bytes up to which a request comes in at once; asking first would take longer.
_SHORT = 2**20
_ASKING = "apps_registry.asking"


def upload_gate(application: Application) -> Application:
    """``application``, with what is published held to ``DATA_MAX_BYTES`` and asked about before it is on the disk."""

    async def gated(scope: Scope, receive: Receive, send: Send) -> None:
        most = None if scope["method"] in _PLAIN else _most(scope)
        if most is None:
            await application(scope, receive, send)
            return
        try:
            _check(header(scope, "content-length"), most)
            if refusal := await _refused(application, scope):
                for event in refusal:
                    await send(event)
            else:
                await application(scope, _counted(receive, most), send)
        except (_Excess, OSError) as error:
            # Both come before an answer: Django answers for whatever its views raise
            reason = _refusal(error)
            if reason is None:
                raise
            # Else what has come stays on the disk until the garbage collector finds the frames of the error
            clear_frames(error.__traceback__)
            await _refuse(send, reason)

    return gated


def is_asking(request: HttpRequest) -> bool:
    """Whether a request has come without its body, to hear whether that would be taken."""
    return _ASKING in getattr(request, "scope", ())


class _Excess(Exception):
    """More comes than is allowed."""


async def _refused(application: Application, scope: Scope) -> list[Event]:
    """The answer to a long request that is refused whatever it brings; nothing, if it is to come in."""
    asking = _asking(scope)
    if asking is None or not _is_long(scope):
        return []
    answer: list[Event] = []

    async def take(event: Event) -> None:
        answer.append(event)

    await application(asking, _nothing(), take)
    return [] if answer and 200 <= answer[0]["status"] < 300 else answer


def _is_long(scope: Scope) -> bool:
    length = header(scope, "content-length")
    return int(length) > _SHORT if length.isdecimal() else bool(header(scope, "transfer-encoding"))


def _asking(scope: Scope) -> Scope | None:
    """The same request without its body; None where no file is published by it."""
    kind, name = _place(scope)
    headers = [(key, value) for key, value in scope["headers"] if key.lower() not in _OF_BODY]
    asking = {**scope, "headers": headers, _ASKING: True}
    if kind == "page":
        # It shows its form to those who may fill it in
        return asking | {"method": "GET"}
    return asking if (name, scope["method"]) in _OPERATIONS else None


def _nothing() -> Receive:
    """A request that has come to its end, from somebody who stays there."""
    events = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Event:
        return events.pop() if events else await asyncio.Future()

    return receive


def _most(scope: Scope) -> int | None:
    """The bytes that may be sent; None where nothing is published."""
    kind, _ = _place(scope)
    if kind is None:
        return None
    return int(settings.DATA_MAX_BYTES) + (_REST_OF_FORM if kind == "page" else 0)


def _place(scope: Scope) -> tuple[Literal["api", "page"] | None, str]:
    """What has this address, of what files may be sent to, and the name of the address."""
    try:
        match = resolve(site_path(scope))
    except Resolver404:
        return None, ""
    name = match.url_name or ""
    if match.app_names == ["apps_registry", "ninja"]:
        return "api", name
    return ("page" if match.app_names == ["apps_registry"] and name in _PAGES else None), name


def _check(length: str, most: int) -> None:
    if length.isdecimal() and int(length) > most:
        raise _Excess


def _counted(receive: Receive, most: int) -> Receive:
    size = 0

    async def counting() -> Event:
        nonlocal size
        event = await receive()
        size += len(event.get("body", b""))
        if size > most:
            raise _Excess
        return event

    return counting


def _refusal(error: Exception) -> VizserverError | None:
    """What is told to who uploads; None if the error is not about the upload."""
    if isinstance(error, _Excess):
        return TooBig(f"The file is bigger than {size_text(settings.DATA_MAX_BYTES)}.")
    if isinstance(error, OSError) and is_full(error):
        log.error("There is no room for what is uploaded: %s", error)
        return NoRoom()
    return None


async def _refuse(send: Send, error: VizserverError) -> None:
    answer = problem(error)
    answer["Content-Length"] = str(len(answer.content))
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.items()]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
