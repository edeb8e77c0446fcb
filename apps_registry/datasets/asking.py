"""Who asks for data, and what he may see of it as of now."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from .. import permissions
from ..exceptions import DataRefused, NothingPublished, UserNeeded, quoted
from ..live.context import current_session
from ..models import Dataset, DatasetVersion
from .finding import find
from .rules import RowFilter, row_filter

#: In place of a user: whoever the session is of.
SESSION_USER: Any = object()


@dataclass(frozen=True)
class View:
    """What somebody may see of a data set: its newest version, under a row filter."""

    dataset: Dataset
    version: DatasetVersion
    filters: frozenset[RowFilter]


def asker(user: Any, what: str) -> Any:
    """The user, or the one of the session in which this code runs. Raises ``UserNeeded``.

    ``what`` is the call, for the message.
    """
    if user is not SESSION_USER:
        return AnonymousUser() if user is None else user
    session = current_session.get()
    if session is None:
        raise UserNeeded(
            f"There is no session here whose user it could be for. Say as whom: {what}, user=...)"
        )
    return AnonymousUser() if session.user is None else session.user


def fresh(user: Any) -> Any:
    """The user as the database has him now; a visitor, if he was deleted or switched off. It asks the database."""
    if (link := getattr(user, "guest_link", None)) is not None:
        return permissions.guest(link.key) or AnonymousUser()
    model = get_user_model()
    if not isinstance(user, model):
        # A visitor, or whom the site knows by other means
        return user
    found = model._default_manager.filter(pk=user.pk).first()
    return found if found is not None and found.is_active else AnonymousUser()


def view(user: Any, name: str) -> View:
    """What ``user``, who is ``fresh``, may see of a data set. It asks the database.

    Raises ``MayNotSee`` or ``NothingPublished``.
    """
    found = find(name, user)
    if found.newest is None:
        raise NothingPublished(f"Nothing has been published as {quoted(name)} yet.")
    filter = row_filter(user, found)
    return View(found, found.newest, frozenset() if filter is None else frozenset([filter]))


class Round:
    """One round of asking: what is the same for many viewers is asked once."""

    def __init__(self) -> None:
        self._answers: dict[object, Any] = {}

    def once[T](self, key: object, ask: Callable[[], T]) -> T:
        """What ``ask`` gives, called only the first time for a key."""
        if key not in self._answers:
            self._answers[key] = ask()
        return self._answers[key]  # type: ignore[no-any-return]

    def user(self, user: Any) -> Any:
        """``fresh``."""
        return self.once(("user", _key(user)), lambda: fresh(user))

    def view(self, user: Any, name: str) -> View | None:
        """``view`` of the user as he is now; None when that is refused."""

        def ask() -> View | None:
            with suppress(DataRefused):
                return view(self.user(user), name)
            return None

        return self.once(("view", _key(user), name), ask)


def _key(user: Any) -> object:
    known = getattr(user, "guest_link", None) is not None or isinstance(user, get_user_model())
    if known:
        return permissions.user_id(user)
    return id(user) if user.is_authenticated else None
