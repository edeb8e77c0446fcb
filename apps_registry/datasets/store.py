"""The tables of published versions as this process has them: opened once, read-only, shared by all sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import pyarrow as pa

from ..exceptions import NoSuchColumn, quoted
from ..models import DatasetVersion
from .arrays import Array, array_of
from .copies import read_columns

_opened: WeakValueDictionary[str, Copy] = WeakValueDictionary()
_arrays: WeakValueDictionary[tuple[str, str], Array] = WeakValueDictionary()
_lock = threading.Lock()


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
                self._columns |= zip(missing, read_columns(self.version, missing), strict=True)
            columns = [self._columns[name] for name in chosen]
        return pa.Table.from_arrays(columns, names=chosen)

    def arrays(self, names: Iterable[str] | None = None) -> dict[str, Array]:
        """Some columns, or all, as arrays that all sessions share; see ``array_of``."""
        table = self.table(names)
        return {name: self._array(name, table) for name in table.column_names}

    def check(self, names: Iterable[str]) -> Sequence[str]:
        """The names, without those that come again. Raises ``NoSuchColumn``."""
        chosen = list(dict.fromkeys(names))
        for name in chosen:
            if name not in self.types:
                raise NoSuchColumn(f"There is no column {quoted(name)}; there are {', '.join(self.types)}.")
        return chosen

    def _array(self, name: str, table: Any) -> Array:
        with self.lock:
            key = (self.version.sha256, name)
            array = _arrays.get(key)
            if array is None:
                array = _arrays[key] = array_of(table.column(name))
            return array


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
