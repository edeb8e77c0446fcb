"""Row rules: which rows of a data set a user sees. Every way to the rows goes through ``visible``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from django.contrib.auth.models import Group

from .. import permissions
from ..models import Dataset


@dataclass(frozen=True)
class RowFilter:
    """Only rows whose ``column`` is one of ``values``; no value: no row."""

    column: str
    values: frozenset[str]

    def expression(self, schema: Any) -> Any:
        """What picks the rows of a table with this ``pyarrow.Schema``, as ``pyarrow.compute.Expression``.

        No row when the column is not there, or is neither text nor whole numbers.
        """
        kind = schema.field(self.column).type if self.column in schema.names else None
        if not self.values or kind is None or not (_is_text(kind) or pa.types.is_integer(kind)):
            return pc.scalar(False)
        column = pc.field(self.column)
        return (column if _is_text(kind) else column.cast(pa.string())).isin(
            pa.array(sorted(self.values), kind if _is_text(kind) else pa.string())
        )

    def holds(self, other: RowFilter | None) -> bool:
        """Whether all rows that ``other`` lets pass are among those of this one."""
        if other is None:
            return False
        return not other.values or (self.column == other.column and self.values >= other.values)


#: No rows at all.
NOTHING: Final = RowFilter("", frozenset())


def row_filter(user: Any, dataset: Dataset) -> RowFilter | None:
    """Which rows ``user``, who may see the data set, sees; None: all. It asks the database.

    Its owner, its publishers and superusers see all rows. Who is not logged in sees none where there is a rule.
    """
    if dataset.row_rule == Dataset.RowRule.ALL or permissions.may(user, "publish", dataset):
        return None
    if not permissions.is_login(user) or not dataset.row_column:
        return NOTHING
    match dataset.row_rule:
        case Dataset.RowRule.USERNAME:
            return RowFilter(dataset.row_column, frozenset([str(user.get_username())]))
        case Dataset.RowRule.GROUPS:
            return RowFilter(dataset.row_column, frozenset(_group_names(user)))
        case _:
            return NOTHING


def visible(table: Any, filter: RowFilter | None) -> Any:
    """The rows of a ``pyarrow.Table`` that a filter lets pass. The table needs the column of the filter, or none is."""
    return table if filter is None else table.filter(filter.expression(table.schema))


def _group_names(user: Any) -> list[str]:
    # A site's own user model may know no groups, or others
    if getattr(getattr(user, "groups", None), "model", None) is not Group:
        return []
    return list(user.groups.values_list("name", flat=True))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
