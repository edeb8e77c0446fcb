"""Rows of a site's own models in data sources, as the user of the session sees them, and up to date."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import Any

from bokeh.models import ColumnDataSource
from django.core.exceptions import EmptyResultSet
from django.db import models

from .. import permissions
from ..exceptions import UserNeeded
from ..live.context import current_session
from ..live.session import Session
from .asking import SESSION_USER, Round, asker
from .cells import column_of, is_measured, same
from .filling import replace
from .followers import Callback, Change, Follower, may_change_rights
from .permitted import PermittedQuerySet, depended_on, label, with_parents

#: Names of columns, or for each the field, as ``values_list`` takes it (``team__name``).
type Fields = Iterable[str] | Mapping[str, str]
type Columns = dict[str, list[Any]]

LIMIT = 5000
#: With more cells than this share changed, all are sent again.
_MOST_PATCHED = 0.5
#: Rows that are asked for by name at once.
_AT_ONCE = 500


def queryset_source(
    rows: Any,
    fields: Fields,
    *,
    live: bool = True,
    limit: int = LIMIT,
    key: str = "pk",
    user: Any = SESSION_USER,
) -> ColumnDataSource:
    """The first ``limit`` rows that the user of this session, or ``user``, may see, as a ``ColumnDataSource``.

    ``rows``: a ``PermittedQuerySet`` or a manager of one. The column ``key`` tells rows apart, and is there besides
    ``fields``. With ``live``, the source follows what is saved and deleted; rows that the user may no longer
    see go in any case. It asks the database: in ``async`` code, call it on a thread.
    """
    return queryset_pages(rows, fields, size=limit, live=live, key=key, user=user).source


def queryset_pages(
    rows: Any,
    fields: Fields,
    *,
    size: int = 100,
    live: bool = True,
    key: str = "pk",
    user: Any = SESSION_USER,
) -> QuerysetPages:
    """The same, ``size`` rows at a time."""
    asking = asker(user, "queryset_source(rows, fields")
    session = current_session.get()
    if live and session is None:
        raise UserNeeded("A live source needs a session that it lives in.")
    shown = ShownRows(_Query(rows, fields, key, asking, size), is_live=live)
    return QuerysetPages(shown, shown.new_source(session))


class QuerysetPages:
    """Rows that are shown some at a time, in one source."""

    def __init__(self, shown: ShownRows, source: ColumnDataSource) -> None:
        self._shown = shown
        self.source = source

    @property
    def number(self) -> int:
        """Which page is shown, from 0."""
        return self._shown.query.page

    @property
    def count(self) -> int:
        """How many rows there are that the user may see; asks the database."""
        return self._shown.query.visible(Round()).count()

    @property
    def pages(self) -> int:
        """How many pages they make, one at least."""
        return max(1, -(-self.count // self._shown.query.size))

    def page(self, number: int) -> None:
        """Show another page; one beyond the last is empty. To be called in a turn of the session."""
        if number < 0:
            raise ValueError("Pages are counted from 0.")
        self._shown.show_page(number)


class _Query:
    """What is asked of the database: never anything but rows that the user may see."""

    def __init__(self, rows: Any, fields: Fields, key: str, user: Any, size: int) -> None:
        if isinstance(rows, models.Manager):
            rows = rows.all()
        if not isinstance(rows, PermittedQuerySet):
            raise TypeError(
                "Rows come from a PermittedQuerySet, which says by visible_to(user) who sees what."
            )
        if rows.model._meta.is_composite_pk:
            raise TypeError("Rows that are known by several columns cannot be followed.")
        self.rows: PermittedQuerySet[Any] = rows if rows.ordered else rows.order_by("pk")
        self.user = user
        self.size = size
        self.page = 0
        named = fields if isinstance(fields, Mapping) else {name: name for name in fields}
        named = {key: key, **named}
        #: What is asked for each row
        self._asked = list(dict.fromkeys(["pk", *named.values()]))
        #: The columns, where in a row each is, and whether it is one of numbers or times
        self.columns = {
            name: (self._asked.index(field), is_measured(self.rows, field)) for name, field in named.items()
        }
        #: By the names that notices have for them
        self.models = frozenset(map(label, with_parents(rows.model)))
        self.depends_on = frozenset(map(label, depended_on(type(rows))))

    def visible(self, round: Round) -> PermittedQuerySet[Any]:
        """The rows that the user may see as of now."""
        return self.rows.visible_to(round.user(self.user))

    def read(self, round: Round) -> list[tuple[Any, ...]]:
        """The rows of the page, the primary key of each first; those who see the same ask once."""
        start = self.page * self.size
        asked = self.visible(round).values_list(*self._asked)[start : start + self.size]
        try:
            same_for_all = asked.query.sql_with_params()
        except EmptyResultSet:
            return []
        return round.once(("rows", asked.db, same_for_all), lambda: list(asked))

    def may_see_any(self, round: Round, pks: Iterable[str]) -> bool:
        """Whether any of some rows is one that the user may see."""
        return self.visible(round).filter(pk__in=pks).exists()

    def still_seen(self, round: Round, pks: Iterable[str]) -> set[str]:
        """Those of some rows that the user may see."""
        visible = self.visible(round)
        found = (visible.filter(pk__in=some).values_list("pk", flat=True) for some in batched(pks, _AT_ONCE))
        return {str(pk) for some in found for pk in some}


class ShownRows(Follower):
    """Rows in a source of a session."""

    def __init__(self, query: _Query, *, is_live: bool) -> None:
        super().__init__()
        self.query = query
        self._user_id = permissions.user_id(query.user)
        self._is_live = is_live
        self._source: weakref.ref[ColumnDataSource] | None = None
        self._lock = threading.Lock()
        self._pks: list[str] = []
        self._columns: Columns = {}
        #: Rows that have changed since they were read; None: any may have
        self._changed: set[str] | None = set()
        #: Whether its viewer may have lost the right to see some of them
        self._is_in_doubt = False

    def new_source(self, session: Session | None) -> ColumnDataSource:
        """The source, with the rows of the page, in a session if there is one."""
        source = self.begin(session, self._read_source)
        self.keep(source)
        return source

    def _read_source(self) -> ColumnDataSource:
        self._pks, self._columns = self._arranged(self.query.read(Round()))
        source = ColumnDataSource(data=self._columns)
        self._source = weakref.ref(source)
        return source

    def show_page(self, number: int) -> None:
        """Go to another page, in a turn of the session."""
        self.query.page = number
        while True:
            heard = self.heard
            self._show(self.query.read(Round()))
            if heard == self.heard:
                return

    # A follower

    def hears(self, kind: str, data: Mapping[str, Any]) -> bool:
        match kind:
            case "model" if data["model"] in self.query.models:
                return self._note(data["pks"])
            case "model":
                return data["model"] in self.query.depends_on and self._note(None, is_in_doubt=True)
            case _:
                is_in_doubt = may_change_rights(kind, data, self._user_id)
                return is_in_doubt and self._note(None, is_in_doubt=True)

    def _note(self, pks: Iterable[str] | None, *, is_in_doubt: bool = False) -> bool:
        self.doubts += is_in_doubt
        with self._lock:
            self._is_in_doubt |= is_in_doubt
            self._changed = None if pks is None or self._changed is None else self._changed.union(pks)
        return True

    def look(self, round: Round) -> Change | None:
        if not self._is_in_doubt:
            # Rows themselves have changed, and nobody's rights
            return None
        self._is_in_doubt = False
        return self._without_what_is_gone(round)

    def refresh(self, round: Round) -> Change | None:
        with self._lock:
            changed, self._changed = self._changed, set()
        if not self._is_stale(changed, round):
            return None
        if not self._is_live:
            return self._without_what_is_gone(round)
        page = self.query.page
        return Change(partial(self._show_if, page, self.query.read(round)))

    def _is_stale(self, changed: set[str] | None, round: Round) -> bool:
        if changed is None or not changed.isdisjoint(self._pks):
            return True
        return self._is_live and (self.query.page > 0 or self.query.may_see_any(round, changed))

    def _without_what_is_gone(self, round: Round) -> Change | None:
        pks = frozenset(self._pks)
        gone = pks - self.query.still_seen(round, pks)
        return Change(partial(self._take, gone)) if gone else None

    def nothing(self) -> Change:
        return Change(partial(self._take, None))

    def missed(self) -> None:
        with self._lock:
            self._changed = None

    # In a turn of the session

    def _show(self, rows: Sequence[tuple[Any, ...]]) -> Iterable[Callback]:
        source = self._source() if self._source is not None else None
        if source is None:
            return ()
        before, held = self._pks, self._columns
        self._pks, columns = self._arranged(rows)
        is_own = source.data.keys() == held.keys() and all(source.data[n] is held[n] for n in held)
        if is_own and self._pks[: len(before)] == before and self._update(source, columns, len(before)):
            return ()
        self._columns = columns
        replace(source, columns)
        return ()

    def _show_if(self, page: int, rows: Sequence[tuple[Any, ...]]) -> Iterable[Callback]:
        """Show what was read of a page, unless app code has gone to another one since."""
        return self._show(rows) if page == self.query.page else ()

    def _take(self, pks: Collection[str] | None) -> Iterable[Callback]:
        """Show these rows no more; None: no row."""
        places = [] if pks is None else [place for place, pk in enumerate(self._pks) if pk not in pks]
        self._pks = [self._pks[place] for place in places]
        self._columns = {name: [column[place] for place in places] for name, column in self._columns.items()}
        if (source := self._source() if self._source is not None else None) is not None:
            replace(source, self._columns)
        return ()

    def _update(self, source: ColumnDataSource, columns: Columns, known: int) -> bool:
        """Change only what differs, as the first ``known`` rows are those of before; gives whether that was little."""
        patches = {
            name: [
                (place, column[place])
                for place in range(known)
                if not same(self._columns[name][place], column[place])
            ]
            for name, column in columns.items()
        }
        if sum(map(len, patches.values())) > _MOST_PATCHED * known * len(columns):
            return False
        new: dict[str, Any] = {name: column[known:] for name, column in columns.items()}
        try:
            if any(patches.values()):
                source.patch({name: patch for name, patch in patches.items() if patch})
        finally:
            # Callbacks of app code may fail; the columns stay as long as one another
            if len(self._pks) > known:
                source.stream(new)
        return True

    def _arranged(self, rows: Sequence[tuple[Any, ...]]) -> tuple[list[str], Columns]:
        columns = {
            name: column_of((row[place] for row in rows), is_measured=is_measured)
            for name, (place, is_measured) in self.query.columns.items()
        }
        return [str(row[0]) for row in rows], columns
