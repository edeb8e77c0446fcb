"""From what the site received to what app code may see of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings as site

from .live.context import Request

#: Arguments of the address that are for the server and not for the app.
_OWN_ARGUMENTS = frozenset(
    {
        "bokeh-absolute-url",
        "bokeh-app-path",
        "bokeh-autoload-element",
        "bokeh-context",
        "bokeh-reconnect",
        "bokeh-session-id",
        "guest",
    }
)
#: Headers that carry credentials, which app code has no use for.
_SECRET_HEADERS = frozenset({"cookie", "authorization", "proxy-authorization", "sec-websocket-protocol"})


def arguments(query: bytes | str) -> dict[str, list[bytes]]:
    """The arguments of a query string that are for the app, as Bokeh gives them: lists of bytes."""
    text = query.decode("latin-1") if isinstance(query, bytes) else query
    try:
        parsed = parse_qs(text, keep_blank_values=True, max_num_fields=site.DATA_UPLOAD_MAX_NUMBER_FIELDS)
    except ValueError:
        return {}
    return {
        name: [value.encode() for value in values]
        for name, values in parsed.items()
        if name not in _OWN_ARGUMENTS
    }


def app_request(
    scope: Mapping[str, Any], user: Any, app_arguments: Mapping[str, list[bytes]], path: str
) -> Request:
    """The request of a page or socket as app code sees it."""
    headers = list(_decoded(scope["headers"]))
    cookies = "; ".join(value for name, value in headers if name == "cookie")
    return Request(
        arguments=dict(app_arguments),
        headers=Headers({name: value for name, value in headers if name not in _SECRET_HEADERS}),
        cookies=_cookies(cookies),
        user=user,
        path=path,
    )


class Headers(dict[str, str]):
    """Headers by lower-case name, found in any case."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


def site_path(scope: Mapping[str, Any]) -> str:
    """The path of an ASGI scope as the site's URLconf knows it, without the prefix of a proxy or server."""
    path: str = scope["path"]
    root = (site.FORCE_SCRIPT_NAME or scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if root and path.startswith(root + "/") else path


def header(scope: Mapping[str, Any], name: str) -> str:
    """One header of an ASGI scope, or ``""``."""
    return next((value for key, value in _decoded(scope["headers"]) if key == name), "")


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        yield name.decode("latin-1").lower(), value.decode("latin-1")


def _cookies(text: str) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(text)
    except CookieError:
        return {}
    own = {site.SESSION_COOKIE_NAME, site.CSRF_COOKIE_NAME}
    return {name: morsel.value for name, morsel in jar.items() if name not in own}
