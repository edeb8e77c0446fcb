"""Writes down who opened what and what went wrong, in batches, so that no door waits for the database."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import threading
from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.db import DataError, Error, IntegrityError, connections, models, router, transaction
from django.db.models.signals import pre_delete
from django.utils import timezone

from . import permissions
from .conf import settings
from .exceptions import AppNotFound, VizserverError
from .models import Failure, Opening, VizApp

log = logging.getLogger(__name__)

#: Equal refusals within so long a time are one record.
_SAME = timedelta(minutes=1)
#: So many records wait at most while the database does not take them.
_MAX_WAITING = 10_000
#: So many records go into one transaction, for others have to write too.
_AT_ONCE = 500
#: So many failures of one app are written down in a minute; who fails in a loop shall not fill the disk.
_MAX_FAILURES = 20
#: Of a longer traceback the end is kept, where the error stands.
_MAX_DETAIL = 50_000
#: What is wrong with a record itself; every other error of the database is over some time.
_FAULTS = (IntegrityError, DataError, ValueError)


@dataclass(frozen=True)
class Visitor:
    """Who stands at a door: user, network address, and the site from whose page he comes."""

    user: Any = None
    address: str | None = None
    origin: str = ""

    def known_as(self, user: Any) -> Visitor:
        """The same visitor, once his user is known."""
        return replace(self, user=user)


def short_name(session_id: str) -> str:
    """What a session is called in records; its id itself would open it."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:12]


