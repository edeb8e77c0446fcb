"""The HTTP doors."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from bokeh.core.templates import AUTOLOAD_JS
from bokeh.embed.bundle import URL, Bundle, Script
from bokeh.embed.elements import script_for_render_items
from bokeh.embed.util import RenderItem
from django.core.exceptions import SuspiciousFileOperation
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotModified,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.urls import reverse
from django.utils._os import safe_join
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django.views.static import was_modified_since

from . import embedding, origins, permissions, runtime, tokens
from .answers import answers_errors, render_page
from .conf import settings
from .exceptions import AppNotFound, LoginRequired, OriginRefused, ProtocolError
from .live.loading import App
from .registry import BLANK
from .runtime import Runtime

_CHUNK = 256 * 1024
_ELEMENT_ID = re.compile(r"[A-Za-z][\w-]{0,200}", re.ASCII)


async def _open(request: HttpRequest, name: str) -> tuple[Runtime, App]:
    """The app behind a door, for whoever may open it."""
    host = await runtime.get()
    app = await host.app(name)
    if not permissions.may(await request.auser(), "open", app):
        raise LoginRequired
    return host, app


def _named_session(request: HttpRequest) -> str | None:
    # The header is from the script of `bokeh.embed.server_session`
    session_id = request.GET.get("bokeh-session-id") or request.headers.get("Bokeh-Session-Id")
    return tokens.named_session(session_id) if session_id else None


@require_safe
@answers_errors
async def catalogue(request: HttpRequest) -> HttpResponse:
    """All apps that this visitor may open."""
    if settings.BLANK_APP and "bokeh-session-id" in request.GET:
        # Where `bokeh.client` sends a browser when it is given no path
        return await _page(request, BLANK)
    if settings.INDEX is False:
        raise AppNotFound("There is no such page.")
    host = await runtime.get()
    user = await request.auser()
    apps = await host.workers.run(host.registry.apps)
    if settings.REDIRECT_TO_ONLY_APP and len(apps) == 1:
        return redirect("apps_registry:app", apps[0].name)
    staff = permissions.sees_tracebacks(user)
    context = {
        "apps": [
            {
                "name": app.name,
                "title": (app.code and app.code.title) or app.name,
                "description": "",
                "url": reverse("apps_registry:app", args=[app.name]),
                "thumbnail_url": None,
                "error": str(app.error) if app.error is not None and staff else "",
            }
            for app in apps
            if permissions.may(user, "open", app)
        ],
        "user": user,
        "base_template": settings.BASE_TEMPLATE,
    }
    return await render_page(request, settings.INDEX, context)


@require_safe
@answers_errors
async def app_page(request: HttpRequest, name: str) -> HttpResponse:
    """The page of an app."""
    return await _page(request, name)


async def _page(request: HttpRequest, name: str) -> HttpResponse:
    host, app = await _open(request, name)
    if request.method == "HEAD":
        return _private(HttpResponse())
    user = await request.auser()
    page = await embedding.prepare(host, app, request, user=user, session_id=_named_session(request))
    if page.has_own_template:
        return _private(HttpResponse(embedding.render_own_template(page)))
    context = {
        "app": {"name": app.name, "title": page.title, "description": ""},
        "config": page.config(),
        "script_urls": page.script_urls,
        "style_urls": page.style_urls,
        "raw_scripts": page.raw_scripts,
        "bare": "bare" in request.GET,
        "base_template": "" if "bare" in request.GET else settings.BASE_TEMPLATE,
    }
    return _private(await render_page(request, "apps_registry/app.html", context))


def _private(response: HttpResponse) -> HttpResponse:
    """A page with a token is for one visitor, once."""
    response["Cache-Control"] = "no-store"
    return response


@csrf_exempt
@answers_errors
async def autoload(request: HttpRequest, name: str) -> HttpResponse:
    """A script that puts the app into any page (``bokeh.embed.server_document``)."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD, OPTIONS"})
    origin = request.headers.get("Origin", "")
    if origin and not origins.is_allowed(origin, request.get_host(), secure=request.is_secure()):
        raise OriginRefused
    if request.method == "OPTIONS":
        response = HttpResponse(status=204)
    else:
        response = await _autoload_script(request, name)
    if origin:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Credentials"] = "true"
        # "*" would not do for a request with cookies
        response["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "*")
    response["Vary"] = "Origin, Cookie"
    return _private(response)


async def _autoload_script(request: HttpRequest, name: str) -> HttpResponse:
    host, app = await _open(request, name)
    element_id = request.GET.get("bokeh-autoload-element", "")
    if not _ELEMENT_ID.fullmatch(element_id):
        raise ProtocolError("bokeh-autoload-element must be the id of an element.")
    if request.method == "HEAD":
        return HttpResponse(content_type="application/javascript")
    user = await request.auser()
    page = await embedding.prepare(host, app, request, user=user, session_id=_named_session(request))
    urls = [] if request.GET.get("resources") == "none" else page.script_urls
    bundle = Bundle(
        js_files=[URL(request.build_absolute_uri(url)) for url in urls],
        css_files=[URL(url) for url in page.style_urls],
        js_raw=page.raw_scripts,
    )
    app_path = reverse("apps_registry:app", args=[name])
    item = RenderItem(token=page.token, elementid=element_id, use_for_title=False)  # type: ignore[arg-type]
    absolute_url = request.build_absolute_uri(app_path)
    bundle.add(Script(script_for_render_items({}, [item], app_path=app_path, absolute_url=absolute_url)))
    script = AUTOLOAD_JS.render(bundle=bundle, elementid=element_id)
    return HttpResponse(script, content_type="application/javascript")


@require_safe
@answers_errors
async def metadata(request: HttpRequest, name: str) -> HttpResponse:
    """What an app says of itself, as ``bokeh serve`` gives it."""
    await _open(request, name)
    return JsonResponse({"url": reverse("apps_registry:app", args=[name]), "data": {}})


@require_safe
@answers_errors
async def failure(request: HttpRequest, name: str, reference: str) -> HttpResponse:
    """The traceback behind a reference, for staff and under ``DEBUG``; nobody else learns that there is one."""
    host, _ = await _open(request, name)
    found = host.failure(name, reference)
    if found is None or not permissions.sees_tracebacks(await request.auser()):
        raise AppNotFound("There is no such page.")
    return _private(HttpResponse(found.detail, content_type="text/plain; charset=utf-8"))


@require_safe
@answers_errors
async def app_static(request: HttpRequest, name: str, path: str) -> HttpResponse | StreamingHttpResponse:
    """A file of an app's ``static/`` directory."""
    _, app = await _open(request, name)
    file = await asyncio.to_thread(_find, app.path / "static", path)
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


async def websocket_only(request: HttpRequest, name: str) -> HttpResponse:
    """What a plain request to the address of a socket gets."""
    return HttpResponse("This is the address of a websocket.", status=426, headers={"Upgrade": "websocket"})
