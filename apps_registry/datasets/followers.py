"""What shows published data in a session, and how it is changed there: all of a session together, in one turn."""

from __future__ import annotations

import inspect
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from django.db import Error

from ..live.session import Session
from .asking import Round

log = logging.getLogger(__name__)

type Callback = Callable[[], Any]
type Ask = Callable[[Follower, Round], Change | None]

_ATTACHMENT = "data"
#: Notices that take no right away.
_NEWS = frozenset({"dataset", "model"})

_sessions: WeakSet[Session] = WeakSet()
_lock = threading.Lock()


@dataclass
class Change:
    """What a follower is to show from now on."""

    #: Called in a turn of the session; gives the callbacks of app code to be called then.
    apply: Callable[[], Iterable[Callback]]
    #: Why it shows nothing any more, for the viewers; empty: it still does.
    words: str = ""


class Follower:
    """Something of one session that shows data."""

    def __init__(self) -> None:
        #: How often something was taken away: what was prepared before that is not shown.
        self.taken = 0
        #: How often its viewer may have lost something: what was asked before that is not shown. Written on the loop.
        self.doubts = 0
        #: Whether it shows nothing, because its viewer may see nothing.
        self.is_lost = False
        #: How many notices it took note of. Written on the loop.
        self.heard = 0
        #: Whether it knows what it shows.
        self.is_ready = False
        # Weakly, as the session lets its follows go at its end
        self._follows: weakref.ref[Follows] | None = None

    def begin[T](self, session: Session | None, ask: Callable[[], T]) -> T:
        """Find out, by ``ask``, what there is to show, and hear of what changes after that in a session.

        It asks again when something was heard meanwhile, which the answer may not have in it.
        """
        if session is not None:
            follows = Follows.of(session)
            self._follows = weakref.ref(follows)
            follows.add(self)
        while True:
            heard = self.heard
            answer = ask()
            # Before the last look at what was heard: the next notice finds either of them
            self.is_ready = True
            if heard == self.heard:
                return answer

    @property
    def is_followed(self) -> bool:
        """Whether there is a session in which it is looked after."""
        return self._follows is not None

    def keep(self, model: Any = None) -> None:
        """Let it live for as long as ``model``, or as its session."""
        follows = self._follows() if self._follows is not None else None
        if follows is not None:
            follows.keep(self, model)

    def hears(self, kind: str, data: Mapping[str, Any]) -> bool:
        """Whether a notice means something to it, of which it may take note. Called on the loop."""
        raise NotImplementedError

    def look(self, round: Round) -> Change | None:
        """What to take away, if anything. Called on a thread."""
        raise NotImplementedError

    def refresh(self, round: Round) -> Change | None:
        """What to show anew, if anything. Called on a thread."""
        raise NotImplementedError

    def nothing(self) -> Change:
        """How it shows nothing: it could not be found out what its viewer may still see."""
        raise NotImplementedError

    def missed(self) -> None:
        """What it was to show anew is not shown, as something was taken away meanwhile, or could not be found out."""


class Follows:
    """The followers of one session: they live as long as app code, or a model that they fill, refers to them."""

    def __init__(self) -> None:
        self._followers: WeakSet[Follower] = WeakSet()
        self._of_models: WeakKeyDictionary[Any, Follower] = WeakKeyDictionary()
        self._kept: set[Follower] = set()
        #: Those that may have something new to show
        self.waiting: WeakSet[Follower] = WeakSet()
        #: When that may be shown, by the clock of the loop
        self.next_at = 0.0
        self.is_busy = False

    @classmethod
    def of(cls, session: Session) -> Follows:
        """Those of a session, which lets them go at its end."""
        with _lock:
            _sessions.add(session)
            follows: Follows = session.attachments.setdefault(_ATTACHMENT, cls())
            return follows

    def add(self, follower: Follower) -> None:
        """One more."""
        with _lock:
            self._followers.add(follower)

    def keep(self, follower: Follower, model: Any = None) -> None:
        """Let a follower live for as long as ``model``, or as the session."""
        with _lock:
            if model is None:
                self._kept.add(follower)
            else:
                self._of_models[model] = follower

    def all(self) -> list[Follower]:
        """All that are left."""
        with _lock:
            return list(self._followers)


def may_change_rights(kind: str, data: Mapping[str, Any], user_id: str | None) -> bool:
    """Whether a notice may mean that a viewer sees more or less than before, whatever he looks at."""
    if kind == "user":
        return user_id is not None and data.get("user") == user_id
    # The members of a group, who are not named, or a group itself
    return (kind == "rights" and data.get("app") is None) or (
        kind == "data_rights" and data.get("dataset") is None
    )