class Records:
    """Collects records on the event loop; ``flush`` writes them, on a thread."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._new: deque[models.Model] = deque(maxlen=_MAX_WAITING)
        self._changed: deque[Opening] = deque(maxlen=_MAX_WAITING)
        #: In the order of their times
        self._refusals: dict[tuple[object, ...], Opening] = {}
        self._failures: dict[str, deque[datetime]] = defaultdict(partial(deque, maxlen=_MAX_FAILURES))
        self._writing = threading.Lock()
        self._complained = False

    def opened(self, row: VizApp, visitor: Visitor, door: str, session_id: str) -> Opening:
        """An opening; hand it to ``ended`` when it is over."""
        opening = self._opening(row, visitor, door, Opening.Outcome.OPENED)
        opening.session = short_name(session_id)
        self._new.append(opening)
        return opening

    def ended(self, opening: Opening, reason: VizserverError | None) -> None:
        """An opening is over; ``reason`` is None when the viewer went by himself."""
        opening.ended_at = timezone.now()
        opening.reason = _text(str(reason), 200) if reason is not None else ""
        self._changed.append(opening)

    def refused(self, row: VizApp, visitor: Visitor, door: str, error: VizserverError) -> None:
        """A visitor was not let in."""
        now = timezone.now()
        self._forget_refusals(before=now - _SAME)
        key = (row.name, permissions.user_id(visitor.user), visitor.address, door, type(error))
        if (known := self._refusals.get(key)) is not None:
            known.times += 1
            self._changed.append(known)
            return
        opening = self._refusals[key] = self._opening(row, visitor, door, Opening.Outcome.REFUSED)
        opening.reason, opening.ended_at = _text(_why(row, error), 200), opening.started_at
        self._new.append(opening)

    def failed(self, row: VizApp, user: Any, reference: str, summary: str, detail: str) -> None:
        """The code of an app has failed."""
        now = timezone.now()
        recent = self._failures[row.name]
        if len(recent) == _MAX_FAILURES and now - recent[0] < _SAME:
            return
        recent.append(now)
        self._new.append(
            Failure(
                **_whom(row, user),
                reference=reference,
                summary=_text(summary, 300),
                detail=_text(detail[-_MAX_DETAIL:]),
                at=now,
                host=self._host,
            )
        )

    def flush(self) -> None:
        """Write what has been collected. What the database does not take now, it is offered again next time."""
        with self._writing:
            try:
                while self._new or self._changed:
                    self._flush_some(_taken(self._new), _taken(self._changed))
                self._complained = False
            except Error as error:
                if not self._complained:
                    log.warning("The audit waits until the database takes it: %s", error)
                self._complained = True

    def _flush_some(self, new: list[models.Model], changed: list[Opening]) -> None:
        try:
            _write(new, changed)
        except _FAULTS:
            self._write_singly(new, changed)
        except Error:
            self._put_back(new, changed)
            raise

    def _write_singly(self, new: list[models.Model], changed: list[Opening]) -> None:
        """Write all but the records that are at fault, so that one of them does not keep back all."""
        unlink_deleted(new)
        waiting = deque(new)
        try:
            while waiting:
                try:
                    _write([waiting[0]], [])
                except _FAULTS as error:
                    log.error("The record %s cannot be written: %s", waiting[0], error)
                waiting.popleft()
            _write([], changed)
        except Error:
            self._put_back(list(waiting), changed)
            raise

    def _put_back(self, new: list[models.Model], changed: list[Opening]) -> None:
        self._new.extendleft(reversed(new))
        self._changed.extendleft(reversed(changed))

    def _forget_refusals(self, *, before: datetime) -> None:
        while self._refusals:
            key, oldest = next(iter(self._refusals.items()))
            if oldest.started_at > before:
                return
            del self._refusals[key]

    def _opening(self, row: VizApp, visitor: Visitor, door: str, outcome: Opening.Outcome) -> Opening:
        return Opening(
            **_whom(row, visitor.user),
            outcome=outcome,
            door=door,
            address=_address(visitor.address),
            origin=_host_of(visitor.origin),
            started_at=timezone.now(),
        )


def connect() -> None:
    """Let nobody write of an app or a user that is just being deleted."""
    for model in (VizApp, get_user_model()):
        pre_delete.connect(_hold, model)


def _hold(sender: type[models.Model], instance: models.Model, using: str, **kwargs: Any) -> None:
    # A record that comes between would refer to it, for which databases refuse to delete it. Not SQLite, which
    # lets one write at a time, and may let nobody write who has read
    if connections[using].features.has_select_for_update:
        sender._base_manager.using(using).select_for_update().filter(pk=instance.pk).first()


def expire() -> None:
    """Delete records that are older than the settings keep them."""
    now = timezone.now()
    olds: Iterable[tuple[int, models.QuerySet[Any]]] = (
        (settings.AUDIT_DAYS, Opening.objects.filter(started_at__lt=now - timedelta(settings.AUDIT_DAYS))),
        (settings.FAILURE_DAYS, Failure.objects.filter(at__lt=now - timedelta(settings.FAILURE_DAYS))),
    )
    for days, old in olds:
        if days:
            old.delete()


def unlink_deleted(records: Collection[Any]) -> None:
    """Take the links of ``records`` to apps and users that have been deleted since; the names stay."""
    related: tuple[tuple[str, type[models.Model]], ...] = (("app_id", VizApp), ("user_id", get_user_model()))
    for name, model in related:
        linked = {getattr(record, name) for record in records} - {None}
        there = set(model._base_manager.filter(pk__in=linked).values_list("pk", flat=True))
        for record in records:
            if getattr(record, name) not in there:
                setattr(record, name, None)


def _write(new: Collection[models.Model], changed: Collection[Opening]) -> None:
    using = router.db_for_write(Opening)
    try:
        with transaction.atomic(using=using):
            _wait_briefly(using)
            for record in new:
                record.save(force_insert=True)
            for opening in {id(opening): opening for opening in changed}.values():
                # Not `save`, which fails for one that has been deleted
                Opening.objects.filter(pk=opening.pk).update(
                    ended_at=opening.ended_at, reason=opening.reason, times=opening.times
                )
    except (Error, ValueError):
        for record in new:
            record.pk = None
        raise


def _wait_briefly(using: str) -> None:
    """Give up before PostgreSQL, after a second, ends somebody's deleting of users or apps as a deadlock."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '300ms'")


def _taken[T](waiting: deque[T]) -> list[T]:
    return [waiting.popleft() for _ in range(min(len(waiting), _AT_ONCE))]


def _whom(row: VizApp, user: Any) -> dict[str, Any]:
    pk = user.pk if user is not None and user.is_authenticated else None
    return {
        "app_id": row.pk,
        "app_name": row.name,
        "user_id": pk,
        "username": _text(permissions.user_name(user)),
    }


def _why(row: VizApp, error: VizserverError) -> str:
    """What the audit says of a refusal: more than the visitor is told, who may not know that there is such an app."""
    if not isinstance(error, AppNotFound):
        return str(error)
    return "There is no grant." if row.enabled else "The app is off."


def _text(text: str, length: int | None = None) -> str:
    """A text as every database takes it: of UTF-8, without NUL, and not too long."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")[:length]


def _address(address: str | None) -> str | None:
    try:
        return str(ipaddress.ip_address(address or ""))
    except ValueError:
        # A Unix socket has none
        return None


def _host_of(origin: str) -> str:
    try:
        return _text(urlsplit(origin).netloc, 200)
    except ValueError:
        return ""
