"""Arrays that many sessions show: encoded once for all of them, and streamed without a copy for each."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import orjson
from bokeh.core.serialization import NDArrayRep, Serializer
from bokeh.document.events import ColumnsStreamedEvent

from .text import dumps

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource

type Array = np.ndarray[Any, Any]

_entries: dict[int, _Entry] = {}


@dataclass(slots=True)
class _Entry:
    """One shared array, and what tabs get of it once somebody has asked."""

    array: weakref.ref[Array]
    lock: threading.Lock = field(default_factory=threading.Lock)
    rep: NDArrayRep | None = None
    payload: bytes | None = None


def share(array: Array) -> Array:
    """Let ``array`` be encoded once for all sessions; from here on it is read-only, and nobody may change it."""
    array.flags.writeable = False
    key = id(array)
    _entries[key] = _Entry(weakref.ref(array, lambda _: _entries.pop(key, None)))
    return array


def is_shared(value: object) -> bool:
    """Whether ``value`` is an array that belongs to all sessions, and to none."""
    return isinstance(value, np.ndarray) and _entry(value) is not None


def encode_shared(array: Array, serializer: Serializer) -> NDArrayRep | None:
    """What Bokeh would encode ``array`` as, made once; None for an array that is not shared."""
    entry = _entry(array)
    if entry is None:
        return None
    with entry.lock:
        if entry.rep is None:
            _encode(entry, array)
    assert entry.rep is not None
    rep = entry.rep.copy()
    if entry.payload is not None:
        rep["array"] = serializer._encode_bytes(entry.payload)
    return rep


def stream_shared(source: ColumnDataSource, rows: dict[str, Array], whole: dict[str, Array]) -> None:
    """Let ``source`` hold ``whole``, which is what it held with ``rows`` at its end; only those go to the tabs.

    ``ColumnDataSource.stream`` would make an array of its own for each session.
    """
    held: Any = source.data
    before = held._saved_copy()
    for name, column in whole.items():
        dict.__setitem__(held, name, column)
    if not any(len(column) for column in rows.values()):
        return
    document: Any = source.document
    held._notify_owners(before, hint=ColumnsStreamedEvent(document, source, "data", rows, None, None))


def _entry(array: Array) -> _Entry | None:
    entry = _entries.get(id(array))
    return entry if entry is not None and entry.array() is array and not array.flags.writeable else None


def _encode(entry: _Entry, array: Array) -> None:
    serializer = Serializer()
    rep = serializer._encode_ndarray(array)
    if serializer._buffers:
        data: Any = serializer._buffers[0].data
        is_own = isinstance(data, memoryview) and data.obj is array
        # An array over bytes is what is sent already
        is_bytes = is_own and isinstance(array.base, bytes) and len(array.base) == array.nbytes
        entry.payload = cast(bytes, array.base) if is_bytes else bytes(data)
        # A view of the array would keep it for as long as there is an entry for it, which is for ever then
        cast(Any, rep)["array"] = None
    else:
        cast(Any, rep)["array"] = orjson.Fragment(dumps(rep["array"]))
    entry.rep = rep
