"""API tokens as programs send them: ``Authorization: Bearer viz_...``.

What holds the text of one, here and elsewhere, keeps it out of the reports of errors that Django mails.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from .exceptions import ApiTokenRefused, OutOfScope
from .models import ApiToken
from .models.keys import PREFIX

#: How exact the last use of a token is.
_USED_EVERY = timedelta(minutes=1)


@sensitive_variables("authorization", "text")
def text_of(authorization: str) -> str | None:
    """The text of the token in this header; None for none, and for bearers that are not ours, as proxies add them."""
    scheme, _, text = authorization.partition(" ")
    text = text.strip()
    return text if scheme.lower() == "bearer" and text.startswith(PREFIX) else None


@sensitive_variables("text", "args")  # the latter in Django, between a manager and its query
def token_of(text: str, *, is_use: bool = True) -> ApiToken:
    """The token with this text, whose user it notes as having used it. Raises ``ApiTokenRefused``."""
    token = ApiToken.objects.of(text)
    if token is None:
        raise ApiTokenRefused
    now = timezone.now()
    if is_use and (token.last_used_at is None or now - token.last_used_at > _USED_EVERY):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def check_scope(token: ApiToken, scope: str) -> None:
    """Raise ``OutOfScope`` unless the token has ``scope``, one of ``SCOPES``."""
    if scope not in token.scopes:
        raise OutOfScope(f"This API token may not be used for that: it lacks the scope '{scope}'.")


def check_dataset(token: ApiToken, name: str) -> None:
    """Raise ``OutOfScope`` if the token is for another data set, or for an app, whether or not there is this one."""
    if token.dataset is not None and token.dataset.name != name:
        raise OutOfScope("This API token is for another data set only.")
    if token.dataset is None and token.app_id is not None:
        raise OutOfScope("This API token is for an app only.")


@sensitive_variables("authorization", "text")
def app_user(authorization: str, app_name: str, *, is_use: bool = True) -> Any:
    """The user for whom a program opens an app with a token; None without a token.

    Raises ``ApiTokenRefused`` or ``OutOfScope``. It asks the database.
    """
    text = text_of(authorization)
    if text is None:
        return None
    token = token_of(text, is_use=is_use)
    check_scope(token, "push")
    if token.app is not None and token.app.name != app_name:
        raise OutOfScope("This API token is for another app only.")
    if token.app is None and token.dataset_id is not None:
        raise OutOfScope("This API token is for a data set only.")
    return token.user
