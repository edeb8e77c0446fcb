"""What owners change of a data set: what is said of it, who sees which rows, how long versions are kept."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ..exceptions import BadArguments, quoted
from ..models import Dataset
from .columns import RULE_TYPES, declared
from .finding import check

#: The fields that can be changed.
FIELDS = frozenset(
    {
        "title",
        "description",
        "tags",
        "access",
        "schema",
        "row_rule",
        "row_column",
        "keep_versions",
        "keep_days",
    }
)
#: Those by which rows are chosen.
_OF_RULES = frozenset({"schema", "row_rule", "row_column"})


def change(dataset: Dataset, user: Any, **values: Any) -> None:
    """Set some of ``FIELDS``, all or none. Raises ``MayNotManage``, ``MayNotSee``, ``BadArguments`` or ``BadData``."""
    assert values.keys() <= FIELDS
    check(dataset, user, "manage")
    if not values.get("row_rule", True):
        values["row_column"] = ""
    for field, value in values.items():
        setattr(dataset, field, value)
    if values.get("schema") is not None:
        declared(values["schema"])
    if values.keys() & _OF_RULES:
        check_row_rule(dataset)
    try:
        dataset.clean_fields(exclude={field.name for field in Dataset._meta.fields} - values.keys())
        dataset.validate_constraints(exclude=["name"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise BadArguments(messages[0] if field == "__all__" else f"{field}: {messages[0]}") from None
    if values:
        # Nothing else, which others may have changed since it was read
        dataset.save(update_fields=values)


def check_row_rule(dataset: Dataset) -> None:
    """Refuse a rule by which nobody would see anything. Raises ``BadArguments``."""
    if not dataset.row_rule:
        return
    if dataset.kind != Dataset.Kind.TABLE:
        raise BadArguments("A plain file has no rows to choose from.")
    columns = dataset.schema or (dataset.newest.columns if dataset.newest is not None else None)
    if columns is None:
        return
    kind = next((column["type"] for column in columns if column["name"] == dataset.row_column), None)
    if kind not in RULE_TYPES:
        known = " or ".join(RULE_TYPES)
        raise BadArguments(f"A row rule needs a column of {known}: {quoted(dataset.row_column)} is none.")
