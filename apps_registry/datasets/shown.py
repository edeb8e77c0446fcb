"""What one opened data set shows in a session: sources, and callbacks that hear of changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from bokeh.models import ColumnDataSource

from .. import permissions
from ..exceptions import NoSuchColumn, UserNeeded, quoted
from ..live.session import Session
from ..models import DatasetVersion
from .asking import Round, View, fresh, view
from .copies import hold
from .filling import Filled, empty, fill
from .followers import Callback, Change, Follower, attempt, may_change_rights
from .rules import RowFilter
from .selection import Selection, Wanted, selection
from .store import Copy, opened


class Shown(Follower):
    """A data set at one version, as one user sees it, and what was made of it in a session, if there is one."""

    def __init__(self, name: str, user: Any, session: Session | None) -> None:
        super().__init__()
        self.name = name
        self._user = user
        self._user_id = permissions.user_id(user)
        self._lock = threading.Lock()
        self._sources: WeakKeyDictionary[ColumnDataSource, Filled] = WeakKeyDictionary()
        self._on_update: list[Callback] = []
        self._on_lost: list[Callback] = []
        self.kind: str
        self.version: DatasetVersion
        self._copy: Copy | None
        #: The row filters under which anything was seen since the last change
        self._seen: frozenset[frozenset[RowFilter]]
        self.begin(session, lambda: self._go_to(view(fresh(user), name)))

    def copy(self) -> Copy:
        """The version as this process has it, which is kept from here on."""
        if self._copy is None:
            self._copy = opened(self.version)
        return self._copy

    def filters(self) -> frozenset[RowFilter]:
        """The row filters of the user as of now. Raises ``MayNotSee``."""
        filters = view(fresh(self._user), self.name).filters
        with self._lock:
            # Besides those before, under which app code has read what it still shows
            self._seen |= {filters}
        return filters

    def source(self, wanted: Wanted, *, is_live: bool) -> ColumnDataSource:
        """A new source with what is wanted. Raises ``MayNotSee``."""
        if is_live and not self.is_followed:
            raise UserNeeded("A live source needs a session that it lives in.")
        while True:
            taken = self.taken
            version, filters = self.version, self.filters()
            part = selection(opened(version), wanted, filters)
            source = ColumnDataSource(data=dict(part.arrays))
            with self._lock:
                self._sources[source] = Filled(wanted, is_live, version, part)
            if taken == self.taken:
                break
            # Something was taken away while it was made, maybe too late for this source
        self.keep(source)
        return source

    def on_update(self, callback: Callback) -> None:
        """Call it when there is a newer version, or the user sees other rows."""
        self._call(callback, self._on_update)

    def on_lost(self, callback: Callback) -> None:
        """Call it when the user may see nothing any more."""
        self._call(callback, self._on_lost)

    def _call(self, callback: Callback, callbacks: list[Callback]) -> None:
        if not self.is_followed:
            raise UserNeeded("Callbacks of a data set need a session that they run in.")
        with self._lock:
            callbacks.append(callback)
        self.keep()

    def _filled(self) -> list[tuple[ColumnDataSource, Filled]]:
        with self._lock:
            return list(self._sources.items())

    def _go_to(self, seen: View) -> None:
        self.kind, self.version, self._seen = seen.dataset.kind, seen.version, frozenset([seen.filters])
        self._copy = None
        # It may be read long after it got a successor
        self._held = hold(self.version)

    # A follower

    def hears(self, kind: str, data: Mapping[str, Any]) -> bool:
        if kind in ("dataset", "data_rights"):
            return data.get("dataset") in (None, self.name)
        return may_change_rights(kind, data, self._user_id)

    def look(self, round: Round) -> Change | None:
        held = [filled.selection.filters for _, filled in self._filled() if filled.selection]
        if self.is_lost and not held:
            return None
        seen = round.view(self._user, self.name)
        before = [*self._seen, *held]
        if seen is not None and all(_holds(seen.filters, filters) for filters in before):
            return None
        if seen is None or _is_nothing(self.version, seen.filters):
            return self.nothing()
        parts = {
            (filled.version.pk, filled.wanted.key): selection(
                opened(filled.version), filled.wanted, seen.filters
            )
            for _, filled in self._filled()
        }
        return Change(partial(self._narrow, seen.filters, parts))

    def nothing(self) -> Change:
        return Change(self._lose, f"You may no longer see {quoted(self.name)}.")

    def refresh(self, round: Round) -> Change | None:
        seen = round.view(self._user, self.name)
        if seen is None or (self.is_lost and _is_nothing(seen.version, seen.filters)):
            return None
        stale = [filled for _, filled in self._filled() if _is_stale(filled, seen)]
        is_news = self.is_lost or self._is_news(seen)
        if not (stale or self.is_lost or (self._on_update and is_news)):
            return None
        copy, parts = opened(seen.version), {}
        for filled in stale:
            # What makes no sense any more is told of as a failure of the app, when it is shown
            with suppress(NoSuchColumn, ValueError):
                parts[filled.wanted.key] = selection(copy, filled.wanted, seen.filters)
        return Change(partial(self._renew, seen, parts, self._on_update if is_news else ()))

    def _is_news(self, seen: View) -> bool:
        return self.version.pk != seen.version.pk or self._seen != {seen.filters}

    # Changes, in a turn of the session

    def _lose(self) -> Iterable[Callback]:
        # Whatever comes back is news
        self._seen = frozenset()
        shown = [(source, filled) for source, filled in self._filled() if filled.selection is not None]
        return [*attempt(partial(empty, *one) for one in shown), *self._on_lost]

    def _narrow(
        self, filters: frozenset[RowFilter], parts: Mapping[tuple[int, object], Selection]
    ) -> Iterable[Callback]:
        self._seen = frozenset([filters])

        def narrow(source: ColumnDataSource, filled: Filled) -> None:
            version, wanted = filled.version, filled.wanted
            part = parts.get((version.pk, wanted.key)) or selection(opened(version), wanted, filters)
            fill(source, filled, version, part)

        wider = [
            (source, filled)
            for source, filled in self._filled()
            if filled.selection is not None and not _holds(filters, filled.selection.filters)
        ]
        return [*attempt(partial(narrow, *one) for one in wider), *self._on_update]

    def _renew(
        self, seen: View, parts: Mapping[object, Selection], to_call: Iterable[Callback]
    ) -> Iterable[Callback]:
        self._go_to(seen)

        def renew(source: ColumnDataSource, filled: Filled) -> None:
            wanted, is_continued = filled.wanted, _is_continued(filled.version, seen.version)
            part = parts.get(wanted.key) or selection(opened(seen.version), wanted, seen.filters)
            fill(source, filled, seen.version, part, is_continued=is_continued)

        stale = [one for one in self._filled() if _is_stale(one[1], seen)]
        failures = attempt(partial(renew, *one) for one in stale)
        return [*to_call, *failures]


def _holds(filters: frozenset[RowFilter], before: frozenset[RowFilter]) -> bool:
    """Whether those who saw what they saw under ``before`` see it all under ``filters``."""
    return all(any(filter.holds(other) for other in before) for filter in filters)


def _is_nothing(version: DatasetVersion, filters: frozenset[RowFilter]) -> bool:
    """Whether filters leave no row of a version."""
    if not filters or not version.columns:
        return False
    return selection(opened(version), Wanted((version.columns[0]["name"],)), filters).rows == 0


def _is_stale(filled: Filled, seen: View) -> bool:
    if not filled.is_live:
        return False
    part = filled.selection
    return part is None or filled.version.pk != seen.version.pk or part.filters != seen.filters


def _is_continued(before: DatasetVersion, now: DatasetVersion) -> bool:
    """Whether a version is an earlier one, but for rows that were added at its end."""
    return before.dataset_id == now.dataset_id and now.extends(before.number)
