"""Stops uploads that are too big while they come: Django itself hands on a request when all of it is on the disk."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from traceback import clear_frames
from typing import Any

from django.urls import Resolver404, resolve

from ..conf import settings
from ..datasets.limits import is_full, size_text
from ..exceptions import NoRoom, TooBig, VizserverError
from ..requests import header, site_path
from .problems import problem

log = logging.getLogger(__name__)

type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]
type Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

#: The methods that come without a body, or with none that is worth a look at the address.
_PLAIN = frozenset({"GET", "HEAD", "OPTIONS"})
#: The pages that take files, in a form with some more in it.
_PAGES = frozenset({"dataset_new", "dataset_upload"})
_REST_OF_FORM = 2**16


def upload_gate(application: Application) -> Application:
    """``application``, with what is published held to ``DATA_MAX_BYTES`` before it is on the disk."""

    async def gated(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        most = None if scope["method"] in _PLAIN else _most(scope)
        if most is None:
            await application(scope, receive, send)
            return
        try:
            _check(header(scope, "content-length"), most)
            await application(scope, _counted(receive, most), send)
        except (_Excess, OSError) as error:
            # Both come before an answer: Django answers for whatever its views raise
            refusal = _refusal(error)
            if refusal is None:
                raise
            # Else what has come stays on the disk until the garbage collector finds the frames of the error
            clear_frames(error.__traceback__)
            await _refuse(send, refusal)

    return gated


class _Excess(Exception):
    """More comes than is allowed."""


def _most(scope: dict[str, Any]) -> int | None:
    """The bytes that may be sent; None where nothing is published."""
    try:
        match = resolve(site_path(scope))
    except Resolver404:
        return None
    most = int(settings.DATA_MAX_BYTES)
    if match.app_names == ["apps_registry"] and match.url_name in _PAGES:
        return most + _REST_OF_FORM
    return most if match.app_names == ["apps_registry", "ninja"] else None


def _check(length: str, most: int) -> None:
    if length.isdecimal() and int(length) > most:
        raise _Excess


def _counted(receive: Receive, most: int) -> Receive:
    size = 0

    async def counting() -> dict[str, Any]:
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
