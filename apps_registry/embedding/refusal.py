"""What stands in a page in place of an app that the visitor may not open."""

from __future__ import annotations

from typing import Any

from django.conf import settings as site
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from .. import permissions
from ..answers import login_url
from ..exceptions import LoginRequired, VizserverError
from ..models import VizApp
from .elements import element

#: The same for an app that does not exist and for one that the visitor may not know of.
NOT_AVAILABLE = "This app is not available."


def placeholder(
    request: HttpRequest, error: VizserverError, *, user: Any, name: str, row: VizApp | None
) -> SafeString:
    """A note that says what ``user`` may know of an app that he was refused."""
    if isinstance(error, LoginRequired):
        where = login_url(request)
        link = element("a", "Log in", href=where) if where else ""
        text = format_html("{} {}", "Please log in to see this app.", link)
    else:
        text = format_html("{}", _sentence(user, name, row))
    return element("div", element("p", text), class_="bokeh-app-refused", role="note")


def _sentence(user: Any, name: str, row: VizApp | None) -> str:
    """A visitor learns nothing; staff the name, in the same words whether there is such an app or not."""
    knows_all = site.DEBUG or (row is not None and permissions.may(user, "manage", row))
    if not knows_all:
        is_staff = permissions.sees_tracebacks(user)
        return f"There is no app named “{name}” that you may open." if is_staff else NOT_AVAILABLE
    if row is None:
        return f"There is no app named “{name}”."
    if not row.enabled:
        return f"The app “{name}” is switched off."
    return f"You have no grant that opens the app “{name}”."
