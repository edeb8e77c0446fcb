"""The page of all apps that a visitor may open."""

from __future__ import annotations

import logging
import re
import unicodedata
import zlib
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.core.paginator import Page, Paginator
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode

from .. import embedding, permissions, runtime, thumbnails
from ..answers import render_page
from ..conf import settings
from ..exceptions import VizserverError
from ..live.loading import App
from ..models import VizApp
from ..registry import Registry

log = logging.getLogger(__name__)

#: Apps on one page of the catalogue.
PAGE_SIZE = 60
#: From so many apps on there is a box to search them.
SEARCH_FROM = 12
#: The colours that `catalogue.css` has for tiles without a picture.
HUES = 8


@dataclass(frozen=True)
class Entry:
    """A row that the visitor may open, with the app if its files are there."""

    row: VizApp
    app: App | None

    @property
    def title(self) -> str:
        """What people read."""
        return self.row.title or (self.app and self.app.code and self.app.code.title) or self.row.name

    def matches(self, words: list[str]) -> bool:
        """Whether all of the words, as ``folded`` gives them, stand in what people read of the app."""
        text = folded(f"{self.title}\n{self.row.name}\n{self.row.description}")
        return all(word in text for word in words)


@dataclass(frozen=True)
class Card:
    """What the page shows of an app."""

    name: str
    title: str
    description: str
    #: Empty when there is nothing to open
    url: str
    #: Empty when the app has no picture; ``initials`` on a ground of colour ``hue`` stand in its place
    thumbnail_url: str
    initials: str
    hue: int
    is_off: bool
    is_missing: bool
    #: The address of the row in the admin, for what is wrong with it
    edit_url: str
    #: Why the app does not load, for staff
    error: str


def folded(text: str) -> str:
    """A text as it is compared: without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def admin_url(page: str, *args: object) -> str:
    """The address of a page of the admin for rows, or "" when this site has none."""
    try:
        return reverse(f"admin:apps_registry_vizapp_{page}", args=args)
    except NoReverseMatch:
        return ""


async def show(request: HttpRequest) -> HttpResponse:
    """The catalogue, as far as the visitor may see it."""
    host = await runtime.get()
    user = await request.auser()
    query = request.GET.get("q", "").strip()

    def gather() -> tuple[list[Entry], Page[Entry], list[Card], dict[str, Any]]:
        entries = visible(host.registry, user)
        words = folded(query).split()
        page = Paginator([e for e in entries if e.matches(words)], PAGE_SIZE).get_page(
            request.GET.get("page")
        )
        cards = [card(entry, user) for entry in page]
        return entries, page, cards, {} if entries else reasons(user)

    # Not on a thread of the engine, which does not know under what path this request found the site
    entries, page, cards, why = await sync_to_async(gather)()
    if settings.REDIRECT_TO_ONLY_APP and len(entries) == 1:
        return redirect("apps_registry:app", entries[0].row.name)
    context = {
        "apps": cards,
        "page": page,
        "query": query,
        "has_search": bool(query) or len(entries) > SEARCH_FROM,
        "total": len(entries),
        "nonce": embedding.nonce(request),
        "turn_pages": f"?{urlencode({'q': query})}&" if query else "?",
        **why,
    }
    return await render_page(request, settings.INDEX, context)


def visible(registry: Registry, user: Any) -> list[Entry]:
    """What ``user`` may open, in the order of the page; rows without files are for superusers only.

    It asks the database once for the rows, and may read the directories.
    """
    apps = {app.name: app for app in registry.apps()}
    entries = [Entry(row, apps.get(row.name)) for row in _rows(registry, apps, user)]
    if not getattr(user, "is_superuser", False):
        entries = [entry for entry in entries if entry.app is not None]
    return sorted(entries, key=lambda entry: (entry.row.order, folded(entry.title), entry.row.name))


def _rows(registry: Registry, apps: dict[str, App], user: Any) -> list[VizApp]:
    if settings.APPS is None:
        try:
            return list(VizApp.objects.visible_to(user))
        except Error as error:
            log.exception("The rows of the apps cannot be read.")
            detail = f"{error}. Is `manage.py migrate` done?"
            raise VizserverError("The list of apps cannot be read right now.", detail=detail) from error
    rows = [row for name in apps if (row := registry.row(name)) is not None]
    return [row for row in rows if permissions.may(user, "open", row)]


def card(entry: Entry, user: Any) -> Card:
    """What ``user`` is shown of an entry."""
    row, app = entry.row, entry.app
    is_wrong = not row.enabled or app is None
    error = app.error if app is not None and permissions.sees_tracebacks(user) else None
    return Card(
        name=row.name,
        title=entry.title,
        description=row.description,
        url=row.get_absolute_url() if app is not None else "",
        thumbnail_url=_thumbnail_url(row, app),
        initials=initials(entry.title),
        hue=zlib.crc32(row.name.encode()) % HUES,
        is_off=not row.enabled,
        is_missing=app is None,
        edit_url=admin_url("change", row.pk) if is_wrong and row.pk else "",
        error=str(error) if error is not None else "",
    )


def _thumbnail_url(row: VizApp, app: App | None) -> str:
    version = thumbnails.version(row, app.path) if app is not None else None
    if version is None:
        return ""
    # Another picture has another address, so that browsers may keep this one
    return f"{reverse('apps_registry:thumbnail', args=[row.name])}?{urlencode({'v': version})}"


def initials(title: str) -> str:
    """One or two letters that stand for a title."""
    words = re.findall(r"[^\W_]+", title)
    return "".join(word[0] for word in words[:2]).upper()


def reasons(user: Any) -> dict[str, Any]:
    """Why ``user`` sees no app, as far as he may know it."""
    off = 0
    if settings.APPS is None:
        off = VizApp.objects.manageable_by(user).filter(enabled=False).count()
    changelist = admin_url("changelist") if getattr(user, "is_staff", False) else ""
    return {
        "number_off": off,
        "off_url": f"{changelist}?state=off" if changelist else "",
        "may_add": permissions.sees_tracebacks(user),
    }
