"""The files of an app."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from django.core.exceptions import SuspiciousFileOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils._os import safe_join
from django.utils.http import http_date
from django.views.decorators.http import require_safe
from django.views.static import was_modified_since

from .. import runtime, thumbnails
from ..access import enter
from ..answers import answers_errors
from ..exceptions import AppNotFound

_CHUNK = 256 * 1024


@require_safe
@answers_errors
async def app_static(request: HttpRequest, name: str, path: str) -> HttpResponse | StreamingHttpResponse:
    """A file of an app's ``static/`` directory."""
    entrance = await enter(await runtime.get(), name, request, door="static")
    file = await asyncio.to_thread(_find, entrance.app.path / "static", path)
    stat = await asyncio.to_thread(file.stat)
    if not was_modified_since(request.META.get("HTTP_IF_MODIFIED_SINCE"), stat.st_mtime):
        return HttpResponseNotModified()
    kind, encoding = mimetypes.guess_type(file.name)
    headers = {"Last-Modified": http_date(stat.st_mtime), "Content-Length": str(stat.st_size)}
    if encoding:
        headers["Content-Encoding"] = encoding
    opened = await asyncio.to_thread(file.open, "rb")
    return StreamingHttpResponse(
        _chunks(opened), content_type=kind or "application/octet-stream", headers=headers
    )


@require_safe
@answers_errors
async def thumbnail(request: HttpRequest, name: str) -> HttpResponseBase:
    """The picture of an app: the one that was uploaded, or the one in its directory."""
    host = await runtime.get()
    entrance = await enter(host, name, request, door="thumbnail")
    picture: HttpResponseBase = await host.workers.run(
        lambda: thumbnails.answer(request, entrance.row, entrance.app.path)
    )
    return picture


def _find(folder: Path, path: str) -> Path:
    try:
        folder = folder.resolve()
        file = Path(safe_join(folder, path))
        if file.is_file() and file.resolve().is_relative_to(folder):
            return file
    except (SuspiciousFileOperation, ValueError, OSError):
        # A name that no file system takes is no file either
        pass
    raise AppNotFound("There is no such file.")


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
