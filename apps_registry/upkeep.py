"""What a process does beside serving: it follows notices, asks rights again, writes records."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import batched, islice
from math import ceil
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from django.db import Error
from django.utils import timezone

from . import permissions, records, relay
from .conf import settings
from .datasets import retention
from .datasets.following import Following
from .exceptions import (
    AppDisabled,
    AppError,
    AppNotFound,
    AppReloaded,
    EndedByAdmin,
    LoginEnded,
    ServerStopping,
    VizserverError,
)
from .live.memory import estimate
from .live.session import Session
from .models import VizApp
from .presence import Seen
from .records import short_name
from .relay import Heard
from .visits import Recheck, Visit

if TYPE_CHECKING:
    from .runtime import Runtime

log = logging.getLogger(__name__)

#: Seconds between two writings of the records, and between two looks for rights that end by the clock.
TICK = 1.0
#: Seconds between two looks for records that are too old.
EXPIRE_EVERY = 3600.0
#: Seconds for which an estimate of a session's memory is good enough.
_ESTIMATE_EVERY = 30.0
#: Sockets whose rights are asked in one go; those that must close do so before the next ones are asked.
_AT_ONCE = 100

#: The notices after which rights are asked again; all that wait are followed together.
_RIGHTS = frozenset({"rows", "rights", "user", "logout"})


@dataclass
class _Size:
    """What a session was estimated to take, and when, by the clock of the loop."""

    at: float
    bytes: int | None


class Upkeep:
    """The steady work of one runtime."""

    def __init__(self, host: Runtime) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        #: When all rights have to be asked again
        self._recheck_at = self._loop.time() + settings.RECHECK_SECONDS
        #: Whether the database did not answer since then
        self._has_failed = False
        #: When the code of an app was last loaded anew by a notice
        self._reloaded: dict[str, float] = {}
        self._sizes: WeakKeyDictionary[Session, _Size] = WeakKeyDictionary()
        self._following = Following(host.workers.run)

    def start(self) -> None:
        """Begin with all of it."""
        self._spawn("records", self._every(TICK, self.flush))
        self._spawn("rights", self._every(TICK, self._look_after_rights))
        self._spawn("retention", self._every(EXPIRE_EVERY, self._expire))

    async def stop(self) -> None:
        """End all of it, and write what is left to be written."""
        self._stopping.set()
        await self._following.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=settings.STOP_TIMEOUT)
            for task in late:
                task.cancel()
        for visit in self._host.visits.all():
            self._host.records.ended(visit.opening, visit.connection.closed or ServerStopping())
        try:
            async with asyncio.timeout(settings.STOP_TIMEOUT):
                await self._host.workers.run(self._host.records.flush)
                await self._host.workers.run(self._host.presence.end)
        except TimeoutError:
            log.warning("The database did not take the last records in time.")

    def _spawn(self, name: str, step: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(step, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await step()
            except Exception:
                log.exception("%s failed.", step.__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()

    # Notices

    async def heard(self, notices: Collection[Heard]) -> None:
        """Do what notices ask for; ``relay.KINDS`` says what that is."""
        visits = self._host.visits
        visits.changes += 1
        try:
            try:
                await self._follow_rights([notice for notice in notices if notice.kind in _RIGHTS])
            except Exception:
                # What else was heard is followed all the same
                log.exception("Rights could not be asked.")
                self._recheck_soon()
            for notice in notices:
                if notice.kind not in _RIGHTS:
                    self._follow(notice)
            await self._following.heard([(notice.kind, notice.data) for notice in notices])
        finally:
            # Who came to the door meanwhile may have been asked by what was known before
            visits.changes += 1

    async def _follow_rights(self, notices: Collection[Heard]) -> None:
        named = {
            kind: {value for notice in notices if notice.kind == kind for value in notice.data.values()}
            for kind in _RIGHTS
        }
        visits = self._host.visits
        for login in named["logout"]:
            visits.end_login(login)
        people = visits.select(user_ids=named["user"], logins=named["logout"])
        await self.recheck(people, fresh=True)
        if named["rows"]:
            await self._reread()
            self._spawn("loading", self._host.settle())
        apps = named["rows"] | named["rights"] | self._without_row()
        await self.recheck(visits.all() if None in apps else visits.select(apps=apps))
        await self._end_unattended(named["rows"])

    def _without_row(self) -> set[str]:
        """The apps of open sockets that have no row, as after a change of name."""
        names = {visit.app_name for visit in self._host.visits.all()}
        return {name for name in names if self._host.registry.row(name) is None}

    async def _end_unattended(self, apps: Collection[str]) -> None:
        """End the sessions of apps that were switched off which no tab shows just now."""
        host = self._host
        left = [session for app in apps for session in host.pool.sessions(app) if not session.connections]

        def switched_off() -> list[Session]:
            rows = {app: host.registry.row(app) for app in apps}
            return [session for session in left if not _is_served(session, rows[session.app_name])]

        if left:
            self._end(await host.workers.run(switched_off), AppDisabled())

    def _follow(self, notice: Heard) -> None:
        host, data = self._host, notice.data
        match notice.kind:
            case "reload":
                self._spawn("reload", self._reload(data["app"]))
            case "end_sessions":
                self._end(host.pool.sessions(data["app"]), EndedByAdmin())
            case "end_session":
                self._end(self._named(data["session"]), EndedByAdmin())
            case "message":
                for session in self._named(data["session"]):
                    session.tell(data["text"])

    async def _reload(self, app_name: str) -> None:
        # A task of its own: an app may take long to load, and other notices do not wait for that
        host = self._host
        try:
            app = await host.workers.run(lambda: host.registry.get(app_name))
            await host.workers.run(app.load)
        except AppError as error:
            host.report(app_name, error.reference, error)
            return
        except AppNotFound:
            return
        self._reloaded[app_name] = self._loop.time()
        host.visits.changes += 1
        self._end(host.pool.sessions(app_name), AppReloaded())

    def _named(self, short: str) -> list[Session]:
        return [session for session in self._host.pool.sessions() if short_name(session.id) == short]

    def _end(self, sessions: Iterable[Session], reason: VizserverError) -> None:
        for session in sessions:
            self._host.pool.end_soon(session, reason)

    # Rights

    async def _look_after_rights(self) -> None:
        visits, now = self._host.visits, self._loop.time()
        if now >= self._recheck_at:
            self._recheck_at = now + settings.RECHECK_SECONDS
            has_failed, self._has_failed = self._has_failed, False
            await self._reread()
            await self.recheck(visits.all(), fresh=has_failed)
            await self._following.recheck()
        # A few at a time, for to read logins again costs several queries for each
        share = min(1.0, 1.25 * TICK / settings.RECHECK_SECONDS)
        await self.recheck(visits.longest_unasked(ceil(share * len(visits.all()))), fresh=True)
        wall = timezone.now()
        await self.recheck([visit for visit in visits.all() if visit.expires_at and visit.expires_at <= wall])

    async def _reread(self) -> None:
        registry = self._host.registry
        registry.refresh()
        await self._host.workers.run(registry.apps)
        if not registry.is_current:
            self._recheck_soon()

    def _recheck_soon(self) -> None:
        """The database has failed: what was to be asked now is asked as soon as it answers again."""
        self._recheck_at = self._loop.time()
        self._has_failed = True

    async def recheck(self, visits: Iterable[Visit], *, fresh: bool = False) -> None:
        """Close those that may not stay; with ``fresh``, logins and users are read again too."""
        asking = Recheck(self._host.visits, fresh=fresh)
        for some in batched([visit for visit in visits if visit.connection.closed is None], _AT_ONCE):
            try:
                refused = await self._host.workers.run(partial(asking.refused, some))
            except Error as error:
                log.warning("Rights could not be asked: %s", error)
                self._recheck_soon()
                return
            for visit, reason in refused:
                self._turn_out(visit, reason)
            for visit in some:
                if visit.session.started < self._reloaded.get(visit.app_name, 0):
                    # It was under way when the code was loaded anew
                    self._end([visit.session], AppReloaded())

    def _turn_out(self, visit: Visit, reason: VizserverError) -> None:
        log.info("A socket of %s is closed: %s", visit.app_name, reason)
        visit.connection.close(reason)
        is_last = all(connection.closed is not None for connection in visit.session.connections)
        # Who has only to log in again finds his session as he left it
        if is_last and not isinstance(reason, LoginEnded):
            self._host.pool.end_soon(visit.session, reason)

    # Records

    async def flush(self) -> None:
        """Write down what was opened, what failed, and which sessions live."""
        host, now = self._host, self._loop.time()
        sessions = [session for session in host.pool.sessions() if not session.destroyed]
        for session in islice((session for session in sessions if self._is_to_measure(session)), _AT_ONCE):
            self._measure(session)
        await host.workers.run(host.records.flush)
        await host.workers.run(lambda: host.presence.write(self._seen(session, now) for session in sessions))

    async def _expire(self) -> None:
        try:
            await self._host.workers.run(records.expire)
            await self._host.workers.run(relay.expire)
            await self._host.workers.run(retention.run)
        except Error as error:
            log.warning("Old records could not be deleted: %s", error)

    def _seen(self, session: Session, now: float) -> Seen:
        wall = timezone.now()
        user: Any = session.user
        row = self._host.registry.row(session.app_name)
        size = self._sizes.get(session)
        return Seen(
            session=short_name(session.id),
            app_name=session.app_name,
            app_id=row.pk if row is not None else None,
            user_id=user.pk if user is not None and user.is_authenticated else None,
            username=permissions.user_name(user),
            started_at=wall - timedelta(seconds=now - session.started),
            active_at=wall - timedelta(seconds=now - session.active),
            tabs=len(session.connections),
            memory=size.bytes if size is not None else None,
        )

    def _is_to_measure(self, session: Session) -> bool:
        size = self._sizes.get(session)
        if session.is_busy or size is None:
            return not session.is_busy
        may_have_changed = session.active > size.at or session.document.session_callbacks
        return bool(may_have_changed) and self._loop.time() - size.at >= _ESTIMATE_EVERY

    def _measure(self, session: Session) -> None:
        before, document = self._sizes.get(session), session.document
        known = before.bytes if before is not None else None
        size = self._sizes[session] = _Size(self._loop.time(), known)

        def measure() -> None:
            try:
                size.bytes = estimate(document)
            except Exception:
                # It is none of the app's failures
                log.debug("The size of a session of %s is not known.", session.app_name, exc_info=True)

        session.post(measure)


def _is_served(session: Session, row: VizApp | None) -> bool:
    return row is not None and (row.enabled or permissions.may(session.user, "open", row))
