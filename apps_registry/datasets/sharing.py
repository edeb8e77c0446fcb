"""Who may see and publish a data set: its grants."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction

from ..exceptions import BadArguments, quoted
from ..models import Dataset, DatasetGrant
from .finding import check, lock


def share(dataset: Dataset, owner: Any, role: str, *, user: Any = None, group: Group | None = None) -> None:
    """Let a user or a group have ``role``, one of ``DatasetGrant.Role``, in place of what they have.

    Raises ``MayNotManage``, ``MayNotSee`` or ``BadArguments``.
    """
    check(dataset, owner, "manage")
    if role not in DatasetGrant.Role.values:
        raise BadArguments(
            f"There is no role {quoted(role)}: the roles are {', '.join(DatasetGrant.Role.values)}."
        )
    with transaction.atomic():
        lock(Dataset.objects.filter(pk=dataset.pk))
        _grants(dataset, user, group).exclude(role=role).delete()
        DatasetGrant.objects.get_or_create(dataset=dataset, user=user, group=group, role=role)


def unshare(dataset: Dataset, owner: Any, *, user: Any = None, group: Group | None = None) -> bool:
    """Take from a user or a group what they have. Whether it was anything; raises as ``share``."""
    check(dataset, owner, "manage")
    # One by one, so that what listens to models hears of each
    deleted = [grant.delete() for grant in _grants(dataset, user, group)]
    return bool(deleted)


def _grants(dataset: Dataset, user: Any, group: Group | None) -> Any:
    assert (user is None) != (group is None)
    return DatasetGrant.objects.filter(dataset=dataset, user=user, group=group)


def user_named(name: str) -> Any:
    """The user who logs in by this name. Raises ``BadArguments``."""
    # Some databases fail over NUL, which no name has
    with suppress(ObjectDoesNotExist, ValidationError, ValueError):
        # The latter two: a name that is no number, or no UUID, where names are
        if "\0" not in name:
            return get_user_model()._default_manager.get_by_natural_key(name)
    raise BadArguments(f"There is no user {quoted(name)}.")


def group_named(name: str) -> Group:
    """The group of this name. Raises ``BadArguments``."""
    group = Group.objects.filter(name=name).first() if "\0" not in name else None
    if group is None:
        raise BadArguments(f"There is no group {quoted(name)}.")
    return group
