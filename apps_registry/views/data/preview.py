"""The first rows of a data set, as a user sees them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...datasets.opened import OpenDataset
from ...exceptions import DataRefused, VizserverError

log = logging.getLogger(__name__)

ROWS = 20
COLUMNS = 40
_LETTERS = 200
_NUMBERS = ("integer", "number")


@dataclass(frozen=True)
class Column:
    """One column as it is shown."""

    name: str
    type: str

    @property
    def is_number(self) -> bool:
        """Whether its values stand at the right."""
        return self.type in _NUMBERS


@dataclass(frozen=True)
class Preview:
    """Some rows and columns, as text."""

    columns: list[Column]
    #: Each value with its column; None for a missing one
    rows: list[list[tuple[Column, str | None]]]
    #: Rows that the user sees, and rows of the version
    seen: int
    all: int
    #: Columns that are not shown
    more_columns: int
    #: Why there is none
    trouble: str = ""


def preview(opened: OpenDataset, *, seen_by: Any = None) -> Preview:
    """The first rows of a table as its user sees them, or, if given, as ``seen_by`` does.

    Raises ``MayNotSee``; what else keeps them from being read is told in ``trouble``.
    """
    columns = [Column(name, type) for name, type in opened.columns.items()]
    shown, everything = columns[:COLUMNS], opened.version.rows or 0
    names = [column.name for column in shown]
    try:
        table = opened.to_arrow(names) if seen_by is None else opened.rows_for(seen_by, names)
    except DataRefused:
        raise
    except VizserverError as error:
        log.error("%r cannot be shown: %s %s", opened, error, error.detail)
        return Preview(shown, [], 0, everything, len(columns) - len(shown), str(error))
    rows = zip(*(table.column(name).slice(0, ROWS).to_pylist() for name in names), strict=True)
    return Preview(
        shown,
        [[(column, text_of(value)) for column, value in zip(shown, row, strict=True)] for row in rows],
        table.num_rows,
        everything,
        len(columns) - len(shown),
    )


def text_of(value: Any) -> str | None:
    """A value as people read it; None stays."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float():
            # All digits that somebody wrote; not 0.30000000000000004, which computers make of them
            return f"{value:.15g}"
        case datetime():
            return value.isoformat(" ")
        case str():
            return value if len(value) <= _LETTERS else f"{value[: _LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
    return str(value)
