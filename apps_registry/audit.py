"""The audit as other programs read it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import StringIO
from itertools import batched
from typing import Any

from .models import Opening

#: The columns. ``seconds`` is how long the tab was open: empty while it is, and for a refusal.
COLUMNS = (
    "started_at",
    "ended_at",
    "seconds",
    "app",
    "user",
    "outcome",
    "reason",
    "door",
    "address",
    "origin",
    "session",
    "times",
)
#: What makes a spreadsheet take a text for a formula, also in the wide forms of East Asia.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
_LINES_AT_ONCE = 200


def record(opening: Opening) -> dict[str, Any]:
    """The values of the columns."""
    was_opened = opening.outcome == Opening.Outcome.OPENED
    lasted = opening.duration if was_opened else None
    return {
        "started_at": opening.started_at,
        "ended_at": opening.ended_at,
        "seconds": None if lasted is None else round(lasted.total_seconds(), 3),
        "app": opening.app_name,
        "user": opening.username,
        "outcome": opening.outcome,
        "reason": opening.reason,
        "door": opening.door,
        "address": opening.address,
        "origin": opening.origin,
        "session": opening.session,
        "times": opening.times,
    }


def csv_text(openings: Iterable[Opening]) -> Iterator[str]:
    """CSV with a head, many lines at a time; what a spreadsheet would run as a formula stands behind an apostrophe."""
    yield _csv([COLUMNS])
    for some in batched(openings, _LINES_AT_ONCE):
        yield _csv([inert(value) for value in record(opening).values()] for opening in some)


def inert(value: Any) -> Any:
    """A value as a spreadsheet may have it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
