"""Makes columns of Arrow from plain values of Python, as JSON and Excel give them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...exceptions import BadData, quoted
from ..columns import KINDS

_TYPES = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    dt.date: "date",
    dt.datetime: "datetime",
    dt.time: "time",
}
#: What may stand in one column together.
_TOGETHER: list[set[type]] = [{int, float}, {dt.date, dt.datetime}, *({type} for type in _TYPES)]
_NO_PLACE = {list: "a list", dict: "an object", dt.timedelta: "a duration"}


def arrays(columns: dict[str, list[Any]], row: Callable[[int], int]) -> dict[str, pa.Array]:
    """The columns, each of one type. ``row`` gives the number of a row by its index.

    Raises ``BadData`` for values of two kinds in one column, and for those that have no place in a table.
    """
    return {name: _array(values, row, name) for name, values in columns.items()}


def _array(values: list[Any], row: Callable[[int], int], name: str) -> pa.Array:
    types = set(map(type, values)) - {type(None)}
    if not types:
        return pa.nulls(len(values))
    if not any(types <= together for together in _TOGETHER):
        index, what = _odd(values)
        raise BadData(what, row=row(index), column=name)
    try:
        return _stored(values, types)
    except (pa.ArrowException, ArithmeticError, ValueError) as error:
        index = next(index for index in range(len(values)) if not _can_be_stored(values[index]))
        raise BadData(_why_not(values[index]), row=row(index), column=name) from error


def _stored(values: Sequence[Any], types: set[type]) -> pa.Array:
    if float in types:
        numbers = pa.array([None if value is None else float(value) for value in values], pa.float64())
        if pc.any(pc.is_inf(numbers)).as_py():
            raise OverflowError
        return numbers
    if types == {dt.date, dt.datetime}:
        values = [_moment(value) for value in values]
        types = {dt.datetime}
    (type,) = types
    return pa.array(values, KINDS[_TYPES[type]].stored)


def _moment(value: dt.date | None) -> dt.datetime | None:
    if value is None or isinstance(value, dt.datetime):
        return value
    return dt.datetime.combine(value, dt.time())


def _can_be_stored(value: Any) -> bool:
    try:
        _stored([value], {type(value)})
    except (pa.ArrowException, ArithmeticError, ValueError):
        return value is None
    return True


def _odd(values: list[Any]) -> tuple[int, str]:
    """The index of the first value that has no place in the column, and why."""
    kinds: list[type] = [type(value) for value in values]
    allowed: set[type] = set()
    for index, kind in enumerate(kinds):
        if kind in _NO_PLACE:
            return index, f"{_NO_PLACE[kind]} has no place in a table."
        if kind is type(None):
            continue
        together = next((group for group in _TOGETHER if allowed | {kind} <= group), None)
        if together is None:
            many = KINDS[_TYPES[next(iter(allowed))]].many if allowed else "plain values"
            return index, f"{quoted(_shown(values[index]))} stands among {many}."
        allowed |= {kind}
    raise AssertionError("Nothing is odd here.")


def _why_not(value: Any) -> str:
    if isinstance(value, str):
        return "the text has half a letter (a lone surrogate)."
    if isinstance(value, int):
        return f"{quoted(value)} does not fit into 64 bits."
    return "the number is too big."


def _shown(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
