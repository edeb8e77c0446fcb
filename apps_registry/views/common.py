"""What several views do alike."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from .. import tokens


def named_session(request: HttpRequest) -> str | None:
    """The session id that the address names, for who may name one. Raises ``InvalidToken``."""
    # The header is from the script of `bokeh.embed.server_session`
    session_id = request.GET.get("bokeh-session-id") or request.headers.get("Bokeh-Session-Id")
    return tokens.named_session(session_id) if session_id else None


def private(response: HttpResponse) -> HttpResponse:
    """A page with a token is for one visitor, once."""
    response["Cache-Control"] = "no-store"
    return response
