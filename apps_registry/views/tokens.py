"""The API tokens of a user."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from ..exceptions import AppNotFound
from ..forms.tokens import TokenForm
from ..models import ApiToken
from .data.common import Shown, back_to, data_page, is_sent, log_in_first, refused

#: Tokens that no longer serve, at most.
_PAST = 20


@data_page("GET", "POST")
def tokens(request: HttpRequest, user: Any) -> Shown:
    """The user's tokens, and the form for a new one, whose text is shown in the answer and never again."""
    log_in_first(user, "see your API tokens")
    form = TokenForm(user, request.POST if is_sent(request) else None)
    if is_sent(request) and form.is_valid():
        made, text = form.issue()
        return Shown("tokens.html", _context(request, user, TokenForm(user)) | {"made": made, "text": text})
    return (refused if form.errors else Shown)("tokens.html", _context(request, user, form))


def _context(request: HttpRequest, user: Any, form: TokenForm) -> dict[str, Any]:
    mine = list(ApiToken.objects.filter(user=user.pk).select_related("dataset", "app"))
    return {
        "form": form,
        "tokens": [token for token in mine if token.is_valid],
        "past": [token for token in mine if not token.is_valid][:_PAST],
        "site": request.build_absolute_uri(reverse("apps_registry:catalogue")),
    }


@data_page("GET", "POST")
def revoke(request: HttpRequest, user: Any, pk: int) -> HttpResponseBase:
    """Makes a token void. Who comes here otherwise, such as from the login, is led to the list."""
    log_in_first(user, "see your API tokens")
    if not is_sent(request):
        return back_to("tokens")
    token = ApiToken.objects.filter(user=user.pk, pk=pk).first()
    if token is None:
        raise AppNotFound("There is no such API token.")
    token.revoke()
    return back_to("tokens", said="revoked")
