"""Values of database fields as Bokeh takes them in columns that are lists."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import models

_MEASURED = (
    models.DateField,
    models.DecimalField,
    models.DurationField,
    models.FloatField,
    models.IntegerField,
    models.TimeField,
)


def is_measured(rows: models.QuerySet[Any], name: str) -> bool:
    """Whether what ``values_list`` gives for a name are numbers or times."""
    annotation = rows.query.annotations.get(name)
    if annotation is not None:
        return isinstance(annotation.output_field, _MEASURED)
    model, field = rows.model, None
    for part in name.split("__"):
        if model is None:
            # A part of a value, such as the year of a day
            break
        field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        model = field.related_model
    return isinstance(field, _MEASURED)


def column_of(values: Iterable[Any], *, is_measured: bool) -> list[Any]:
    """One column; what is missing among numbers and times is NaN, which plots leave out, and None elsewhere."""
    missing = math.nan if is_measured else None
    return [missing if value is None else _cell(value) for value in values]


def _cell(value: Any) -> Any:
    match value:
        case Decimal():
            return float(value)
        case dt.datetime():
            # Bokeh takes the clock of a time and leaves its zone
            return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
        case dt.date():
            # Among others Bokeh writes it as text
            return dt.datetime.combine(value, dt.time())
        case UUID():
            return str(value)
        case _:
            return value


def same(one: Any, other: Any) -> bool:
    """Whether two cells show the same."""
    return bool(one is other or one == other)
