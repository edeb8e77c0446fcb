"""The HTTP doors."""

from __future__ import annotations

from . import data
from .embed import autoload, session
from .files import app_static, thumbnail
from .pages import app_page, catalogue, failure
from .protocol import metadata, websocket_only
from .tokens import revoke, tokens

__all__ = [
    "app_page",
    "app_static",
    "autoload",
    "catalogue",
    "data",
    "failure",
    "metadata",
    "revoke",
    "session",
    "thumbnail",
    "tokens",
    "websocket_only",
]
