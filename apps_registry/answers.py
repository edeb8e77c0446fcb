"""One place that turns errors into HTTP answers."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers

from . import permissions
from .conf import settings
from .exceptions import AppError, LoginRequired, VizserverError

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
                return redirect_to_login(request.get_full_path())
            return HttpResponse(str(error), status=error.status, content_type="text/plain")
        except VizserverError as error:
            return await error_answer(request, error)

    return answering


def wants_page(request: HttpRequest) -> bool:
    """Whether a person looks at the answer."""
    return (
        bool(request.accepts("text/html")) and request.headers.get("Sec-Fetch-Dest", "document") == "document"
    )


async def render_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A template as an answer, rendered on a thread: a site's base template may well ask the database."""
    return await sync_to_async(render)(request, template, context, status=status)


async def error_answer(request: HttpRequest, error: VizserverError) -> HttpResponse:
    """The answer that says what went wrong, in the words for viewers."""
    if not wants_page(request):
        response = HttpResponse(str(error), status=error.status, content_type="text/plain")
    else:
        user = await request.auser()
        context = {
            "status": error.status,
            "title": _TITLES.get(error.status, "Something went wrong"),
            "message": error.summary if isinstance(error, AppError) else str(error),
            "reference": error.reference if isinstance(error, AppError) else "",
            "detail": error.detail if permissions.sees_tracebacks(user) else "",
            "retry_url": request.get_full_path(),
            "catalogue_url": reverse("apps_registry:catalogue"),
            "base_template": settings.BASE_TEMPLATE,
        }
        response = await render_page(request, "apps_registry/error.html", context, status=error.status)
    add_never_cache_headers(response)
    if settings.WATCH is not None:
        # Who edits the app sees it as soon as it is right again
        response["Refresh"] = "2"
    return response
