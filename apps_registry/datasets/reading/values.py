"""Makes the values of a column be of one type, and says which value is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...exceptions import quoted
from ..columns import KINDS, type_of

#: What stands for no value in columns that are not text.
_MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None")
#: What the values of dates may be, so that every reader can show them.
_DATES = {
    "date": (dt.date.min, dt.date.max),
    "datetime": (dt.datetime.min, dt.datetime.max),
}
_MIDNIGHT = "1970-01-01T"
#: Rows of text that are read at once, the first ones and the others: see ``_read``.
_FIRST_ROWS = 64
_ROWS = 8_192
_UTC = pa.timestamp("us", "UTC")


class Misfit(Exception):
    """A value is not of the type that it should be."""

    def __init__(self, index: int, value: pa.Scalar, wanted: str, written: bool) -> None:
        super().__init__(_why(value, wanted, written))
        self.index = index
        self.value = value


def fit(array: pa.Array, wanted: str, *, written: bool = False) -> pa.Array:
    """The values as they are stored for the type ``wanted``. Raises ``Misfit`` for the first that is no such.

    ``written``: the file knows no types, so that ``12`` in text is a number as well.
    """
    try:
        return _cast(array, wanted, written)
    except pa.ArrowException:
        index = _first_misfit(array, wanted, written)
        raise Misfit(index, array[index], wanted, written) from None


def fits(array: pa.Array, wanted: str, *, written: bool = False) -> bool:
    """Whether all values are of the type ``wanted``."""
    try:
        _cast(array, wanted, written)
    except pa.ArrowException:
        return False
    return True


@cache
def words(*texts: str) -> pa.Array:
    """Some texts. Not made when a module is imported: Arrow's first array imports pandas, which few commands need."""
    return pa.array(texts)


def is_missing(written: pa.Array) -> bool:
    """Whether none of the values that are written as text is one."""
    return (
        pc.all(pc.is_in(pc.utf8_trim_whitespace(written.drop_null()), words(*_MISSING))).as_py() is not False
    )


def kind_of(array: pa.Array) -> str | None:
    """The type of the values; none when there are only missing ones."""
    return type_of(array.type) if array.null_count < len(array) else None


def _cast(array: pa.Array, wanted: str, written: bool) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = kind_of(array)
    if kind is None:
        return pa.nulls(len(array), KINDS[wanted].stored)
    if kind == "text" and wanted != "text":
        if not written and wanted not in ("date", "datetime", "time"):
            raise pa.ArrowInvalid("Text is no value of this type.")
        return _parsed(array, wanted)
    if (kind, wanted) not in _CASTS:
        raise pa.ArrowInvalid("A value of another type.")
    return _bounded(_CASTS[kind, wanted](array), wanted)


def _read(array: pa.Array, stored: pa.DataType) -> pa.Array:
    """What text stands for, piece by piece: Arrow goes on to the end, and makes an error for each wrong value."""
    bounds = [0, *range(_FIRST_ROWS, len(array), _ROWS), len(array)]
    return pa.concat_arrays([pc.cast(array[start:end], stored) for start, end in pairwise(bounds)])


def _to(wanted: str, *, safe: bool = True) -> Callable[[pa.Array], pa.Array]:
    return lambda array: pc.cast(array, KINDS[wanted].stored, safe=safe)


def _moments(array: pa.Array) -> pa.Array:
    """Dates with a time: finer parts than microseconds are left away, other time zones become UTC."""
    safe = array.type.unit != "ns"
    return pc.cast(pc.cast(array, pa.timestamp("us", array.type.tz), safe=safe), KINDS["datetime"].stored)


def _times(array: pa.Array) -> pa.Array:
    return pc.cast(array, KINDS["time"].stored, safe=array.type.bit_width == 32)


def _days(array: pa.Array) -> pa.Array:
    """Dates of times that are all midnight."""
    moments = _moments(array)
    days = pc.cast(moments, KINDS["date"].stored, safe=False)
    if not pc.all(pc.equal(pc.cast(days, moments.type), moments)).as_py():
        raise pa.ArrowInvalid("A time that is not midnight.")
    return days


_CASTS: dict[tuple[str, str], Callable[[pa.Array], pa.Array]] = {
    **{(kind, kind): _to(kind) for kind in ("boolean", "integer", "number", "text", "date")},
    ("integer", "number"): _to("number", safe=False),
    ("number", "integer"): _to("integer"),
    ("date", "datetime"): _to("datetime"),
    ("datetime", "datetime"): _moments,
    ("datetime", "date"): _days,
    ("time", "time"): _times,
}


def _bounded(array: pa.Array, wanted: str) -> pa.Array:
    """The same dates, none of which is outside the years 1 to 9999."""
    if wanted in _DATES:
        low, high = (pa.scalar(bound, array.type) for bound in _DATES[wanted])
        within = pc.and_(pc.greater_equal(array, low), pc.less_equal(array, high))
        if pc.all(within).as_py() is False:
            raise pa.ArrowInvalid("A year that has not four digits.")
    return array


def _parsed(array: pa.Array, wanted: str) -> pa.Array:
    """What is written in text."""
    parse = _PARSERS.get(wanted) or partial(_read, stored=KINDS[wanted].stored)
    try:
        return parse(array)
    except pa.ArrowInvalid:
        trimmed = pc.utf8_trim_whitespace(array)
        missing = pc.is_in(trimmed, words(*_MISSING))
        return parse(pc.if_else(missing, pa.scalar(None, trimmed.type), trimmed))


def _parse_number(array: pa.Array) -> pa.Array:
    numbers = _read(array, KINDS["number"].stored)
    infinite = pc.is_inf(numbers)
    if pc.any(infinite).as_py() and pc.any(pc.match_substring_regex(array.filter(infinite), "[0-9]")).as_py():
        raise pa.ArrowInvalid("A number that is too big.")
    return numbers


def _parse_moment(array: pa.Array) -> pa.Array:
    for stored in (KINDS["datetime"].stored, _UTC, pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return _bounded(_moments(_read(array, stored)), "datetime")
        except pa.ArrowInvalid as error:
            last = error
    raise last


def _parse_time(array: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(array, "[^0-9:.]")).as_py():
        raise pa.ArrowInvalid("More than a time of day.")
    moments = pc.binary_join_element_wise(_MIDNIGHT, array, "")
    return pc.cast(_read(moments, KINDS["datetime"].stored), KINDS["time"].stored)


_PARSERS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "number": _parse_number,
    "datetime": _parse_moment,
    "time": _parse_time,
}


def _first_misfit(array: pa.Array, wanted: str, written: bool) -> int:
    """The index of the first value that does not fit, found by halving."""
    low, high = 0, len(array)
    while high - low > 1:
        middle = (low + high) // 2
        if fits(array[low:middle], wanted, written=written):
            low = middle
        else:
            high = middle
    return low


def _why(value: pa.Scalar, wanted: str, written: bool) -> str:
    shown = quoted(_shown(value))
    if type_of(value.type) == "text" and not written:
        return f"{shown} is text, not {KINDS[wanted].one}."
    if wanted == "integer" and shown.strip("'+-").isdigit():
        return f"{shown} does not fit into 64 bits."
    return f"{shown} is not {KINDS[wanted].one}."


def _shown(value: pa.Scalar) -> Any:
    try:
        found = value.as_py()
    except (ValueError, OverflowError):
        return "?"
    return str(found).lower() if isinstance(found, bool) else found
