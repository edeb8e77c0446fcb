"""Who stands behind a websocket: an API token, or the login of the site, from the cookie of the handshake."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

from django.conf import settings as site
from django.contrib.auth import SESSION_KEY, get_user, get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import parse_cookie

from . import bearer
from .changes import login_name
from .requests import header


def user_of(scope: dict[str, Any], *, fresh: bool = False) -> Any:
    """The user of a handshake: that of an API token, or whom a site's own middleware put into the scope, or his login.

    It asks the database. With ``fresh``, as it knows him now: ``AnonymousUser`` when he is switched off or gone.
    Raises ``ApiTokenRefused`` or ``OutOfScope``.
    """
    of_token = bearer.app_user(header(scope, "authorization"), _app_name(scope), is_use=not fresh)
    if of_token is not None:
        return of_token
    user = scope.get("user")
    if user is None:
        return _logged_in(_session_key(scope))
    if not fresh or not user.is_authenticated:
        return user
    session = scope.get("session")
    if session is not None and session.get(SESSION_KEY) == str(user.pk):
        return _logged_in(session.session_key)
    now = get_user_model()._default_manager.filter(pk=user.pk).first()
    return now if now is not None and now.is_active else AnonymousUser()


def name_of(scope: dict[str, Any]) -> str | None:
    """What notices call the login of a handshake; None without one. It tells tokens apart, too."""
    if (text := bearer.text_of(header(scope, "authorization"))) is not None:
        return login_name(f"{text} {_app_name(scope)}")
    key = getattr(scope.get("session"), "session_key", None) or _session_key(scope)
    return login_name(key) if key else None


class _Peeked(dict[str, Any]):
    """What a login holds, for looking only: a socket cannot give the browser another cookie.

    Django would end a login whose password was changed, or put it under a new key, as part of reading it.
    """

    def cycle_key(self) -> None:
        """Leave the key."""

    def flush(self) -> None:
        """Leave the login."""


def _logged_in(key: str | None) -> Any:
    if not key:
        return AnonymousUser()
    store = import_module(site.SESSION_ENGINE).SessionStore(key)
    return get_user(SimpleNamespace(session=_Peeked(store.load())))  # type: ignore[arg-type]


def _app_name(scope: dict[str, Any]) -> str:
    return str(scope["url_route"]["kwargs"]["name"])


def _session_key(scope: dict[str, Any]) -> str | None:
    return parse_cookie(header(scope, "cookie")).get(site.SESSION_COOKIE_NAME)
