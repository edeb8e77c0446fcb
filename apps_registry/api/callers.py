"""Who asks the API: a program with a token, somebody who is logged in, or a visitor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from ninja.utils import check_csrf

from .. import bearer
from ..exceptions import LoginRequired, RequestForged
from ..models import ApiToken
from ..permissions import is_login

_SAFE = ("GET", "HEAD")


@dataclass(frozen=True)
class Caller:
    """As whom an operation is done; ``token`` is None for who comes with the login of the site, or with nothing."""

    user: Any
    token: ApiToken | None = None

    @property
    def is_somebody(self) -> bool:
        """Whether it is a user, who is told the names of other users."""
        return is_login(self.user)


class CallerMay:
    """Lets callers to an operation who may use it at all: tokens with ``scope``, logins, and ``visitors`` or not."""

    def __init__(self, scope: str, *, visitors: bool = False) -> None:
        self.scope = scope
        self.visitors = visitors

    @sensitive_variables("text")
    def __call__(self, request: HttpRequest) -> Caller:
        """The caller. Raises ``LoginRequired``, ``ApiTokenRefused``, ``OutOfScope`` or ``RequestForged``."""
        text = bearer.text_of(request.headers.get("Authorization", ""))
        if text is not None:
            return self._by_token(text, request)
        user = request.user
        if is_login(user):
            # A browser sends the cookie along for whoever lets it
            if request.method not in _SAFE and check_csrf(request) is not None:
                raise RequestForged
        elif not self.visitors:
            raise LoginRequired("Send an API token, or log in.")
        return Caller(user)

    @sensitive_variables("text")
    def _by_token(self, text: str, request: HttpRequest) -> Caller:
        token = bearer.token_of(text)
        bearer.check_scope(token, self.scope)
        match = request.resolver_match
        if match is not None and "name" in match.kwargs:
            # Before anything else, so that it does not tell whether there is such a data set
            bearer.check_dataset(token, match.kwargs["name"])
        return Caller(token.user, token)


def caller_of(request: HttpRequest) -> Caller:
    """Who was let to the operation."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return caller
