"""Data sets themselves: made, deleted, and had back."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from ..exceptions import BadArguments, MayNotPublish, MayNotSee, quoted
from ..models import Dataset
from ..permissions import may
from .columns import declared
from .finding import check, find, row_of


def to_publish(name: str, *, user: Any, create: bool = True, **values: Any) -> Dataset:
    """The data set of this name for ``publish``: as it is, or a new one with these ``values`` that is not saved yet.

    Raises ``MayNotPublish`` or ``MayNotSee``, and ``BadArguments`` for values that cannot be.
    """
    try:
        return find(name, user, "publish")
    except MayNotSee:
        if not create or not may(user, "publish", None):
            raise
    return _new(name, user, values)


def create_dataset(name: str, *, user: Any, **values: Any) -> Dataset:
    """A new data set, with no version yet. Raises ``MayNotPublish``, and ``BadArguments`` for values that cannot be."""
    if not may(user, "publish", None):
        raise MayNotPublish("You may not make data sets.")
    dataset = _new(name, user, values)
    try:
        with transaction.atomic():
            dataset.save(force_insert=True)
    except IntegrityError:
        raise _taken(name) from None
    return dataset


def delete(dataset: Dataset, user: Any) -> None:
    """Hide a data set from everybody; for ``DATA_UNDELETE_DAYS`` it can be had back, and its name stays taken.

    Raises ``MayNotManage`` or ``MayNotSee``.
    """
    _set_deleted(dataset, user, timezone.now())


def undelete(dataset: Dataset, user: Any) -> None:
    """Have a deleted data set back, with its versions and grants. Raises ``MayNotSee``."""
    _set_deleted(dataset, user, None)


def _set_deleted(dataset: Dataset, user: Any, at: Any) -> None:
    check(dataset, user, "manage")
    dataset.deleted_at = at
    dataset.save(update_fields=["deleted_at"])


def _new(name: str, user: Any, values: dict[str, Any]) -> Dataset:
    there = row_of(name)
    if there is not None and may(user, "manage", there):
        is_deleted = there.deleted_at is not None
        raise MayNotPublish(f"{quoted(name)} is deleted. Have it back first." if is_deleted else None)
    if there is not None:
        raise _taken(name)
    dataset = Dataset(name=name, owner=user, **values)
    try:
        dataset.clean_fields()
        dataset.validate_constraints(exclude=["name"])
    except ValidationError as error:
        raise BadArguments(_sentence(error)) from None
    if dataset.schema is not None:
        declared(dataset.schema)
    return dataset


def _taken(name: str) -> MayNotPublish:
    # It may be of somebody who does not want it known; but that the name cannot be had must be said
    return MayNotPublish(f"You may not publish {quoted(name)}. Choose another name.")


def _sentence(error: ValidationError) -> str:
    field, messages = next(iter(error.message_dict.items()))
    return messages[0] if field == "__all__" else f"{field}: {messages[0]}"
