"""Values that a template hands to an app, signed, so that the app may trust what a browser brings."""

from __future__ import annotations

import json
from typing import Any

from django.core import signing

from .. import permissions
from ..conf import settings
from ..exceptions import InvalidToken

#: The argument by which the browser brings a signed value to the door.
ARGUMENT = "bokeh-context"


def sign(value: Any, app_name: str, user: Any) -> str:
    """``value`` as a text that only ``user`` can use, and only for this app.

    Raises ``TypeError`` for what JSON cannot hold.
    """
    try:
        return signing.dumps(value, salt=_salt(app_name, user), compress=True)
    except (TypeError, ValueError) as error:
        raise TypeError(f"The context of {app_name} has to be a value that JSON can hold: {error}") from None


def read(signed: str, app_name: str, user: Any) -> Any:
    """The value that was signed, as JSON gives it back. Raises ``InvalidToken``.

    A signature is good for as long as an open page may come back to a lost session.
    """
    try:
        return signing.loads(signed, salt=_salt(app_name, user), max_age=settings.RECONNECT_LIFETIME)
    except signing.BadSignature:
        raise InvalidToken from None


def _salt(app_name: str, user: Any) -> str:
    return "apps_registry.context " + json.dumps([app_name, permissions.user_id(user)])
