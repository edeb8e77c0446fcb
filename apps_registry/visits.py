"""The open sockets of this process, and the right by which each is open."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nsmallest
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import Error
from django.views.decorators.debug import sensitive_variables

from . import login, permissions
from .exceptions import (
    AccessEnded,
    AppDisabled,
    LoginEnded,
    LoginRequired,
    SessionNotYours,
    VizserverError,
)
from .live.connection import Connection
from .live.session import Session
from .models import Access, Opening, VizApp
from .tokens import CLIENT, Claims

log = logging.getLogger(__name__)

type May = Callable[[Any, str, Any], bool]

#: For so many seconds a login that has ended is remembered: Django tells of the end before it comes.
_REMEMBERED = 600.0


@dataclass(eq=False)
class Visit:
    """One socket on a session: who is behind it, and how to ask again whether he may."""

    connection: Connection
    session: Session
    app_name: str
    user: Any
    #: The handshake, from whose cookie the login is read again; reports of errors show a visit, and not its keys
    scope: dict[str, Any] = field(repr=False)
    claims: Claims
    opening: Opening
    #: When it was last asked who is behind it, by ``time.monotonic()``
    asked_at: float = field(init=False, default_factory=time.monotonic)
    user_id: str | None = field(init=False)
    #: What notices call the login
    login: str | None = field(init=False)

    def __post_init__(self) -> None:
        self.user_id = permissions.user_id(self.user)
        self.login = login.name_of(self.scope)

    @property
    def expires_at(self) -> datetime | None:
        """When the guest link ends by which this socket is open, if it is by one."""
        link = getattr(self.user, "guest_link", None)
        return None if link is None else link.expires_at


class Visits:
    """All visits of this process."""

    def __init__(self, row: Callable[[str], VizApp | None]) -> None:
        self._row = row
        self._visits: set[Visit] = set()
        self._ended_logins: dict[str, float] = {}
        #: Goes up before and after each notice that may take away a right is followed
        self.changes = 0

    def add(self, visit: Visit) -> None:
        """A socket was let in."""
        self._visits.add(visit)

    def remove(self, visit: Visit) -> None:
        """A socket is closed."""
        self._visits.discard(visit)

    def all(self) -> list[Visit]:
        """All of them."""
        return list(self._visits)

    def select(
        self,
        *,
        apps: Collection[str] = (),
        user_ids: Collection[str] = (),
        logins: Collection[str] = (),
    ) -> list[Visit]:
        """The visits of any of these apps, users and logins."""
        return [
            visit
            for visit in self._visits
            if visit.app_name in apps or visit.user_id in user_ids or visit.login in logins
        ]

    def longest_unasked(self, count: int) -> list[Visit]:
        """As many visits, or some more, of which it was not asked for the longest time who is behind them."""
        oldest = nsmallest(count, self._visits, key=lambda visit: visit.asked_at)
        logins = {visit.login for visit in oldest} - {None}
        return list({*oldest, *(visit for visit in self._visits if visit.login in logins)})

    def end_login(self, name: str) -> None:
        """Take nobody in by this login any more."""
        now = time.monotonic()
        self._ended_logins = {
            other: at for other, at in self._ended_logins.items() if now - at < _REMEMBERED
        } | {name: now}

    @sensitive_variables("scope")
    def user_behind(self, scope: dict[str, Any], *, fresh: bool = False) -> Any:
        """Who stands behind a handshake, as ``login.user_of`` says; nobody, if his login has ended."""
        user = login.user_of(scope, fresh=fresh)
        return AnonymousUser() if login.name_of(scope) in self._ended_logins else user

    def row(self, app_name: str) -> VizApp | None:
        """The row of an app, as it was last read."""
        return self._row(app_name)

    def ask(
        self, app_name: str, claims: Claims, user: Any, may: May | None = None
    ) -> tuple[Any, VizserverError | None]:
        """As whom the holder of a token who is logged in as ``user`` counts, and why he may not stay, if so.

        A token is ours, so that its holder may hear what became of the app. It may ask the database.
        ``may`` stands for ``permissions.may``.
        """
        may = may or permissions.may
        row = self._row(app_name)
        if claims.may_push:
            return user, None if row is not None and row.enabled else AppDisabled()
        if permissions.is_guest(claims.user_id):
            user = permissions.guest(str(claims.user_id))
            if user is None:
                return None, AccessEnded("The link by which you came is no longer valid.")
        elif claims.owner != CLIENT and claims.user_id != (user_id := permissions.user_id(user)):
            return user, LoginEnded() if user_id is None else SessionNotYours()
        if row is not None and may(user, "open", row):
            return user, None
        if row is None or not row.enabled:
            return user, AppDisabled()
        needs_login = row.access == Access.LOGIN and not permissions.is_login(user)
        return user, LoginRequired() if needs_login else AccessEnded()

    def may_push(self, app_name: str, user: Any) -> bool:
        """Whether a Python client of ``user`` may replace the document. It may ask the database."""
        row = self._row(app_name)
        return row is not None and permissions.may(user, "push", row)


class Recheck:
    """One round of asking again who may stay; what is the same for several sockets is asked once.

    With ``fresh``, logins and users are read again too, and not only rows and grants.
    Measured for 2,000 users on SQLite: 25 ms, and with ``fresh`` 2.8 s.
    """

    def __init__(self, visits: Visits, *, fresh: bool = False) -> None:
        self._visits = visits
        self._fresh = fresh
        self._users: dict[tuple[object, ...], Any] = {}
        self._open: dict[tuple[str, object], bool] = {}
        self._answers: dict[tuple[object, ...], tuple[Any, VizserverError | None]] = {}

    def refused(self, some: Collection[Visit]) -> list[tuple[Visit, VizserverError]]:
        """Those that may not stay, and why. Called on a thread; raises ``django.db.Error``."""
        if not self._fresh:
            self._ask_together(some)
        asked = ((visit, self._refusal(visit)) for visit in some)
        return [(visit, error) for visit, error in asked if error is not None]

    def _refusal(self, visit: Visit) -> VizserverError | None:
        try:
            user, error = self._ask(visit)
        except Error:
            raise
        except VizserverError as error:
            return error
        except Exception:
            # Code of the site, such as a backend of its own; the tab comes back, and meets it at the door
            log.exception("The right of a socket of %s could not be found out.", visit.app_name)
            return VizserverError()
        if error is None:
            visit.user = user
            if self._fresh:
                visit.asked_at = time.monotonic()
            if visit.connection.may_push and not visit.claims.may_push:
                visit.connection.may_push = self._visits.may_push(visit.app_name, user)
        return error

    def _ask(self, visit: Visit) -> tuple[Any, VizserverError | None]:
        user, claims = self._user(visit), visit.claims
        same = (visit.app_name, claims.owner, claims.user_id, claims.may_push, permissions.user_id(user))
        if same not in self._answers:
            self._answers[same] = self._visits.ask(visit.app_name, claims, user, self._may)
        return self._answers[same]

    def _ask_together(self, some: Iterable[Visit]) -> None:
        """Ask in a few queries what would be one for each user."""
        users: dict[str, list[Any]] = defaultdict(list)
        for visit in some:
            if visit.user is not None and visit.user.pk is not None:
                users[visit.app_name].append(visit.user)
        for app_name, its_users in users.items():
            if (row := self._visits.row(app_name)) is None:
                continue
            try:
                answers = permissions.may_each(its_users, "open", row)
            except Error:
                raise
            except Exception:
                # Of whom this is true shows when each is asked about alone
                answers = {}
            self._open |= {(app_name, key): answer for key, answer in answers.items()}

    def _may(self, user: Any, role: str, row: Any) -> bool:
        known = self._open.get((row.name, user.pk)) if user is not None else None
        return permissions.may(user, role, row) if known is None else known

    def _user(self, visit: Visit) -> Any:
        if not self._fresh:
            return visit.user
        # A site's own middleware may know users without any login
        same = (visit.login, visit.user_id)
        if same not in self._users:
            self._users[same] = self._visits.user_behind(visit.scope, fresh=True)
        return self._users[same]
