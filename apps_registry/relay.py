"""Notices between processes: what one has changed, the others hear.

The database carries them, so that nothing else is needed; every process looks for new ones every
``NOTICE_SECONDS``. A Redis channel layer, where there is one, tells the processes to look at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import Error, transaction
from django.utils import timezone

from .conf import settings
from .models import Notice

log = logging.getLogger(__name__)

#: What a process is told, and what it does then.
KINDS = {
    "rows": "The row of an app (`app`) was made, changed or deleted.",
    "rights": "The grants or guest links of an app (`app`), or of all apps, were changed.",
    "user": "A user (`user`) was changed, deleted, or put into other groups.",
    "logout": "A login (`login`) has ended.",
    "reload": "The code of an app (`app`) shall be loaded anew.",
    "end_sessions": "The sessions of an app (`app`) shall end.",
    "end_session": "A session (`session`) shall end.",
    "message": "The tabs of a session (`session`) shall show a text (`text`).",
    "dataset": "A data set (`dataset`) has a new newest version.",
    "data_rights": "A data set (`dataset`), or who may see it, was changed; or it was deleted. None: any may be.",
    "model": "Rows (`pks`; None: any) of a model of the site (`model`) were changed.",
}

_GROUP = "apps_registry.notices"
_WORD = {"type": "notice"}
_KEPT = timedelta(hours=1)
#: Numbers are given out before they can be seen, so that a smaller one may turn up after a bigger one.
_WINDOW = 200
#: Notices that are read at once.
_AT_ONCE = 500
#: Seconds after which a process joins the group again: a Redis that was started anew has forgotten who is in it.
_REJOIN_SECONDS = 30.0
#: Seconds that the channel layer may take to pass a word on; who saves something waits for it.
_RING_SECONDS = 2.0
_REST_SECONDS = 10.0

_listeners: list[Callable[[Heard], None]] = []


@dataclass(frozen=True)
class Heard:
    """A notice as it was received; ``number`` is None when no database could number it."""

    kind: str
    data: dict[str, Any]
    number: int | None = None


def publish(kind: str, **data: Any) -> None:
    """Tell all processes, this one too, once the transaction under way is committed."""
    assert kind in KINDS
    transaction.on_commit(lambda: _send(kind, data), robust=True)


def expire() -> None:
    """Delete notices that every process has long heard."""
    Notice.objects.filter(at__lt=timezone.now() - _KEPT).delete()


def _send(kind: str, data: dict[str, Any]) -> None:
    number = None
    try:
        number = Notice.objects.create(kind=kind, data=data).pk
    except Error as error:
        log.warning("Other processes could not be told of %s: %s", kind, error)
    for listener in _listeners.copy():
        listener(Heard(kind, data, number))
    if (layer := _layer()) is not None:
        _bell.ring(layer)


class _Bell:
    """Tells the processes to look at once; after a failure not for a while, or many notices would wait long."""

    def __init__(self) -> None:
        self._rests_until = 0.0

    def ring(self, layer: Any) -> None:
        if time.monotonic() < self._rests_until:
            return
        try:
            async_to_sync(self._ring)(layer)
        except Exception as error:
            self._rests_until = time.monotonic() + _REST_SECONDS
            log.warning("The channel layer took no notice, which will be found late: %r", error)

    def works(self) -> None:
        """The channel layer was heard of."""
        self._rests_until = 0.0

    async def _ring(self, layer: Any) -> None:
        async with asyncio.timeout(_RING_SECONDS):
            try:
                await layer.group_send(_GROUP, _WORD)
            except Exception:
                # A connection to a Redis that was started anew fails when it is next used
                await layer.group_send(_GROUP, _WORD)


_bell = _Bell()


def _layer() -> Any:
    """The channel layer, if it reaches other processes."""
    layer = get_channel_layer()
    return None if isinstance(layer, InMemoryChannelLayer) else layer


class Relay:
    """Hands the notices to ``heard``, on the event loop, in their order and each once: all that wait together.

    ``on_thread`` runs a function that asks the database.
    """

    def __init__(
        self,
        heard: Callable[[list[Heard]], Awaitable[None]],
        on_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:
        self._heard = heard
        self._on_thread = on_thread
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Heard] = asyncio.Queue()
        self._wake = asyncio.Event()
        self._seen: set[int] = set()
        #: The newest number that was read; None until it is known which notices are from before
        self._read_to: int | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._troubles: set[str] = set()

    async def start(self) -> None:
        """Listen to all that is published from now on."""
        await self._read()
        _listeners.append(self._on_published)
        steps = [self._work(), self._poll()]
        if (layer := _layer()) is not None:
            steps.append(self._receive(layer))
        self._tasks = [asyncio.create_task(step, name="relay") for step in steps]

    async def stop(self) -> None:
        """Listen no more."""
        if self._on_published in _listeners:
            _listeners.remove(self._on_published)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_published(self, heard: Heard) -> None:
        # The loop may be closed by now, under a server that does not say when it ends
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, heard)

    async def _work(self) -> None:
        while True:
            notices = [await self._queue.get()]
            while not self._queue.empty():
                notices.append(self._queue.get_nowait())
            try:
                await self._heard(list(self._unseen(notices)))
            except Exception:
                log.exception("The notices %s could not be followed.", {notice.kind for notice in notices})

    def _unseen(self, notices: Iterable[Heard]) -> Iterator[Heard]:
        for notice in notices:
            if notice.number is not None:
                if notice.number in self._seen:
                    continue
                self._seen.add(notice.number)
            yield notice

    # From the database

    async def _poll(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(settings.NOTICE_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            await self._read()

    async def _read(self) -> None:
        try:
            if self._read_to is None:
                await self._begin()
            else:
                await self._read_from(self._read_to)
            self._well("database")
        except Exception as error:
            self._trouble("database", error)

    async def _begin(self) -> None:
        """Note which notices are from before; later even a smaller number that is not among them is new."""
        newest = Notice.objects.order_by("-pk").values_list("pk", flat=True)[:_WINDOW]
        numbers = await self._on_thread(lambda: list(newest))
        self._read_to = numbers[0] if numbers else 0
        self._seen.update(numbers)

    async def _read_from(self, read_to: int) -> None:
        seen = frozenset(self._seen)
        for notice in await self._on_thread(lambda: _newer(read_to - _WINDOW, seen)):
            self._queue.put_nowait(notice)
            self._read_to = max(self._read_to or 0, notice.number)
        self._seen = {number for number in self._seen if number > read_to - _WINDOW}

    # From the channel layer

    async def _receive(self, layer: Any) -> None:
        while True:
            try:
                await self._listen(layer)
            except Exception as error:
                self._trouble("channel layer", error)
                await asyncio.sleep(settings.NOTICE_SECONDS)

    async def _listen(self, layer: Any) -> None:
        channel = await layer.new_channel()
        try:
            while True:
                await layer.group_add(_GROUP, channel)
                self._well("channel layer")
                _bell.works()
                # For what was sent while this process was not in the group
                self._wake.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_REJOIN_SECONDS):
                        await self._wake_by(layer, channel)
        finally:
            with suppress(Exception):
                async with asyncio.timeout(_RING_SECONDS):
                    await layer.group_discard(_GROUP, channel)

    async def _wake_by(self, layer: Any, channel: str) -> None:
        while True:
            try:
                await layer.receive(channel)
            except Exception as error:
                # From version 8 on, redis-py by default makes an error of its own of a long silence
                if type(error).__name__ != "TimeoutError":
                    raise
                return
            self._wake.set()

    # Troubles are told of once, and when they are over

    def _trouble(self, source: str, error: Exception) -> None:
        if source not in self._troubles:
            self._troubles.add(source)
            log.warning("The %s tells of no changes, which are found late: %r", source, error)

    def _well(self, source: str) -> None:
        if source in self._troubles:
            self._troubles.discard(source)
            log.info("The %s tells of changes again.", source)


def _newer(number: int, seen: frozenset[int]) -> list[Heard]:
    """The notices with greater numbers, but for those seen already."""
    numbers = Notice.objects.filter(pk__gt=number).order_by("pk").values_list("pk", flat=True)
    new = [number for number in numbers if number not in seen]
    return [
        Heard(notice.kind, notice.data, notice.pk)
        for some in batched(new, _AT_ONCE)
        for notice in Notice.objects.filter(pk__in=some).order_by("pk")
    ]
