"""The question that every door asks: who is it, and may he?"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from . import bearer, permissions, requests, runtime
from .exceptions import AppNotFound, LoginRequired, VizserverError
from .live.loading import App
from .models import Access, VizApp
from .records import Visitor
from .runtime import Runtime

#: The argument of an address that carries the key of a guest link, and the cookie that keeps it for the app.
GUEST = "guest"
GUEST_COOKIE = "apps_registry_guest"


@dataclass(frozen=True)
class Entrance:
    """An app that ``user`` was let into; a guest, if his link is what let him in."""

    app: App
    row: VizApp
    user: Any


async def enter(host: Runtime, name: str, request: HttpRequest, *, door: str) -> Entrance:
    """Let the visitor behind ``request`` through a door of an app, or raise what ``admit`` raises.

    Raises ``AppNotFound`` also for an app that the visitor may not know of, and ``LoginRequired``; for a program with
    an API token also ``ApiTokenRefused`` and ``OutOfScope``.
    """
    # First of all, so that the answer has the same headers whether there is such an app or not
    visitor = await _visitor_behind(request)
    if bearer.text_of(_authorization(request)) is not None:
        of_token = await host.workers.run(lambda: bearer.app_user(_authorization(request), name))
        visitor = visitor.known_as(of_token)
    app = await host.app(name)
    row, user = await admit(host, name, visitor, door=door, guest_key=guest_key(request))
    return Entrance(app, row, user)


def _authorization(request: HttpRequest) -> str:
    return request.headers.get("Authorization", "")


async def note_refusal(
    host: Runtime, row: VizApp | None, request: HttpRequest, *, door: str, error: VizserverError
) -> None:
    """Put into the audit that a door itself refused a visitor; of an app that does not exist, nothing is written."""
    # Also without a row, so that the answer has the same headers
    visitor = await _visitor_behind(request)
    if row is not None:
        host.records.refused(row, visitor, door, error)


def note_refusal_in_page(row: VizApp, user: Any, request: HttpRequest, error: VizserverError) -> None:
    """Put into the audit that a page of the site has no place for an app; called on any thread.

    A process in which no apps run keeps no audit.
    """
    if (host := runtime.running()) is None:
        return
    visitor = Visitor(user, request.META.get("REMOTE_ADDR"))
    with suppress(RuntimeError):  # the loop has ended
        host.loop.call_soon_threadsafe(host.records.refused, row, visitor, "tag", error)


async def _visitor_behind(request: HttpRequest) -> Visitor:
    return Visitor(await request.auser(), request.META.get("REMOTE_ADDR"), request.headers.get("Origin", ""))


def guest_key(request: HttpRequest) -> str | None:
    """The key of the guest link that a visitor came by, now or some time ago."""
    return request.GET.get(GUEST) or request.COOKIES.get(GUEST_COOKIE)


async def admit(
    host: Runtime, name: str, visitor: Visitor, *, door: str, guest_key: str | None = None
) -> tuple[VizApp, Any]:
    """The row of an app, and as whom the visitor may open it. Raises ``AppNotFound`` or ``LoginRequired``."""
    row = host.registry.row(name)
    if row is None:
        raise AppNotFound
    try:
        return row, await host.workers.run(lambda: let_in(visitor.user, row, guest_key))
    except VizserverError as error:
        host.records.refused(row, visitor, door, error)
        raise


def let_in(user: Any, row: VizApp | None, guest_key: str | None = None) -> Any:
    """As whom a visitor may open an app: as himself, or as the guest of a link. It asks the database.

    Raises ``AppNotFound`` or ``LoginRequired``.
    """
    if row is not None and permissions.may(user, "open", row):
        return user
    guest = permissions.guest(guest_key) if row is not None and guest_key else None
    if guest is not None and permissions.may(guest, "open", row):
        return guest
    raise refusal(user, row)


def refusal(user: Any, row: VizApp | None) -> VizserverError:
    """What ``user`` is told who may not open ``row``: not that there is such an app, unless he could log in for it."""
    if row is not None and row.enabled and row.access == Access.LOGIN and not permissions.is_login(user):
        return LoginRequired()
    return AppNotFound()


def visitor_of(scope: dict[str, Any]) -> Visitor:
    """Where a handshake came from; who it is, is found out later."""
    client = scope.get("client") or [None]
    return Visitor(None, client[0] or None, requests.header(scope, "origin"))
