"""Data sources filled with parts of versions: as one patch to the tabs, and without a copy for each session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource

from ..live import adapter
from ..models import DatasetVersion
from .selection import Selection, Wanted

#: What ``source.tags`` hold when the viewer may no longer see what was in it.
NO_LONGER_VISIBLE = "apps-registry: no longer visible"


@dataclass
class Filled:
    """What a source was made for, and what it was last filled with."""

    wanted: Wanted
    is_live: bool
    version: DatasetVersion
    #: None when it was taken away
    selection: Selection | None


def fill(
    source: ColumnDataSource,
    filled: Filled,
    version: DatasetVersion,
    new: Selection,
    *,
    is_continued: bool = False,
) -> None:
    """Show a part of a version; ``is_continued``: it is the version before, with rows added at its end."""
    before, filled.selection, filled.version = filled.selection, new, version
    if before is None:
        source.tags = [tag for tag in source.tags if tag != NO_LONGER_VISIBLE]
    if is_continued and before is not None and new.continues(before) and _shows(source, before):
        adapter.stream_shared(source, new.tail(before.rows), new.arrays)
    else:
        replace(source, new.arrays)


def empty(source: ColumnDataSource, filled: Filled) -> None:
    """Take all rows away, and mark the source; its columns stay, as plots need them."""
    filled.selection = None
    nothing = {name: np.empty(0, getattr(column, "dtype", object)) for name, column in source.data.items()}
    try:
        replace(source, nothing)
    finally:
        # Callbacks of app code may fail over a source without rows
        source.tags = [*source.tags, NO_LONGER_VISIBLE]


def replace(source: ColumnDataSource, data: Mapping[str, Any]) -> None:
    """Let a source hold other rows."""
    try:
        source.data = dict(data)
    finally:
        if source.selected.indices:
            # They were those of other rows
            source.selected.indices = []


def _shows(source: ColumnDataSource, selection: Selection) -> bool:
    """Whether nobody has put anything else into the source."""
    data: dict[str, Any] = source.data
    return data.keys() == selection.arrays.keys() and all(
        data[name] is array for name, array in selection.arrays.items()
    )
