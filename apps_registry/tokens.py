"""Tokens: what lets a page, or a Python client, open the websocket of one session.

They have Bokeh's shape (``bokeh.util.token``; BokehJS reads ``session_id`` from the first part). A
page's token is signed with a key derived from ``SECRET_KEY`` and bound to app and user. A client's is
what ``bokeh.client`` makes by itself with the key that ``manage.py bokehsecret`` prints.
"""

from __future__ import annotations

import binascii
import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bokeh.util import token as bokeh_token
from django.conf import settings as site
from django.core.signing import BadSignature, Signer
from django.utils.crypto import salted_hmac

from .conf import settings
from .exceptions import InvalidToken

_SALT = "apps_registry.tokens"
#: A token goes through a header, and servers take headers of 8 KB.
MAX_LENGTH = 6000

#: The owner of sessions that a key holder named; whoever has the signed name shares them.
CLIENT = "client"


@dataclass(frozen=True)
class Claims:
    """What a token says, once its signature was found right."""

    session_id: str
    owner: object
    user_id: str | None
    arguments: Mapping[str, list[bytes]] | None
    payload: Mapping[str, Any]
    may_push: bool
    expires: float

    def opens_new(self, *, returning: bool) -> bool:
        """Whether a new session may still be made; for a page that comes back to a lost one, longer."""
        grace = settings.RECONNECT_LIFETIME if returning and not self.may_push else 0
        return bool(time.time() < self.expires + grace)


def client_key(secret: str | None = None) -> str:
    """The key that Python clients sign with, as ``BOKEH_SECRET_KEY``."""
    return salted_hmac(f"{_SALT}.client", "bokeh", secret=secret, algorithm="sha256").hexdigest()


def new_session_id() -> str:
    """A random session id, which nobody guesses."""
    return str(bokeh_token.generate_session_id(None, signed=False))


def named_session(session_id: str) -> str:
    """A session id from a URL, if its holder may name one. Raises ``InvalidToken``."""
    if settings.SESSION_IDS == "unsigned" or any(
        bokeh_token.check_session_id_signature(session_id, key.encode(), True) for key in _client_keys()
    ):
        return session_id
    raise InvalidToken("This session name is not signed.")


def page_token(
    app_name: str,
    user_id: str | None,
    *,
    session_id: str | None = None,
    arguments: Mapping[str, list[bytes]] | None = None,
    extra: Mapping[str, Any] | None = None,
    context: Any = None,
) -> str:
    """A token for one page of ``app_name``, bound to ``user_id`` (None: nobody logged in).

    ``extra`` is what the app's ``process_request`` gave, ``context`` what a template did (None: nothing).
    Raises ``InvalidToken`` when all that does not go into a header.
    """
    claims = {
        **(extra or {}),
        "app": app_name,
        "user": user_id,
        "arguments": dict(arguments or {}),
        "named": session_id is not None,
        # As a text, because Bokeh reads {"bytes": ...} as bytes
        "context": None if context is None else json.dumps(context),
    }
    try:
        body = bokeh_token.generate_jwt_token(
            session_id or new_session_id(),  # type: ignore[arg-type]
            signed=False,
            extra_payload=claims,
            expiration=settings.SESSION_TOKEN_EXPIRATION,
        )
    except TypeError:
        raise InvalidToken("What process_request gave cannot be written as JSON.") from None
    if len(body) > MAX_LENGTH:
        raise InvalidToken("The address has too many arguments.")
    return _signer().sign(body)


def read(token: str, app_name: str) -> Claims:
    """What a token says about a session of ``app_name``. Raises ``InvalidToken``."""
    try:
        if (body := _page_body(token)) is not None:
            return _page_claims(body, app_name)
        return _client_claims(token)
    except (KeyError, ValueError, TypeError, AttributeError, binascii.Error, zlib.error):
        raise InvalidToken from None


def _page_claims(body: str, app_name: str) -> Claims:
    payload = bokeh_token.get_token_payload(body)
    if payload.pop("app") != app_name:
        raise InvalidToken
    user_id, named, arguments = payload.pop("user"), payload.pop("named"), payload.pop("arguments")
    if (context := payload.pop("context", None)) is not None:
        payload["context"] = json.loads(context)
    return Claims(
        session_id=_session_id(body),
        owner=CLIENT if named else user_id,
        user_id=user_id,
        arguments=arguments,
        payload=payload,
        may_push=False,
        expires=float(payload.get("session_expiry", 0)),
    )


def _client_claims(token: str) -> Claims:
    if settings.SESSION_IDS != "unsigned" and not any(
        bokeh_token.check_token_signature(token, key.encode(), True) for key in _client_keys()
    ):
        raise InvalidToken
    payload = bokeh_token.get_token_payload(token)
    return Claims(
        session_id=_session_id(token),
        owner=CLIENT,
        user_id=None,
        arguments=None,
        payload={"session_expiry": payload.get("session_expiry", 0)},
        may_push=True,
        expires=float(payload.get("session_expiry", 0)),
    )


def _session_id(token: str) -> str:
    session_id = bokeh_token.get_session_id(token)
    if not isinstance(session_id, str) or not 0 < len(session_id) <= 512:
        raise InvalidToken
    return session_id


def _page_body(token: str) -> str | None:
    try:
        return _signer().unsign(token)
    except BadSignature:
        return None


def _signer() -> Signer:
    return Signer(salt=f"{_SALT}.page", sep=".")


def _client_keys() -> list[str]:
    return [client_key(str(secret)) for secret in (site.SECRET_KEY, *site.SECRET_KEY_FALLBACKS)]
