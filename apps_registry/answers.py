"""One place that turns errors into HTTP answers, and templates into pages."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import global_settings, settings as site
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django.urls import get_script_prefix, is_valid_path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.encoding import escape_uri_path, iri_to_uri
from django.utils.http import urlencode

from . import permissions
from .access import GUEST
from .conf import settings
from .exceptions import (
    AppError,
    DataRefused,
    LoginRequired,
    MayNotManage,
    MayNotPublish,
    MayNotSee,
    VizserverError,
)

type View = Callable[..., Awaitable[HttpResponseBase]]

_TITLES = {403: "Not allowed", 404: "Not found", 410: "Over", 503: "Busy", 504: "Too slow"}


def answers_errors(view: View) -> Any:
    """Let a view raise ``VizserverError``; a person gets a page, a script the bare sentence."""

    @functools.wraps(view)
    async def answering(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return await view(request, *args, **kwargs)
        except LoginRequired as error:
            if wants_page(request):
                return redirect_to_login(address_of(request))
            return HttpResponse(str(error), status=error.status, content_type="text/plain")
        except VizserverError as error:
            return await error_answer(request, error)

    return answering


def answers_errors_as_json(view: View) -> Any:
    """Let a view raise ``VizserverError``; a script gets close code, sentence and reference, and where to log in."""

    @functools.wraps(view)
    async def answering(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return await view(request, *args, **kwargs)
        except VizserverError as error:
            answer = {"code": error.close_code, "message": _message(error), "reference": _reference(error)}
            if isinstance(error, LoginRequired):
                answer["login_url"] = login_page()
            response = JsonResponse(answer, status=error.status)
            add_never_cache_headers(response)
            return response

    return answering


def wants_page(request: HttpRequest) -> bool:
    """Whether a person looks at the answer."""
    return (
        bool(request.accepts("text/html")) and request.headers.get("Sec-Fetch-Dest", "document") == "document"
    )


def address_of(request: HttpRequest) -> str:
    """Where the visitor is, as his browser names it, without the key of a guest link.

    ``get_full_path`` would lack the site's prefix behind a proxy that takes it off.
    """
    path = escape_uri_path(get_script_prefix().rstrip("/") + request.path_info)
    query = request.META.get("QUERY_STRING", "")
    if GUEST in request.GET:
        arguments = request.GET.copy()
        del arguments[GUEST]
        query = arguments.urlencode()
    return f"{path}?{iri_to_uri(query)}" if query else path


def login_url(request: HttpRequest) -> str:
    """Where a visitor logs in, to come back to where he is; empty when the site has no such page."""
    address = login_page()
    if not address or request.method != "GET":
        return address
    mark = "&" if "?" in address else "?"
    return f"{address}{mark}{urlencode({'next': address_of(request)})}"


def login_page() -> str:
    """Where visitors of this site log in; empty when it has no such page."""
    return resolve_url(site.LOGIN_URL) if _has_login() else ""


def _has_login() -> bool:
    if site.LOGIN_URL != global_settings.LOGIN_URL:
        return True
    # Django's own word, which does not say that anybody made such a page
    return bool(is_valid_path(site.LOGIN_URL))


async def render_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A template as an answer, rendered on a thread: a site's base template may well ask the database.

    Besides ``context`` it gets ``user``, ``bare``, ``base_template``, ``catalogue_url`` and, for visitors,
    ``login_url``.
    """
    # Also for its own sake: a template's `request.user` would be a second query
    user = await request.auser()
    bare = "bare" in request.GET
    context = {
        "user": user,
        "bare": bare,
        "base_template": "" if bare else settings.BASE_TEMPLATE,
        "catalogue_url": "" if settings.INDEX is False else reverse("apps_registry:catalogue"),
        "login_url": "" if permissions.is_login(user) else login_url(request),
        **context,
    }
    return await sync_to_async(render)(request, template, context, status=status)


async def error_answer(request: HttpRequest, error: VizserverError) -> HttpResponse:
    """The answer that says what went wrong, in the words for viewers."""
    if wants_page(request):
        context = await _error_context(request, error)
        response = await render_page(request, "apps_registry/error.html", context, status=error.status)
    else:
        response = HttpResponse(str(error), status=error.status, content_type="text/plain")
    add_never_cache_headers(response)
    if GUEST in request.GET:
        response["Referrer-Policy"] = "no-referrer"
    if settings.WATCH is not None:
        # Who edits the app sees it as soon as it is right again
        response["Refresh"] = "2"
    return response


def _message(error: VizserverError) -> str:
    return error.summary if isinstance(error, AppError) else str(error)


def _reference(error: VizserverError) -> str:
    return error.reference if isinstance(error, AppError) else ""


async def _error_context(request: HttpRequest, error: VizserverError) -> dict[str, Any]:
    user = await request.auser()
    is_of_data = isinstance(error, (DataRefused, MayNotManage, MayNotPublish))
    is_missing = error.status == 404 or isinstance(error, MayNotSee)
    return {
        "status": error.status,
        "title": _TITLES.get(error.status, "Something went wrong"),
        "message": _message(error),
        "reference": _reference(error),
        "detail": error.detail if permissions.sees_tracebacks(user) else "",
        # Said wherever nothing is, so that it betrays no hidden app
        "may_need_login": is_missing and request.method == "GET" and not permissions.is_login(user),
        "retry_url": "" if is_missing or is_of_data else address_of(request),
        "is_of_data": is_of_data,
    }
