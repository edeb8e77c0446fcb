"""What the readers of all formats give: rows, some thousands at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import pyarrow as pa

from ..limits import Meter


@dataclass(frozen=True)
class Batch:
    """Some rows: arrays of one length by the names of their columns."""

    columns: dict[str, pa.Array]
    rows: int
    #: The number that a row has in the file, by its index in here.
    row: Callable[[int], int]


class Reader(Protocol):
    """One file that is open for reading. Everything may raise ``BadData`` or ``TooBig``."""

    #: Whether all values are text, whatever they mean.
    written: bool

    def __init__(self, source: BinaryIO, meter: Meter) -> None: ...

    @property
    def names(self) -> list[str] | None:
        """The columns; none when only the rows tell."""
        ...

    @property
    def types(self) -> dict[str, str] | None:
        """The types of the columns, when the file tells them."""
        ...

    def batches(self) -> Generator[Batch]:
        """All rows, from the first one, as often as asked."""
        ...
