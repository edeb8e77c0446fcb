"""Garbage collection when nobody waits for it.

Sessions cut their own circles of references when they end, so that little is left to be found. What
is left is looked for while the process is idle: a full collection visits all objects of all
live sessions, and would hold everybody up (``make bench``: 0.9 s and more on ``BokehASGI`` 3.10.2
for one who stays while 300 leave; 45 ms here).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

from bokeh.document import Document
from bokeh.models import ColumnDataSource

from .adapter import is_shared

#: Automatic collections of the oldest generation are put off; those of the younger ones stay.
_THRESHOLDS = (10_000, 20, 1_000_000)


class Collector:
    """Collects in idle moments, once enough sessions have ended.

    ``is_idle`` tells whether no app code runs or waits.
    """

    def __init__(self, is_idle: Callable[[], bool], *, sessions: int = 50, look_every: float = 1.0) -> None:
        self._is_idle = is_idle
        self._sessions = sessions
        self._look_every = look_every
        self._ended = 0
        self._quiet = 0
        self._timer: asyncio.TimerHandle | None = None
        self._saved = gc.get_threshold()

    def start(self) -> None:
        """All that was made at start-up is there to stay: take it out of all later collections."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)

    def session_ended(self) -> None:
        """One more session was let go."""
        self._ended += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._look_every, self._look)

    def close(self) -> None:
        """Put everything back as it was."""
        if self._timer is not None:
            self._timer.cancel()
        gc.set_threshold(*self._saved)
        gc.unfreeze()

    def _look(self) -> None:
        self._timer = None
        self._quiet = self._quiet + 1 if self._is_idle() else 0
        enough = self._ended >= self._sessions or self._quiet > 30
        if self._quiet > 1 and enough:
            self._ended = self._quiet = 0
            gc.collect()
            return
        self._timer = asyncio.get_running_loop().call_later(self._look_every, self._look)


#: Bytes of a model with its properties (tracemalloc over the sample apps: 6.4 to 7.9 KB), and of a value in a list.
_MODEL = 7_000
_VALUE = 40


def estimate(document: Document) -> int:
    """Roughly the bytes that a document takes: its models, and the data in its sources that is its own."""
    models = list(document.models)
    columns = [
        column for model in models if isinstance(model, ColumnDataSource) for column in model.data.values()
    ]
    return _MODEL * len(models) + sum(map(_size, columns))


def _size(column: Any) -> int:
    if is_shared(column):
        return 0
    nbytes = getattr(column, "nbytes", None)
    return int(nbytes) if nbytes is not None else _VALUE * len(column)
