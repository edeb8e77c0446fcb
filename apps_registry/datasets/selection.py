"""Parts of a version, made once for all viewers who see the same: some columns of the rows that a condition picks."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..exceptions import quoted
from ..live import adapter
from .arrays import Array, array_of, joined
from .rules import RowFilter, visible
from .store import Copy

#: As app code gives it: values by column, or a ``pyarrow.compute.Expression``.
type Where = Mapping[str, Any] | Any | None


@dataclass(frozen=True)
class Wanted:
    """What app code asks for: columns (None: all), and a condition on the rows."""

    columns: tuple[str, ...] | None = None
    where: Where = None

    @classmethod
    def of(cls, columns: Iterable[str] | None, where: Where) -> Wanted:
        """As app code says it; what it changes afterwards changes nothing here."""
        if isinstance(where, Mapping):
            where = {name: tuple(_values(value)) for name, value in where.items()}
        if isinstance(columns, str):
            columns = [columns]
        return cls(None if columns is None else tuple(columns), where)

    @cached_property
    def key(self) -> object:
        """The same for those who want the same."""
        return self.columns, _key(self.where)


class Selection:
    """Arrays of what is wanted of one version, under the row filters of its viewers."""

    def __init__(self, copy: Copy, wanted: Wanted, filters: frozenset[RowFilter]) -> None:
        self.copy = copy
        self.filters = filters
        if wanted.where is None and not filters:
            self.arrays = copy.arrays(wanted.columns)
        else:
            self.arrays = _continued(copy, wanted, filters) or _arrays(select(copy, wanted, filters))
        self._tails: dict[int, dict[str, Array]] = {}

    @property
    def rows(self) -> int:
        """How many there are."""
        return next((len(array) for array in self.arrays.values()), 0)

    def continues(self, before: Selection) -> bool:
        """Whether its columns are those of ``before``, of the same kinds, with at least as many rows.

        Under other filters, more rows may stand between those of before.
        """
        if self.filters != before.filters:
            return False
        kinds = {name: array.dtype for name, array in self.arrays.items()}
        return kinds == {n: a.dtype for n, a in before.arrays.items()} and self.rows >= before.rows

    def tail(self, start: int) -> dict[str, Array]:
        """The rows from ``start`` on, the same arrays for all who ask."""
        with self.copy.lock:
            if start not in self._tails:
                self._tails[start] = {
                    name: adapter.share(array[start:]) for name, array in self.arrays.items()
                }
            return self._tails[start]


def selection(copy: Copy, wanted: Wanted, filters: frozenset[RowFilter]) -> Selection:
    """What is wanted of a version under some filters: made once, and kept while anybody has it."""
    key = _key_of(wanted, filters)
    with copy.lock:
        found = copy.shared.get(key)
        if found is None:
            found = copy.shared[key] = Selection(copy, wanted, filters)
        return found


def select(copy: Copy, wanted: Wanted, filters: Iterable[RowFilter]) -> Any:
    """What is wanted of a version under some filters, as a ``pyarrow.Table``.

    Raises ``NoSuchColumn``, or ``ValueError`` for a condition that makes no sense on its column.
    """
    filters = list(filters)
    return _selected(copy, copy.table(_needed(copy, wanted, filters)), wanted, filters)


def _selected(copy: Copy, table: Any, wanted: Wanted, filters: Iterable[RowFilter]) -> Any:
    # The rule first: a condition of the app's code never meets rows that it may not
    for filter in filters:
        table = visible(table, filter)
    for condition in _conditions(wanted.where, table.schema):
        table = table.filter(condition)
    return table.select(_names(copy, wanted))


def _continued(copy: Copy, wanted: Wanted, filters: frozenset[RowFilter]) -> dict[str, Array] | None:
    """What was selected of an earlier version, and then what there is in the rows that were added to it."""
    for before in copy.earlier():
        selected = before.shared.get(_key_of(wanted, filters))
        if selected is not None:
            added = copy.added(before, copy.check(_needed(copy, wanted, filters)))
            if added is not None:
                arrays = _arrays(_selected(copy, added, wanted, filters))
                return {name: joined(array, arrays[name]) for name, array in selected.arrays.items()}
    return None


def _arrays(table: Any) -> dict[str, Array]:
    return {name: array_of(table.column(name)) for name in table.column_names}


def _key_of(wanted: Wanted, filters: frozenset[RowFilter]) -> object:
    return wanted.key, filters


def _names(copy: Copy, wanted: Wanted) -> Sequence[str]:
    return copy.check(copy.types if wanted.columns is None else wanted.columns)


def _needed(copy: Copy, wanted: Wanted, filters: Iterable[RowFilter]) -> list[str]:
    """The columns to look at."""
    of_filters = [filter.column for filter in filters if filter.column in copy.types]
    return [*_names(copy, wanted), *_named(wanted.where, copy), *of_filters]


def _named(where: Where, copy: Copy) -> Iterable[str]:
    if isinstance(where, Mapping):
        return copy.check(where)
    # An expression does not say which columns it reads
    return () if where is None else copy.types


def _conditions(where: Where, schema: Any) -> Iterator[Any]:
    if isinstance(where, Mapping):
        for name, wanted in where.items():
            yield _condition(name, _values(wanted), schema.field(name).type)
    elif where is not None:
        yield where


def _condition(name: str, values: list[Any], kind: Any) -> Any:
    given = [value for value in values if value is not None]
    try:
        condition = pc.field(name).isin(pa.array(given, kind))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError, OverflowError):
        raise ValueError(
            f"The column {quoted(name)} is of the type {kind}, and has no such values."
        ) from None
    return condition | pc.field(name).is_null() if len(given) < len(values) else condition


def _values(wanted: Any) -> list[Any]:
    if isinstance(wanted, str | bytes) or not isinstance(wanted, Iterable):
        return [wanted]
    return list(wanted)


def _key(where: Where) -> object:
    if isinstance(where, Mapping):
        return frozenset((name, frozenset(map(_typed, _values(value)))) for name, value in where.items())
    return None if where is None else pickle.dumps(where)


def _typed(value: Any) -> object:
    # 1 and True are equal, and not the same
    return type(value).__name__, value
