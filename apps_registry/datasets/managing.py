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
from .finding import check, row_of


def to_publish(name: str, *, user: Any, create: bool = True, **values: Any) -> Dataset:
    """The data set of this name for ``publish``: as it is, or a new one with these ``values`` that is not saved yet.

    Raises ``MayNotPublish`` or ``MayNotSee``, and ``BadArguments`` for values that cannot be.
    """
    # Looked for once: another publisher may make it at any moment
    there = row_of(name)
    can_make = create and may(user, "publish", None)
    if there is None:
        if not can_make:
            raise MayNotSee(name)
        return _new(name, user, values)
    try:
        check(there, user, "publish")
    except MayNotSee:
        raise (_taken(there, user) if can_make else MayNotSee(name)) from None
    return there


def create_dataset(name: str, *, user: Any, **values: Any) -> Dataset:
    """A new data set, with no version yet. Raises ``MayNotPublish``, and ``BadArguments`` for values that cannot be."""
    if not may(user, "publish", None):
        raise MayNotPublish("You may not make data sets.")
    if (there := row_of(name)) is not None:
        raise _taken(there, user)
    dataset = _new(name, user, values)
    try:
        with transaction.atomic():
            dataset.save(force_insert=True)
    except IntegrityError:
        raise _taken(dataset, None) from None
    return dataset


def delete(dataset: Dataset, user: Any) -> None:
    """Hide a data set from everybody; for ``DATA_UNDELETE_DAYS`` it can be had back, and its name stays taken.

    Raises ``MayNotManage`` or ``MayNotSee``.
    """
    # Deleting it again does not put off the day on which it goes for good
    _set_deleted(dataset, user, dataset.deleted_at or timezone.now())


def undelete(dataset: Dataset, user: Any) -> None:
    """Have a deleted data set back, with its versions and grants. Raises ``MayNotSee``."""
    _set_deleted(dataset, user, None)


def _set_deleted(dataset: Dataset, user: Any, at: Any) -> None:
    check(dataset, user, "manage")
    dataset.deleted_at = at
    dataset.save(update_fields=["deleted_at"])


def _new(name: str, user: Any, values: dict[str, Any]) -> Dataset:
    dataset = Dataset(name=name, owner=user, **values)
    try:
        dataset.clean_fields()
        dataset.validate_constraints(exclude=["name"])
    except ValidationError as error:
        raise BadArguments(_sentence(error)) from None
    if dataset.schema is not None:
        declared(dataset.schema)
    return dataset


def _taken(there: Dataset, user: Any) -> MayNotPublish:
    name = quoted(there.name)
    if user is not None and may(user, "manage", there):
        is_deleted = there.deleted_at is not None
        return MayNotPublish(
            f"{name} is deleted. Have it back first." if is_deleted else f"There is {name} already."
        )
    # It may be of somebody who does not want it known; but that the name cannot be had must be said
    return MayNotPublish(f"You may not publish {name}. Choose another name.")


def _sentence(error: ValidationError) -> str:
    field, messages = next(iter(error.message_dict.items()))
    return messages[0] if field == "__all__" else f"{field}: {messages[0]}"
