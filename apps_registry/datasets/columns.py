"""The types that columns have, whatever format they come in, and the names that they may have.

A type is one word; ``KINDS`` says how the values are stored. Times of day have no zone; dates with a time are in UTC.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ..exceptions import BadData, quoted

MAX_NAME = 255
#: Control characters, halves of letters, ends of lines and paragraphs.
_UNFIT = {"Cc", "Cs", "Zl", "Zp"}
#: As declared on a data set, and as told of a file: ``[{"name": "price", "type": "number"}, ...]``.
type Columns = list[dict[str, str]]


@dataclass(frozen=True)
class Kind:
    """One type of columns."""

    stored: pa.DataType
    #: What one value is called in messages, and many.
    one: str
    many: str


KINDS = {
    "integer": Kind(pa.int64(), "a whole number", "whole numbers"),
    "number": Kind(pa.float64(), "a number", "numbers"),
    "text": Kind(pa.string(), "text", "text"),
    "boolean": Kind(pa.bool_(), "true or false", "true or false"),
    "date": Kind(pa.date32(), "a date like 2026-01-31", "dates"),
    "datetime": Kind(pa.timestamp("us"), "a time like 2026-01-31T12:30:00", "dates with a time"),
    "time": Kind(pa.time64("us"), "a time of day like 12:30:00", "times of day"),
}
#: The types of columns that a row rule can read.
RULE_TYPES = ("text", "integer")


def type_of(stored: pa.DataType) -> str | None:
    """The type of a column that Arrow has as ``stored``; none for lists, bytes, and what else has no place here."""
    if pa.types.is_dictionary(stored):
        stored = stored.value_type
    return next((name for name, tests in _TESTS.items() if any(test(stored) for test in tests)), None)


_TESTS = {
    "boolean": (pa.types.is_boolean,),
    "integer": (pa.types.is_integer,),
    "number": (pa.types.is_floating, pa.types.is_decimal),
    "text": (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null),
    "date": (pa.types.is_date,),
    "datetime": (pa.types.is_timestamp,),
    "time": (pa.types.is_time,),
}


def arrow_schema(types: Mapping[str, str]) -> pa.Schema:
    """How columns of these types are stored."""
    return pa.schema([(name, KINDS[type].stored) for name, type in types.items()])


def described(types: Mapping[str, str]) -> Columns:
    """The columns as a data set keeps them."""
    return [{"name": name, "type": type} for name, type in types.items()]


def declared(columns: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The types of declared columns by their names. Raises ``BadData`` for what cannot be declared."""
    names, types = [], []
    for number, column in enumerate(columns, 1):
        if set(column) != {"name", "type"} or not all(isinstance(value, str) for value in column.values()):
            raise BadData(f"Declared column {number} needs a name and a type, and nothing else.")
        if column["type"] not in KINDS:
            known = ", ".join(KINDS)
            raise BadData(
                f"{quoted(column['type'])} is not a type; the types are {known}.", column=column["name"]
            )
        names.append(column["name"])
        types.append(column["type"])
    check_names(names)
    return dict(zip(names, types, strict=True))


def check_names(names: Iterable[str], *, row: int | None = None) -> None:
    """Refuse names that columns cannot have. Raises ``BadData``, for the header in ``row``."""
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if (fault := name_fault(name)) is not None:
            raise BadData(f"column {number} has {fault}.", row=row)
        if name in seen:
            raise BadData("two columns have this name.", row=row, column=name)
        seen.add(name)
    if not seen:
        raise BadData("the file has no columns.", row=row)


def name_fault(name: str) -> str | None:
    """Why a column cannot have this name, if it cannot."""
    if not name.strip():
        return "no name"
    if len(name) > MAX_NAME:
        return f"a name of more than {MAX_NAME} letters"
    if any(unicodedata.category(letter) in _UNFIT for letter in name):
        return "a name with a letter that cannot be shown"
    return None


def check_declared(names: Iterable[str], types: Mapping[str, str]) -> None:
    """Refuse columns that are not those of the data set. Raises ``BadData``."""
    names = list(names)
    there = set(names)
    for name in types:
        if name not in there:
            raise BadData("declared by the data set, but not in the file.", column=name)
    for name in names:
        if name not in types:
            raise BadData("in the file, but not declared by the data set.", column=name)
