"""How far a transfer has come, for people who watch."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

#: Seconds between two lines.
_EVERY = 0.1


class Progress:
    """A bar on stderr: that of tqdm if it is installed, or else a plain line. Without ``shown``, nothing."""

    def __init__(self, title: str, total: int | None, *, shown: bool | None) -> None:
        """``shown``: None for when stderr is a terminal."""
        self._title = title
        self._total = total
        self._done = 0
        self._last = 0.0
        self._is_shown = sys.stderr.isatty() if shown is None else shown
        self._bar = _tqdm(title, total) if self._is_shown else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._is_shown:
            # Whatever comes next has the line for itself
            _write("\r\x1b[K")

    def start(self) -> None:
        """It begins, or begins again."""
        self._done = 0
        if self._bar is not None:
            self._bar.reset()

    def advance(self, size: int) -> None:
        """So many more bytes are through."""
        self._done += size
        if self._bar is not None:
            self._bar.update(size)
        elif self._is_shown and time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            part = f" {self._done / self._total:.0%}" if self._total else ""
            _write(f"\r\x1b[K{self._title}{part}, {self._done / 1e6:.1f} MB")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _tqdm(title: str, total: int | None) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(
        desc=title, total=total, unit="B", unit_scale=True, leave=False, file=sys.stderr, dynamic_ncols=True
    )
