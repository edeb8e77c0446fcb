"""The pages for people."""

from __future__ import annotations

from typing import Any

from django.conf import settings as site
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from .. import embedding, permissions, runtime
from ..access import GUEST, GUEST_COOKIE, Entrance, enter
from ..answers import address_of, answers_errors, render_page
from ..conf import settings
from ..embedding import Page
from ..exceptions import AppNotFound, LoginRequired
from ..models import VizApp
from ..registry import BLANK
from ..runtime import Runtime
from .common import named_session, private
from .listing import admin_url, show


@require_safe
@answers_errors
async def catalogue(request: HttpRequest) -> HttpResponse:
    """All apps that this visitor may open."""
    if settings.BLANK_APP and "bokeh-session-id" in request.GET:
        # Where `bokeh.client` sends a browser when it is given no path
        return await _page(request, BLANK)
    if settings.INDEX is False:
        raise AppNotFound("There is no such page.")
    return await show(request)


@require_safe
@answers_errors
async def app_page(request: HttpRequest, name: str) -> HttpResponse:
    """The page of an app."""
    return await _page(request, name)


async def _page(request: HttpRequest, name: str) -> HttpResponse:
    host = await runtime.get()
    if GUEST in request.GET:
        return await _by_guest_link(host, request, name)
    entrance = await enter(host, name, request, door="page")
    if request.method == "HEAD":
        return private(HttpResponse())
    page = await embedding.prepare(
        host, entrance.app, request, user=entrance.user, session_id=named_session(request)
    )
    if page.has_own_template:
        response = HttpResponse(embedding.render_own_template(page))
    else:
        context = _context(page, entrance.row) | await _for_managers(host, request, entrance.row)
        response = await render_page(request, "apps_registry/app.html", context)
    embedding.allow_frames(request, response, entrance.row)
    return private(response)


def _context(page: Page, row: VizApp) -> dict[str, Any]:
    config = page.config()
    if row.title:
        # Then the window is called as the catalogue calls the app
        config["use_for_title"] = False
    return {
        "app": {"name": row.name, "title": row.title or page.title, "description": row.description},
        "config": config,
        "script_urls": page.script_urls,
        "style_urls": page.style_urls,
        "raw_scripts": page.raw_scripts,
        "nonce": page.nonce,
        "is_off": not row.enabled,
    }


async def _for_managers(host: Runtime, request: HttpRequest, row: VizApp) -> dict[str, Any]:
    """The way to the row in the admin, for who may use it; others cost no query."""
    user = await request.auser()
    is_staff = permissions.is_login(user) and getattr(user, "is_staff", False)
    if not is_staff or row.pk is None or not await host.may(user, "manage", row):
        return {}
    return {"edit_url": admin_url("change", row.pk)}


async def _by_guest_link(host: Runtime, request: HttpRequest, name: str) -> HttpResponse:
    """Take the key out of the address, where others could read it; who needs it has it as a cookie from then on."""
    try:
        entrance = await enter(host, name, request, door="page")
    except (AppNotFound, LoginRequired) as error:
        raise AppNotFound("There is no such app, or the link is no longer valid.") from error
    response = private(redirect(address_of(request)))
    response["Referrer-Policy"] = "no-referrer"
    _remember_guest(response, request.GET[GUEST], entrance)
    return response


def _remember_guest(response: HttpResponse, key: str, entrance: Entrance) -> None:
    link = getattr(entrance.user, "guest_link", None)
    if link is not None:
        response.set_cookie(
            GUEST_COOKIE,
            key,
            max_age=link.expires_at - timezone.now(),
            path=entrance.row.get_absolute_url(),
            secure=site.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )


@require_safe
@answers_errors
async def failure(request: HttpRequest, name: str, reference: str) -> HttpResponse:
    """The traceback behind a reference, for staff and under ``DEBUG``; nobody else learns that there is one."""
    host = await runtime.get()
    await enter(host, name, request, door="errors")
    found = await host.failure(name, reference)
    if found is None or not permissions.sees_tracebacks(await request.auser()):
        raise AppNotFound("There is no such page.")
    return private(HttpResponse(found.detail, content_type="text/plain; charset=utf-8"))
