"""Who may do what: every yes and no is decided here."""

from __future__ import annotations

from typing import Any, Literal

from django.conf import settings as site

from .conf import settings

type Role = Literal["open"]


def may(user: Any, role: Role, thing: object) -> bool:
    """Whether ``user`` may ``role`` (for now: open) ``thing``, an app."""
    if settings.ACCESS == "public":
        return True
    return bool(user is not None and user.is_authenticated and user.is_active)


def sees_tracebacks(user: Any) -> bool:
    """Whether a failure's traceback is shown to ``user``: to staff, and to everybody under ``DEBUG``."""
    return site.DEBUG or bool(user is not None and user.is_active and user.is_staff)


def user_id(user: Any) -> str | None:
    """What binds a token and a session to ``user``; None for whoever is not logged in."""
    return str(user.pk) if user is not None and user.is_authenticated else None
