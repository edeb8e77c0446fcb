"""WhiteNoise, fitted to ASGI and to static files that this site did not write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from inspect import iscoroutinefunction, markcoroutinefunction
from io import BufferedIOBase
from re import Match
from typing import Any

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

CHUNK_BYTES = 256 * 1024


async def _chunks(file: BufferedIOBase | None) -> AsyncIterator[bytes]:
    while file and (chunk := await asyncio.to_thread(file.read, CHUNK_BYTES)):
        yield chunk


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Answers requests for static files; under ASGI without holding up the loop or another request.

    WhiteNoise itself is synchronous: Django would run it, and every view behind it, on a thread,
    read each file whole into memory, and warn about it.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self._answer(request) if iscoroutinefunction(self) else super().__call__(request)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if self.autorefresh:
            static_file = await asyncio.to_thread(self.find_file, path)
        else:
            static_file = self.files.get(path)
        if static_file is None:
            page: HttpResponseBase = await self.get_response(request)
            return page
        response: FileResponse = await asyncio.to_thread(self.serve, static_file, request)
        response.streaming_content = _chunks(response.file_to_stream)
        return response


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Names files by their content, and leaves a reference to a file that does not exist as it stands.

    BokehJS names source maps that its package does not hold, and one app with a wrong
    ``url(...)`` in its CSS shall not stop ``collectstatic`` for all the others.
    """

    def url_converter(self, *args: Any, **options: Any) -> Callable[[Match[str]], str]:
        convert = super().url_converter(*args, **options)

        def convert_if_found(match: Match[str]) -> str:
            try:
                return str(convert(match))
            except ValueError:
                return match[0]

        return convert_if_found
