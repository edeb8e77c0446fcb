"""What the site's Content-Security-Policy has to do with apps: nonces, and who may frame an app's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings as site
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from .. import origins
from ..models import VizApp

_HEADER = "Content-Security-Policy"
_DIRECTIVE = "frame-ancestors"


def nonce(request: HttpRequest) -> str:
    """The nonce of the page that answers ``request``, of django-csp or of Django itself; ``""`` without either."""
    for name in ("csp_nonce", "_csp_nonce"):
        # Lazy ones are false until they are read
        if (found := getattr(request, name, None)) is not None:
            return str(found)
    return ""


def allow_frames(request: HttpRequest, response: HttpResponseBase, row: VizApp) -> None:
    """Let the pages that may embed an app show ``response``, its page, in a frame, and no others.

    All else that the site's own Content-Security-Policy says, stays.
    """
    others = origins.others(row.origins)
    if others:
        # This header knows no other hosts, and would forbid what the policy allows
        response.xframe_options_exempt = True  # type: ignore[attr-defined]
    sources = ["'self'", *others]
    django_csp = getattr(site, "CONTENT_SECURITY_POLICY", None)
    if django_csp and hasattr(request, "csp_nonce"):
        _replace_in_django_csp(request, response, _joined(django_csp.get("DIRECTIVES", {}), sources))
    elif getattr(site, "SECURE_CSP", None) and hasattr(request, "_csp_nonce"):
        _replace_in_django(request, response, _joined(site.SECURE_CSP, sources))
    else:
        response.headers.setdefault(_HEADER, f"{_DIRECTIVE} {' '.join(sources)}")


def _joined(policy: Mapping[str, Any], sources: list[str]) -> list[str]:
    own = policy.get(_DIRECTIVE) or []
    own = [own] if isinstance(own, str) else list(own)
    return list(dict.fromkeys([*(source for source in own if source != "'none'"), *sources]))


def _replace_in_django(request: HttpRequest, response: HttpResponseBase, sources: list[str]) -> None:
    from django.views.decorators.csp import csp_override

    csp_override({**site.SECURE_CSP, _DIRECTIVE: sources})(lambda request: response)(request)


def _replace_in_django_csp(request: HttpRequest, response: HttpResponseBase, sources: list[str]) -> None:
    from csp.decorators import csp_replace

    csp_replace({_DIRECTIVE: sources})(lambda request: response)(request)
