"""Who may do what: every yes and no is decided here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.conf import settings as site
from django.contrib.auth.models import AnonymousUser

from .models import Access, Dataset, DatasetGrant, Grant, GuestLink, VizApp
from .models.apps import OPEN_TO_LOGINS, has_permission, is_login
from .models.roles import ROLES, Role

__all__ = [
    "ROLES",
    "GuestUser",
    "Role",
    "is_login",
    "may",
    "may_each",
    "sees_tracebacks",
    "user_id",
    "user_name",
]

_GUEST = "guest:"
#: Databases fail over what no text can hold, such as NUL; keys of links are made of these.
_KEY = re.compile(r"[\w-]+", re.ASCII)


class GuestUser(AnonymousUser):
    """Whoever came by a guest link: nobody who is logged in, but let into the link's app."""

    def __init__(self, guest_link: GuestLink) -> None:
        super().__init__()
        self.guest_link = guest_link

    def __str__(self) -> str:
        return f"guest ({self.guest_link.note})" if self.guest_link.note else "guest"


def may(user: Any, role: str, thing: Any) -> bool:
    """Whether ``user`` (None: a visitor) may do ``role``, one of ``ROLES``, with ``thing``, a row or a data set.

    It may ask the database. A row that is in no database (an app that was named on the command line)
    has no grants. ``publish`` without a thing: whether he may make data sets. Raises ``KeyError`` for a
    role that does not exist.
    """
    decision = ROLES[role]
    if isinstance(thing, Dataset):
        return _may_with_data(user, role, thing)
    answer = _without_grants(user, role, decision, thing)
    if answer is None:
        return Grant.objects.giving(role, user).filter(app=thing.pk).exists()
    return answer


def may_each(users: Iterable[Any], role: str, row: VizApp) -> dict[Any, bool]:
    """What ``may`` says of each of these users, who have keys, by their keys: in a few queries for all."""
    answers = {user.pk: _without_grants(user, role, ROLES[role], row) for user in users}
    asked = [key for key, answer in answers.items() if answer is None]
    holders = Grant.objects.filter(app=row.pk).holders(role, asked) if asked else frozenset()
    return {key: key in holders if answer is None else answer for key, answer in answers.items()}


def _without_grants(user: Any, role: str, decision: Role, thing: Any) -> bool | None:
    """What is so whatever grants there are; None when they decide."""
    if not is_login(user):
        return role == "open" and _is_open_to_visitor(user, thing)
    if getattr(user, "is_superuser", False):
        return True
    if role == "manage" and has_permission(user, "apps_registry.change_vizapp"):
        return True
    if not decision.granted_by:
        return has_permission(user, decision.permission)
    if not thing.enabled and role != "manage":
        return False
    if role == "open" and thing.access in OPEN_TO_LOGINS:
        return True
    return False if thing.pk is None else None


def _is_open_to_visitor(user: Any, row: VizApp) -> bool:
    link = getattr(user, "guest_link", None)
    is_invited = link is not None and link.app_id == row.pk and link.is_valid
    return row.enabled and (row.access == Access.PUBLIC or is_invited)


def _may_with_data(user: Any, role: str, dataset: Dataset) -> bool:
    # What is deleted can be had back, and nothing else; documents are pushed to apps
    if role == "push" or (dataset.deleted_at is not None and role != "manage"):
        return False
    if not is_login(user):
        return role == "open" and dataset.access == Access.PUBLIC
    if getattr(user, "is_superuser", False) or dataset.owner_id == user.pk:
        return True
    if role == "open" and dataset.access in OPEN_TO_LOGINS:
        return True
    if role == "manage" and has_permission(user, "apps_registry.change_dataset"):
        return True
    return (
        dataset.pk is not None and DatasetGrant.objects.giving(role, user).filter(dataset=dataset.pk).exists()
    )


def guest(key: str) -> GuestUser | None:
    """The guest of the link with this key (or of the ``user_id`` made from it), if it is valid; asks the database."""
    key = key.removeprefix(_GUEST)
    link = GuestLink.objects.valid().filter(key=key).first() if _KEY.fullmatch(key) else None
    return None if link is None else GuestUser(link)


def is_guest(user_id: str | None) -> bool:
    """Whether ``user_id``, as ``user_id()`` gives it, is that of a guest."""
    return user_id is not None and user_id.startswith(_GUEST)


def sees_tracebacks(user: Any) -> bool:
    """Whether a failure's traceback is shown to ``user``: to staff, and to everybody under ``DEBUG``."""
    return site.DEBUG or bool(is_login(user) and getattr(user, "is_staff", False))


def user_id(user: Any) -> str | None:
    """What binds a token and a session to ``user``; None for a visitor."""
    if (link := getattr(user, "guest_link", None)) is not None:
        return f"{_GUEST}{link.key}"
    return str(user.pk) if user is not None and user.is_authenticated else None


def user_name(user: Any) -> str:
    """What records call ``user``; empty for a visitor."""
    if user is None or not (user.is_authenticated or hasattr(user, "guest_link")):
        return ""
    return str(user.get_username() if user.is_authenticated else user)[:200]
