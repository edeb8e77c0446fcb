"""Which pages may open an app's socket, embed it or frame it: one list for all doors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings as site
from django.http.request import split_domain_port, validate_host

from .conf import settings

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
#: What a Content-Security-Policy takes as a source; it knows no IPv6 addresses.
_SOURCE = re.compile(r"https?://[\w.*-]+(:(\d+|\*))?", re.ASCII)


def is_allowed(origin: str, host: str, *, secure: bool, extra: Iterable[str] = ()) -> bool:
    """Whether a page of ``origin`` may speak with the server reached as ``host``.

    The same host may, and those of ``CSRF_TRUSTED_ORIGINS``, of the setting ``WEBSOCKET_ORIGINS``, and of
    ``extra``, the origins of an app's row.
    """
    try:
        parts = urlsplit(origin)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return False
    name = parts.hostname or ""
    if (name, port) == _split_host(host, "https" if secure else "http"):
        return True
    trusted = (*site.CSRF_TRUSTED_ORIGINS, *extra)
    if any(_trusted(parts.scheme, name, port, origin) for origin in trusted):
        return True
    return any(_matches(name, port, pattern, parts.scheme) for pattern in settings.WEBSOCKET_ORIGINS)


def others(extra: Iterable[str] = ()) -> list[str]:
    """The same list, without the same host, as sources of a Content-Security-Policy."""
    if "*" in settings.WEBSOCKET_ORIGINS:
        return ["*"]
    patterns = [f"{scheme}://{host}" for host in settings.WEBSOCKET_ORIGINS for scheme in ("http", "https")]
    named = (*site.CSRF_TRUSTED_ORIGINS, *extra, *patterns)
    return [origin for origin in dict.fromkeys(named) if _SOURCE.fullmatch(origin)]


def host_is_ours(host: str) -> bool:
    """Whether a request that names ``host`` is for this site, by ``ALLOWED_HOSTS`` as Django reads it.

    Without this, a foreign page whose name was made to lead here would count as the same host.
    """
    allowed = site.ALLOWED_HOSTS
    if site.DEBUG and not allowed:
        allowed = [".localhost", "127.0.0.1", "[::1]"]
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


def _split_host(host: str, scheme: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname or "", parts.port or _PORTS[scheme]
    except ValueError:
        return "", 0


def _trusted(scheme: str, name: str, port: int, trusted: str) -> bool:
    trusted_scheme, _, host = trusted.partition("://")
    return scheme == trusted_scheme and _matches(name, port, host, scheme)


def _split_pattern(pattern: str) -> tuple[str, str]:
    if pattern.startswith("["):
        name, _, port = pattern[1:].partition("]")
        return name, port.removeprefix(":")
    name, _, port = pattern.partition(":")
    return name, port


def _matches(name: str, port: int, pattern: str, scheme: str) -> bool:
    """A pattern is ``HOST[:PORT]``, in which ``*`` stands for any host, port, or leading labels."""
    wanted, wanted_port = _split_pattern(pattern.lower())
    if wanted_port not in ("", "*") and wanted_port != str(port):
        return False
    if not wanted_port and wanted != "*" and port != _PORTS.get(scheme):
        return False
    if wanted.startswith("*."):
        return name.endswith(wanted[1:])
    return wanted in ("*", name)
