"""Who stands behind a websocket: the login of the site, from the cookie of the handshake."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from channels.auth import get_user
from django.conf import settings as site
from django.contrib.auth.models import AnonymousUser
from django.http import parse_cookie

from .requests import header


async def user_of(scope: dict[str, Any]) -> Any:
    """The user of a handshake; what a site's own middleware put into the scope comes first."""
    if "user" in scope:
        return scope["user"]
    key = parse_cookie(header(scope, "cookie")).get(site.SESSION_COOKIE_NAME)
    if not key:
        return AnonymousUser()
    store = import_module(site.SESSION_ENGINE).SessionStore(key)
    return await get_user({"session": store})
