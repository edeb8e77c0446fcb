"""Data sets for the tests, published as publishers do it."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from apps_registry.datasets.managing import to_publish
from apps_registry.datasets.publishing import publish
from apps_registry.models import Dataset, DatasetGrant, DatasetVersion

from . import making

SALES = pa.table(
    {
        "region": pa.array(["EU", "US", "EU", "Asia", None]),
        "price": pa.array([1.5, 2.0, 3.25, 4.0, 5.0]),
        "count": pa.array([1, 2, 3, 4, 5]),
    }
)
#: EU and US.
MORE = SALES.slice(0, 2)


def user(name: str, *groups: str, **fields: Any) -> Any:
    """A user of this name, in these groups."""
    found, is_new = get_user_model().objects.get_or_create(username=name, defaults=fields)
    if is_new and groups:
        found.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    return found


def publisher() -> Any:
    """Who owns the data sets of the tests."""
    return user("publisher", is_superuser=True)


def put(
    name: str = "sales", table: pa.Table = SALES, *, append: bool = False, **values: Any
) -> DatasetVersion:
    """Publish a table; ``values`` are those of a data set that is not there yet."""
    owner = publisher()
    dataset = to_publish(name, user=owner, **{"access": "login", **values})
    source = io.BytesIO(making.csv(table))
    return publish(dataset, source, format="csv", user=owner, append=append)


def grant(name: str, holder: Any, role: str = "open") -> DatasetGrant:
    """Give a user or a group a role of a data set."""
    whom = {"group" if isinstance(holder, Group) else "user": holder}
    return DatasetGrant.objects.create(dataset=Dataset.objects.get(name=name), role=role, **whom)


def change(name: str, **values: Any) -> None:
    """Set fields of a data set."""
    dataset = Dataset.objects.get(name=name)
    for field, value in values.items():
        setattr(dataset, field, value)
    dataset.save()
