"""Rows, users and groups by the names that people type; a wrong name is answered with the nearest one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import CommandError

from ..models import Dataset, VizApp
from ..registry import look

#: Names among which the nearest is looked for, so that a slip costs no more on a site of many users.
_COMPARED = 5000


def find_app(name: str) -> VizApp:
    """The row of this name. Raises ``CommandError``."""
    row = VizApp.objects.filter(name=name).first()
    if row is not None:
        return row
    if name in look().paths:
        raise CommandError(f"The app {name} has no row yet: run `manage.py syncapps` first.")
    names = VizApp.objects.order_by().values_list("name", flat=True)
    raise CommandError(f"There is no app {name} in the registry.{did_you_mean(name, names)}")


def find_dataset(name: str) -> Dataset:
    """The data set of this name. Raises ``CommandError``."""
    dataset = Dataset.objects.existing().filter(name=name).first()
    if dataset is not None:
        return dataset
    names = Dataset.objects.existing().order_by().values_list("name", flat=True)
    raise CommandError(f"There is no data set {name}.{did_you_mean(name, names)}")


def find_user(name: str) -> Any:
    """The user who logs in by this name, whatever the site's user model calls it. Raises ``CommandError``."""
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(name)
    except (ObjectDoesNotExist, ValidationError, ValueError):
        # The latter two: a name that is no number, or no UUID, where names are
        pass
    names = model._default_manager.order_by().values_list(model.USERNAME_FIELD, flat=True)
    raise CommandError(f"There is no user {name}.{did_you_mean(name, names)}")


def find_group(name: str) -> Group:
    """The group of this name. Raises ``CommandError``."""
    group = Group.objects.filter(name=name).first()
    if group is not None:
        return group
    names = Group.objects.order_by().values_list("name", flat=True)
    raise CommandError(f"There is no group {name}.{did_you_mean(name, names)}")


def did_you_mean(name: str, names: Iterable[Any]) -> str:
    """A question with the nearest of ``names``, or nothing."""
    known = {text.casefold(): text for text in map(str, islice(names, _COMPARED))}
    near = difflib.get_close_matches(name.casefold(), known, 1)
    return f" Did you mean {known[near[0]]}?" if near else ""