@dataclass
class Work:
    """What is being done for one session."""

    session: Session
    follows: Follows
    followers: list[Follower]
    #: For each follower that has one, the change
    changes: list[tuple[Follower, Change]] = field(default_factory=list)
    #: The followers of which what was asked is out of date, and is not shown
    skipped: list[Follower] = field(default_factory=list)
    #: For each follower to whom something is shown, what it had lost when the first question was asked
    _asked: dict[Follower, tuple[int, int]] = field(default_factory=dict)

    def leave(self, told: Iterable[tuple[str, Mapping[str, Any]]]) -> bool:
        """Leave only those followers whom one of the notices concerns; gives whether there are any."""
        self.followers = [follower for follower in self.followers if _hears(follower, told)]
        return bool(self.followers)

    def begin(self) -> None:
        """From here on it is asked what there is to show; who loses something later is not shown it."""
        self._asked = {follower: _now(follower) for follower in self.followers}

    def is_current(self, follower: Follower) -> bool:
        """Whether what was asked may be shown still."""
        return self._asked.get(follower, _now(follower)) == _now(follower)

    def prepare(self, round: Round, ask: Ask) -> bool:
        """Collect what the followers have to change; gives whether all could say. Called on a thread."""
        is_sure = True
        for follower in self.followers:
            if not follower.is_ready:
                continue
            try:
                change = ask(follower, round)
            except Error as error:
                log.warning("It could not be found out what a session is to show: %s", error)
                is_sure = False
                follower.missed()
                continue
            except Exception:
                log.exception("What a session shows could not be brought up to date.")
                follower.missed()
                change = follower.nothing() if ask is look else None
            if change is not None:
                self.changes.append((follower, change))
        return is_sure

    def apply(self) -> Any:
        """Make the changes, in a turn of the session; gives what is to be awaited, if anything."""
        callbacks: list[Callback] = []
        for follower, change in self.changes:
            if not self.is_current(follower):
                follower.missed()
                self.skipped.append(follower)
                continue
            try:
                callbacks += change.apply()
            except Exception as error:
                # Callbacks of app code on the models; what the others show is none of their business
                callbacks.append(partial(_raise, [error]))
        return _run(callbacks)


def _now(follower: Follower) -> tuple[int, int]:
    return follower.taken, follower.doubts


def attempt(steps: Iterable[Callback]) -> list[Callback]:
    """Take all steps, also when one fails; gives what raises the errors later."""
    failures: list[Callback] = []
    for step in steps:
        try:
            step()
        except Exception as error:
            failures.append(partial(_raise, [error]))
    return failures


def everything() -> list[Work]:
    """The sessions that show data, with all their followers."""
    with _lock:
        sessions = [session for session in _sessions if not session.destroyed]
    pairs = [(session, session.attachments.get(_ATTACHMENT)) for session in sessions]
    return [Work(session, follows, follows.all()) for session, follows in pairs if follows is not None]


def prepare(works: Iterable[Work], round: Round, ask: Ask) -> bool:
    """``Work.prepare`` for all of them."""
    sure = [work.prepare(round, ask) for work in works]
    return all(sure)


def look(follower: Follower, round: Round) -> Change | None:
    """``Follower.look``, to be asked in ``prepare``."""
    return follower.look(round)


def refresh(follower: Follower, round: Round) -> Change | None:
    """``Follower.refresh``, to be asked in ``prepare``."""
    return follower.refresh(round)


def _hears(follower: Follower, told: Iterable[tuple[str, Mapping[str, Any]]]) -> bool:
    # All of them, as a follower takes note of what each says
    heard = [kind for kind, data in told if follower.hears(kind, data)]
    if not heard:
        return False
    follower.heard += 1
    if not _NEWS.issuperset(heard):
        follower.doubts += 1
    return True


def _run(callbacks: Iterable[Callback]) -> Any:
    """Call all, also when one fails; gives what is to be awaited, if any is ``async``. Raises what they raised."""
    errors: list[Exception] = []
    awaitables = []
    for callback in callbacks:
        try:
            if inspect.isawaitable(result := callback()):
                awaitables.append(result)
        except Exception as error:
            errors.append(error)
    if awaitables:
        return _finish(awaitables, errors)
    return _raise(errors)


async def _finish(awaitables: Iterable[Awaitable[Any]], errors: list[Exception]) -> None:
    for awaitable in awaitables:
        try:
            await awaitable
        except Exception as error:
            errors.append(error)
    _raise(errors)


def _raise(errors: list[Exception]) -> None:
    if len(errors) > 1:
        raise ExceptionGroup("Several callbacks of published data failed.", errors)
    if errors:
        raise errors[0]
