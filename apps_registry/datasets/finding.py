"""Data sets by their names, for those who may know of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import F, QuerySet

from ..exceptions import MayNotManage, MayNotPublish, MayNotSee, VizserverError, quoted
from ..models import Dataset
from ..models.data import NAME
from ..permissions import may

_REFUSALS: Mapping[str, type[VizserverError]] = {"publish": MayNotPublish, "manage": MayNotManage}
_VERBS = {"publish": "publish", "manage": "change"}


def find(name: str, user: Any, role: str = "open") -> Dataset:
    """The data set of this name with which ``user`` may do ``role``: for ``manage`` also one that is deleted.

    Raises ``MayNotPublish`` or ``MayNotManage`` to those who may see it, and otherwise ``MayNotSee``.
    """
    dataset = row_of(name)
    if dataset is None:
        raise MayNotSee(name)
    check(dataset, user, role)
    return dataset


def check(dataset: Dataset, user: Any, role: str) -> None:
    """Refuse what ``user`` may not do, in words that do not tell of what he may not see. Raises as ``find``."""
    if may(user, role, dataset):
        return
    if role == "open" or not may(user, "open", dataset):
        raise MayNotSee(dataset.name)
    raise _REFUSALS[role](f"You may not {_VERBS[role]} {quoted(dataset.name)}.")


def lock(rows: QuerySet[Dataset]) -> int:
    """Let nobody else change data sets until the end of the transaction; how many there are.

    It is to come first in the transaction: SQLite lets nobody write who has read something that is no longer so.
    """
    # A write that changes nothing: some databases lock by nothing else
    return rows.update(deleted_at=F("deleted_at"))


def row_of(name: str) -> Dataset | None:
    """The data set of this name, whoever asks."""
    # Databases fail over what no name can hold, such as NUL
    if NAME.match(name) is None:
        return None
    return Dataset.objects.select_related("newest").filter(name=name).first()
