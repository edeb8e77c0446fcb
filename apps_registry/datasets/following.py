"""Keeps what sessions show of published data up to date, and takes it away when the right to see it goes.

When a notice comes, the followers whom it concerns look, on a thread, whether their viewer still may see what he
sees; what he may not is taken away at once. What is new is shown after that, for all followers of a session together,
and not more often than every ``DATA_REFRESH_SECONDS``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import batched
from typing import Any

from ..conf import settings
from .asking import Round
from .followers import Work, everything, look, prepare, refresh

log = logging.getLogger(__name__)

#: What other parts have to tell: see ``relay.KINDS``.
KINDS = frozenset({"dataset", "data_rights", "model", "rights", "user"})

type Notice = tuple[str, Mapping[str, Any]]

_ALL_RIGHTS: Notice = ("rights", {"app": None})

#: Sessions that are looked after in one go; what the first ones lose does not wait for the others.
_AT_ONCE = 20
#: Seconds after which what could not be asked is asked again.
_RETRY_SECONDS = 2.0
#: Seconds that a session may be early, so that several are refreshed together.
_TOGETHER = 0.02


class Following:
    """The looking after all sessions of one event loop. ``on_thread`` runs what asks the database."""

    def __init__(self, on_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._on_thread = on_thread
        self._loop = asyncio.get_running_loop()
        self._looking = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def close(self) -> None:
        """Look after nothing any more."""
        self._is_closed = True
        for timer in (self._timer, self._retry):
            if timer is not None:
                timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def heard(self, notices: Collection[Notice]) -> None:
        """Do what notices of ``KINDS`` ask for. What is new comes some time after this has returned."""
        told = [notice for notice in notices if notice[0] in KINDS]
        works = [work for work in everything() if work.leave(told)] if told else []
        if works:
            await self._look(works)
            self._expect(works)

    async def recheck(self) -> None:
        """Look at everything again, whatever was heard: a word may have been lost, or not have helped."""
        await self.heard([_ALL_RIGHTS])

    # What is taken away

    async def _look(self, works: list[Work]) -> None:
        async with self._looking:
            round = Round()
            for some in batched(works, _AT_ONCE):
                looked = [Work(work.session, work.follows, work.followers) for work in some]
                if not await self._on_thread(partial(prepare, looked, round, look)):
                    self._ask_again()
                for work in looked:
                    self._take_away(work)

    def _take_away(self, work: Work) -> None:
        if not work.changes or work.session.destroyed:
            return
        for follower, change in work.changes:
            follower.taken += 1
            follower.is_lost |= bool(change.words)
        work.session.post(work.apply)
        for words in dict.fromkeys(change.words for _, change in work.changes if change.words):
            work.session.tell(words)

    def _ask_again(self) -> None:
        if self._retry is None and not self._is_closed:
            self._retry = self._loop.call_later(_RETRY_SECONDS, self._asked_again)

    def _asked_again(self) -> None:
        self._retry = None
        self._spawn(self.heard([_ALL_RIGHTS]))

    # What is new

    def _expect(self, works: Iterable[Work]) -> None:
        for work in works:
            for follower in work.followers:
                work.follows.waiting.add(follower)
        self._go_on()

    def _go_on(self) -> None:
        """Refresh those whose time has come, and wait for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        ready: list[Work] = []
        later: list[Work] = []
        for work in everything():
            if work.follows.waiting and not work.follows.is_busy:
                is_due = work.follows.next_at <= now + _TOGETHER
                (ready if is_due else later).append(work)
        if later:
            self._go_on_at(min(work.follows.next_at for work in later))
        for work in ready:
            work.follows.is_busy = True
            work.follows.next_at = now + settings.DATA_REFRESH_SECONDS
            work.followers = [follower for follower in work.followers if follower in work.follows.waiting]
            work.follows.waiting.clear()
        if ready:
            self._spawn(self._refresh(ready))

    def _go_on_at(self, time: float) -> None:
        if self._timer is not None and self._timer.when() <= time:
            return
        if self._timer is not None:
            self._timer.cancel()
        if not self._is_closed:
            self._timer = self._loop.call_at(time, self._go_on)

    async def _refresh(self, works: list[Work]) -> None:
        round = Round()
        # All of them now: what one was told, others are not asked for again
        for work in works:
            work.begin()
        for some in batched(works, _AT_ONCE):
            if not await self._on_thread(partial(prepare, some, round, refresh)):
                self._ask_again()
            for work in some:
                self._show(work)

    def _show(self, work: Work) -> None:
        def done() -> None:
            work.follows.is_busy = False
            for follower in work.skipped:
                work.follows.waiting.add(follower)
            if work.follows.waiting:
                self._go_on_at(work.follows.next_at)

        for follower, _ in work.changes:
            if work.is_current(follower):
                # From here on it shows something again, which may be taken away
                follower.is_lost = False
        if work.changes and not work.session.destroyed:
            work.session.post(work.apply, done)
        else:
            done()

    def _spawn(self, coroutine: Any) -> None:
        task = self._loop.create_task(coroutine, name="published data")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Sessions could not be refreshed.", exc_info=error)
