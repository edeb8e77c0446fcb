"""Writes down which sessions live in this process, for the admin of any process to see."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import Error, IntegrityError, connections, router
from django.db.models import Q, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from .models import Host, LiveSession, Opening
from .records import unlink_deleted

log = logging.getLogger(__name__)

_BEAT = timedelta(seconds=10)
#: A session's line is written again when it was last active so much later.
_NEWS = timedelta(seconds=5)
_AT_ONCE = 500
#: What of a line may change.
_CHANGING = ("active_at", "tabs", "memory")


@dataclass(frozen=True)
class Seen:
    """One session, as it is right now."""

    session: str
    app_name: str
    app_id: int | None
    user_id: Any
    username: str
    started_at: datetime
    active_at: datetime
    tabs: int
    memory: int | None

    def is_news_after(self, before: Seen) -> bool:
        """Whether an older line of the same session has to be written again."""
        return (
            self.tabs != before.tabs
            or self.memory != before.memory
            or self.active_at - before.active_at > _NEWS
        )


def host_name() -> str:
    """A name of this process that no other ever had."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(3)}"


class Presence:
    """Keeps the lines of this process up to date; all methods run on one thread at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._host: Host | None = None
        self._written: dict[str, Seen] = {}
        self._complained = False

    def write(self, seen: Iterable[Seen]) -> None:
        """Write down what has changed since the last time."""
        try:
            self._write(self._beat(), {line.session: line for line in seen})
            self._complained = False
        except Error as error:
            if not self._complained:
                log.warning("The live sessions could not be written down: %s", error)
            self._complained = True

    def elsewhere(self, app_name: str, user_id: object, *, but: str = "") -> tuple[int, int]:
        """How many sessions of an app, and how many of them of a user, other processes have written down.

        ``but`` names a session that is not counted: it may come from a process that has ended without a word.
        """
        others = LiveSession.objects.filter(app_name=app_name).exclude(host__name=self.name)
        living = others.exclude(session=but).exclude(host__in=Host.objects.gone())
        try:
            users = list(living.values_list("user_id", flat=True))
        except Error:
            return 0, 0
        return len(users), sum(str(other) == user_id for other in users)

    def end(self) -> None:
        """This process serves no more."""
        try:
            Host.objects.filter(name=self.name).delete()
        except Error as error:
            log.debug("The host could not be taken out: %s", error)

    def _beat(self) -> Host:
        now = timezone.now()
        if self._host is not None and now - self._host.seen_at <= _BEAT:
            return self._host
        _bury_others(self.name)
        if self._host is not None and Host.objects.filter(pk=self._host.pk).update(seen_at=now):
            self._host.seen_at = now
            return self._host
        # The first beat, or another process took this one for gone, as after a laptop's sleep
        self._written = {}
        self._host = Host.objects.create(name=self.name, started_at=now, seen_at=now)
        return self._host

    def _write(self, host: Host, lines: dict[str, Seen]) -> None:
        gone = self._written.keys() - lines.keys()
        if gone:
            LiveSession.objects.filter(host=host, session__in=gone).delete()
        for name in gone:
            del self._written[name]
        news = [line for name, line in lines.items() if self._is_news(name, line)]
        if not news:
            return
        _save([LiveSession(host=host, **vars(line)) for line in news])
        self._written.update({line.session: line for line in news})

    def _is_news(self, name: str, line: Seen) -> bool:
        before = self._written.get(name)
        return before is None or line.is_news_after(before)


def _bury_others(name: str) -> None:
    """Take out the processes that ended without a word, and say so of the openings that they left."""
    for host in Host.objects.gone().exclude(name=name):
        # After its last sign of life, a session may have come back to another process under the same name
        elsewhere = LiveSession.objects.exclude(host=host).values("session")
        before = Q(started_at__lte=host.seen_at)
        after = Q(started_at__lte=host.seen_at + _BEAT) & ~Q(session__in=elsewhere)
        left = Opening.objects.filter(
            before | after, ended_at=None, session__in=host.sessions.values("session")
        )
        ended_at = Greatest("started_at", Value(host.seen_at))
        left.update(ended_at=ended_at, reason="The server ended without a word.")
        host.delete()


def _save(lines: Collection[LiveSession]) -> None:
    try:
        _upsert(lines)
    except IntegrityError:
        # An app or user was deleted, so that the session is about to end
        unlink_deleted(lines)
        _upsert(lines)


def _upsert(lines: Collection[LiveSession]) -> None:
    features = connections[router.db_for_write(LiveSession)].features
    LiveSession.objects.bulk_create(
        lines,
        batch_size=_AT_ONCE,
        update_conflicts=True,
        update_fields=_CHANGING,
        # MySQL finds them by itself
        unique_fields=("host", "session") if features.supports_update_conflicts_with_target else None,
    )
