"""Where the operations of the API meet: one router, so that those on one address are one view."""

from __future__ import annotations

from typing import Any

from ninja import Router

from .callers import CallerMay

router = Router()

#: Whom operations are for, by their tags in the description.
READING: dict[str, Any] = {"tags": ["Reading"], "auth": CallerMay("read", visitors=True)}
PUBLISHING: dict[str, Any] = {"tags": ["Publishing"], "auth": CallerMay("publish")}
MANAGING: dict[str, Any] = {"tags": ["Managing"], "auth": CallerMay("manage")}
