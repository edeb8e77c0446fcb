"""The tables of published versions as this process has them: opened once, read-only, shared by all sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakValueDictionary

import pyarrow as pa

from ..exceptions import NoSuchColumn, quoted
from ..models import DatasetVersion
from .appending import read_added
from .arrays import Array, array_of, joined
from .copies import copied_columns, read_columns

_opened: WeakValueDictionary[str, Copy] = WeakValueDictionary()
_arrays: WeakValueDictionary[tuple[str, str], Array] = WeakValueDictionary()
_lock = threading.Lock()

#: Versions back to which copies are looked for.
_MOST_BEFORE = 100


class Copy:
    """The copy of one version, as this process has it open: for as long as anybody refers to it."""

    def __init__(self, version: DatasetVersion) -> None:
        self.version = version
        self.types: dict[str, str] = {column["name"]: column["type"] for column in version.columns}
        #: What was made of it and is still in use, by what it was made for
        self.shared: WeakValueDictionary[Any, Any] = WeakValueDictionary()
        self.lock = threading.RLock()
        self._columns: dict[str, Any] = {}

    def table(self, names: Iterable[str] | None = None) -> Any:
        """Some columns, or all, as a ``pyarrow.Table``. Raises ``NoSuchColumn`` or ``DataLost``."""
        chosen = self.check(self.types if names is None else names)
        with self.lock:
            missing = [name for name in chosen if name not in self._columns]
            if missing:
                found = read_columns(self.version, missing, self._continued_columns)
                self._columns |= zip(missing, found, strict=True)
            columns = [self._columns[name] for name in chosen]
        return pa.Table.from_arrays(columns, names=chosen)

    def arrays(self, names: Iterable[str] | None = None) -> dict[str, Array]:
        """Some columns, or all, as arrays that all sessions share; see ``array_of``."""
        chosen = self.check(self.types if names is None else names)
        with self.lock:
            found = self._found(chosen)
            if missing := [name for name in chosen if name not in found]:
                found |= self._made(missing)
        return {name: found[name] for name in chosen}

    def check(self, names: Iterable[str]) -> Sequence[str]:
        """The names, without those that come again. Raises ``NoSuchColumn``."""
        chosen = list(dict.fromkeys(names))
        for name in chosen:
            if name not in self.types:
                raise NoSuchColumn(f"There is no column {quoted(name)}; there are {', '.join(self.types)}.")
        return chosen

    def earlier(self) -> list[Copy]:
        """The copies in use of versions that this one extends, the newest first."""
        version = self.version
        with _lock:
            copies = [
                copy for copy in _opened.values() if copy is not self and _extends(version, copy.version)
            ]
        return sorted(copies, key=lambda copy: copy.version.number, reverse=True)

    def added(self, before: Copy, names: Sequence[str]) -> Any | None:
        """The rows that came after those of an earlier copy, as a ``pyarrow.Table``; None: they cannot be had alone."""
        return read_added(self.version, before.version, names)

    def _found(self, names: Iterable[str]) -> dict[str, Array]:
        found = {name: _arrays.get((self.version.sha256, name)) for name in names}
        return {name: array for name, array in found.items() if array is not None}

    def _made(self, names: Sequence[str]) -> dict[str, Array]:
        made = self._continued_arrays(names)
        if rest := [name for name in names if name not in made]:
            table = self.table(rest)
            made |= {name: array_of(table.column(name)) for name in rest}
        for name, array in made.items():
            _arrays[self.version.sha256, name] = array
        return made

    def _continued_arrays(self, names: Sequence[str]) -> dict[str, Array]:
        """Those that are there but for the rows that were added."""
        for before in self.earlier():
            found = before._found(names)
            if found and (added := self.added(before, list(found))) is not None:
                return {name: joined(array, array_of(added.column(name))) for name, array in found.items()}
        return {}

    def _continued_columns(self, names: Sequence[str]) -> dict[str, Any]:
        for before, found in self._copied_before(names):
            if found and (added := read_added(self.version, before, list(found))) is not None:
                return {
                    name: pa.chunked_array([*column.chunks, *added.column(name).chunks], column.type)
                    for name, column in found.items()
                }
        return {}

    def _copied_before(self, names: Sequence[str]) -> Iterator[tuple[DatasetVersion, dict[str, Any]]]:
        """Columns of versions that this one extends: those in use, then those that some process has once copied."""
        for copy in self.earlier():
            yield copy.version, {name: copy._columns[name] for name in names if name in copy._columns}
        version = self.version
        if version.appended:
            rows = DatasetVersion.objects.filter(dataset=version.dataset_id, number__lt=version.number)
            for before in rows.filter(number__gte=version.base).order_by("-number")[:_MOST_BEFORE]:
                yield before, copied_columns(before, names)


def _extends(version: DatasetVersion, before: DatasetVersion) -> bool:
    return version.dataset_id == before.dataset_id and version.extends(before.number)


def opened(version: DatasetVersion) -> Copy:
    """The copy of a version: one for all in this process who look at the same content."""
    with _lock:
        copy = _opened.get(version.sha256)
        if copy is None:
            copy = _opened[version.sha256] = Copy(version)
        # Of several with the same content, that of which somebody has just learnt is there
        copy.version = version
        return copy


def table(version: DatasetVersion, names: Iterable[str] | None = None) -> Any:
    """The rows of a version, all of them, as a ``pyarrow.Table`` over mapped memory.

    Whoever shows it to somebody asks ``rules`` first. Raises ``NoSuchColumn`` or ``DataLost``.
    """
    return opened(version).table(names)


def columns(version: DatasetVersion, names: Iterable[str] | None = None) -> dict[str, Array]:
    """The columns of a version as read-only arrays, which all sessions of this process share."""
    return opened(version).arrays(names)
