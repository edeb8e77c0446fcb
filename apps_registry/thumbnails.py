"""The pictures of apps: the one that was uploaded, or the one in the app's directory."""

from __future__ import annotations

import hashlib
import mimetypes
import zlib
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag

from .exceptions import AppNotFound
from .models import VizApp

#: The picture that an app's directory may hold, in the order in which it is looked for.
_NAMES = [f"thumbnail.{suffix}" for suffix in ("png", "jpg", "jpeg", "webp", "svg", "avif")]
#: Whoever opens an SVG by its own address must not run what may stand in it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def version(row: VizApp, source: Path | None) -> str | None:
    """A short text that changes with the picture of an app, whose files lie at ``source``; None without one."""
    if uploaded := row.thumbnail.name:
        return f"{zlib.crc32(uploaded.encode()):x}"
    try:
        file = _own(source)
        return f"{file.stat().st_mtime_ns:x}" if file is not None else None
    except OSError:
        # Gone a moment ago, or not to be read
        return None


def answer(request: HttpRequest, row: VizApp, source: Path | None) -> HttpResponseBase:
    """The picture of an app as an answer for whoever may see it. Raises ``AppNotFound`` when it has none."""
    name, content = _read(row, source)
    kind = mimetypes.guess_type(name)[0] or ""
    response = HttpResponse(
        content, content_type=kind if kind.startswith("image/") else "application/octet-stream"
    )
    response["Cache-Control"] = "private, max-age=300"
    # What a browser keeps is for the login under which it came
    response["Vary"] = "Cookie"
    response["Content-Security-Policy"] = _POLICY
    response["X-Content-Type-Options"] = "nosniff"
    response["ETag"] = etag = quote_etag(hashlib.sha256(content).hexdigest()[:32])
    return get_conditional_response(request, etag=etag, response=response) or response


def _read(row: VizApp, source: Path | None) -> tuple[str, bytes]:
    try:
        if uploaded := row.thumbnail.name:
            with row.thumbnail.storage.open(uploaded) as opened:
                return uploaded, opened.read()
        if (file := _own(source)) is not None:
            return file.name, file.read_bytes()
    except OSError as error:
        raise AppNotFound("There is no such file.") from error
    raise AppNotFound("There is no such file.")


def _own(source: Path | None) -> Path | None:
    # Beside an app that is a single file lie other apps
    if source is None or not source.is_dir():
        return None
    folder = source.resolve()
    files = (folder / name for name in _NAMES)
    return next((file for file in files if file.is_file() and file.resolve().is_relative_to(folder)), None)
