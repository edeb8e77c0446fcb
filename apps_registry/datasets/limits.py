"""How much a published file may hold, and the counting of it."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from ..exceptions import TooBig

#: Bytes to which any file may unpack: short files of equal rows are packed far better than others.
_ALWAYS_ALLOWED = 256 * 2**20
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Limits:
    """What one file may hold, and what reading it may take."""

    #: Of the file as it comes.
    bytes: int = 2**30
    rows: int = 50_000_000
    columns: int = 2_000
    #: How many times its own size a file may unpack to; 256 MiB are always allowed.
    expansion: int = 200
    #: Bytes that all values take, however big the file is.
    unpacked: int = 16 * 2**30
    #: Bytes of memory of the process that reads.
    memory: int = 2 * 2**30
    #: Of reading, on the clock.
    seconds: float = 600

    def may_unpack(self, size: int) -> int:
        """The bytes to which a file of ``size`` bytes may unpack."""
        return min(self.unpacked, max(_ALWAYS_ALLOWED, self.expansion * size))


class Meter:
    """Counts what has been read of one file. Raises ``TooBig`` as soon as it is more than allowed."""

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits = limits
        self.size = size
        self.rows = 0
        self.unpacked = 0

    def anew(self) -> Meter:
        """One for the same file that has counted nothing yet."""
        return Meter(self.limits, self.size)

    def count(self, rows: int, unpacked: int) -> None:
        """Count some more rows, which take ``unpacked`` bytes."""
        self.rows += rows
        self.unpacked += unpacked
        self.check(rows=self.rows, unpacked=self.unpacked)

    def check(self, *, rows: int = 0, columns: int = 0, unpacked: int = 0) -> None:
        """Refuse what a file is, or says of itself, to hold."""
        if rows > self.limits.rows:
            raise TooBig(f"The file holds more than {self.limits.rows:,} rows.")
        if columns > self.limits.columns:
            raise TooBig(f"The file holds more than {self.limits.columns:,} columns.")
        if unpacked > self.limits.may_unpack(self.size):
            raise TooBig(f"The file unpacks to more than {size_text(self.limits.may_unpack(self.size))}.")


def is_full(error: OSError) -> bool:
    """Whether something could not be written because there is no room for it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def size_text(size: float) -> str:
    """A number of bytes as people read it."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    number = f"{size:.3g}" if size < 100 else f"{size:.0f}"
    return f"{number} {_UNITS[unit]}"
