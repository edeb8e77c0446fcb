"""The data sets that a user may see, as a list for app code that hears when it becomes another one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, overload

from .. import permissions
from ..exceptions import UserNeeded
from ..live.context import current_session
from ..models import Dataset
from .asking import SESSION_USER, Round, asker
from .followers import Callback, Change, Follower, may_change_rights


@dataclass(frozen=True)
class Listed:
    """What a list says of a data set."""

    name: str
    title: str
    #: "table" or "file".
    kind: str
    tags: tuple[str, ...]

    def __str__(self) -> str:
        return self.title or self.name


def list_datasets(
    prefix: str = "", *, tags: Collection[str] = (), kind: str = "", user: Any = SESSION_USER
) -> DatasetList:
    """The data sets with something published that the user of this session, or ``user``, may see, by their names.

    Those whose names begin with ``prefix``, that have all of ``tags``, and that are of the ``kind``, "table" or
    "file". Outside of a session, ``user`` is needed (None: a visitor). It asks the database: in ``async`` code, call
    it on a thread. Raises ``UserNeeded``.
    """
    wanted = _Wanted(prefix, frozenset([tags] if isinstance(tags, str) else tags), kind)
    return DatasetList(_ListFollower(wanted, asker(user, "list_datasets(")))


class DatasetList(Sequence[Listed]):
    """Data sets as they were when the list was made; in a session it goes on with the time, between two turns."""

    def __init__(self, follower: _ListFollower) -> None:
        self._follower = follower

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [listed.name for listed in self]

    def on_update(self, callback: Callback) -> None:
        """Call ``callback()`` in a turn of the session when there are others, or one of them is called otherwise."""
        self._follower.on_update(callback)

    def __len__(self) -> int:
        return len(self._follower.listed)

    @overload
    def __getitem__(self, place: int) -> Listed: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Listed]: ...
    def __getitem__(self, place: int | slice) -> Listed | Sequence[Listed]:
        return self._follower.listed[place]

    def __iter__(self) -> Iterator[Listed]:
        return iter(self._follower.listed)

    def __repr__(self) -> str:
        return f"<DatasetList {', '.join(self.names)}>"


@dataclass(frozen=True)
class _Wanted:
    prefix: str
    tags: frozenset[str]
    kind: str

    def ask(self, user: Any) -> tuple[Listed, ...]:
        """Those that ``user``, who is ``fresh``, may see; one query."""
        rows = Dataset.objects.visible_to(user).filter(name__startswith=self.prefix).exclude(newest=None)
        if self.kind:
            rows = rows.filter(kind=self.kind)
        asked = rows.order_by("name").values_list("name", "title", "kind", "tags")
        listed = (Listed(name, title, kind, tuple(tags)) for name, title, kind, tags in asked)
        return tuple(one for one in listed if self.tags.issubset(one.tags))


class _ListFollower(Follower):
    """A list in a session."""

    def __init__(self, wanted: _Wanted, user: Any) -> None:
        super().__init__()
        self._wanted = wanted
        self._user = user
        self._user_id = permissions.user_id(user)
        self._on_update: list[Callback] = []
        self.listed: tuple[Listed, ...] = ()
        self.begin(current_session.get(), lambda: self._go_to(self._ask(Round())))

    def on_update(self, callback: Callback) -> None:
        if not self.is_followed:
            raise UserNeeded("Callbacks of a list of data sets need a session that they run in.")
        self._on_update.append(callback)
        self.keep()

    def hears(self, kind: str, data: Mapping[str, Any]) -> bool:
        if kind not in ("dataset", "data_rights"):
            return may_change_rights(kind, data, self._user_id)
        name = data.get("dataset")
        if kind == "dataset" and any(listed.name == name for listed in self.listed):
            # A new version of what is there
            return False
        return name is None or str(name).startswith(self._wanted.prefix)

    def look(self, round: Round) -> Change | None:
        there = {listed.name for listed in self._ask(round)}
        left = tuple(listed for listed in self.listed if listed.name in there)
        return Change(partial(self._go_to, left)) if left != self.listed else None

    def nothing(self) -> Change:
        return Change(partial(self._go_to, ()))

    def refresh(self, round: Round) -> Change | None:
        listed = self._ask(round)
        return Change(partial(self._go_to, listed)) if listed != self.listed else None

    def _ask(self, round: Round) -> tuple[Listed, ...]:
        user = round.user(self._user)
        return round.once(("listed", id(user), self._wanted), lambda: self._wanted.ask(user))

    def _go_to(self, listed: tuple[Listed, ...]) -> Iterable[Callback]:
        self.listed = listed
        return list(self._on_update)
