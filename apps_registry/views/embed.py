"""The doors that put an app into pages which are not its own."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from bokeh.core.templates import AUTOLOAD_JS
from bokeh.embed.bundle import URL, Bundle, Script
from bokeh.embed.elements import script_for_render_items
from bokeh.embed.util import RenderItem
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from .. import embedding, origins, runtime
from ..access import enter, note_refusal
from ..answers import answers_errors, answers_errors_as_json
from ..exceptions import AppNotFound, OriginRefused, ProtocolError
from ..runtime import Runtime
from .common import named_session, private

type View = Callable[[HttpRequest, str], Awaitable[HttpResponse]]

_ELEMENT_ID = re.compile(r"[A-Za-z][\w-]{0,200}", re.ASCII)
_METHODS = ("GET", "HEAD", "OPTIONS")


def _for_other_sites(door: str, answers: Callable[[Any], Any]) -> Callable[[View], Any]:
    """Let pages of allowed origins read what a view answers, its errors too, and pages of other origins not."""

    def decorate(view: View) -> Any:
        answering: View = answers(view)

        @csrf_exempt
        @answers
        @functools.wraps(view)
        async def sharing(request: HttpRequest, name: str) -> HttpResponse:
            if request.method not in _METHODS:
                return HttpResponse(status=405, headers={"Allow": ", ".join(_METHODS)})
            host = await runtime.get()
            origin = request.headers.get("Origin", "")
            if request.method == "OPTIONS":
                await _check_preflight(host, request, name, origin)
                response = HttpResponse(status=204)
            else:
                is_listed = await _check_origin(host, request, name, origin, door)
                response = await answering(request, name)
                if not is_listed and response.status_code == 404:
                    # Only its row lists the origin: such an answer would say that there is a hidden app
                    raise OriginRefused
            return private(_shared(request, response, origin))

        return sharing

    return decorate


async def _check_origin(host: Runtime, request: HttpRequest, name: str, origin: str, door: str) -> bool:
    """Whether the origin is allowed for all apps, and not by the row of this one only. Raises ``OriginRefused``."""
    if not origin:
        if _is_included_elsewhere(request):
            raise OriginRefused
        return True
    if _is_allowed(request, origin):
        return True
    with suppress(AppNotFound):
        await host.app(name)
    row = host.registry.row(name)
    if row is not None and _is_allowed(request, origin, row.origins):
        return False
    error = OriginRefused()
    await note_refusal(host, row, request, door=door, error=error)
    raise error


async def _check_preflight(host: Runtime, request: HttpRequest, name: str, origin: str) -> None:
    """A preflight comes without cookies, so that its answer must be the same for all apps."""
    with suppress(AppNotFound):
        await host.app(name)
    if origin and not _is_allowed(request, origin, host.registry.origins()):
        raise OriginRefused


def _is_allowed(request: HttpRequest, origin: str, extra: list[str] | None = None) -> bool:
    return origins.is_allowed(origin, request.get_host(), secure=request.is_secure(), extra=extra or ())


def _is_included_elsewhere(request: HttpRequest) -> bool:
    """Whether a page of another site loads this as a plain script, for which a browser names no origin."""
    site = request.headers.get("Sec-Fetch-Site")
    return request.headers.get("Sec-Fetch-Mode") == "no-cors" and site in ("cross-site", "same-site")


def _shared(request: HttpRequest, response: HttpResponse, origin: str) -> HttpResponse:
    if origin:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Credentials"] = "true"
        # "*" would not do for a request with cookies
        response["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "*")
    response["Vary"] = "Origin, Cookie"
    return response


@_for_other_sites("session", answers_errors_as_json)
async def session(request: HttpRequest, name: str) -> HttpResponse:
    """What ``bokeh-app.js`` needs to show the app in a page: a token, and the addresses of scripts, as JSON."""
    host = await runtime.get()
    entrance = await enter(host, name, request, door="session")
    if request.method == "HEAD":
        return HttpResponse(content_type="application/json")
    signed = request.GET.get(embedding.CONTEXT_ARGUMENT)
    context = embedding.read_context(signed, name, entrance.user) if signed else None
    page = await embedding.prepare(
        host,
        entrance.app,
        request,
        user=entrance.user,
        session_id=named_session(request),
        context=context,
    )
    return JsonResponse(page.description() | {"title": entrance.row.title or page.title})


@_for_other_sites("autoload", answers_errors)
async def autoload(request: HttpRequest, name: str) -> HttpResponse:
    """A script that puts the app into any page (``bokeh.embed.server_document``)."""
    host = await runtime.get()
    entrance = await enter(host, name, request, door="autoload")
    element_id = request.GET.get("bokeh-autoload-element", "")
    if not _ELEMENT_ID.fullmatch(element_id):
        raise ProtocolError("bokeh-autoload-element must be the id of an element.")
    if request.method == "HEAD":
        return HttpResponse(content_type="application/javascript")
    page = await embedding.prepare(
        host, entrance.app, request, user=entrance.user, session_id=named_session(request)
    )
    urls = [] if request.GET.get("resources") == "none" else page.script_urls
    bundle = Bundle(
        js_files=[URL(request.build_absolute_uri(url)) for url in urls],
        css_files=[URL(request.build_absolute_uri(url)) for url in page.style_urls],
        js_raw=page.raw_scripts,
    )
    app_path = reverse("apps_registry:app", args=[name])
    item = RenderItem(token=page.token, elementid=element_id, use_for_title=False)  # type: ignore[arg-type]
    absolute_url = request.build_absolute_uri(app_path)
    bundle.add(Script(script_for_render_items({}, [item], app_path=app_path, absolute_url=absolute_url)))
    script = AUTOLOAD_JS.render(bundle=bundle, elementid=element_id)
    return HttpResponse(script, content_type="application/javascript")
