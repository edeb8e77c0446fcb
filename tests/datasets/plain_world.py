"""Users, groups, data sets and grants said in plain words; who sees which rows by them; and how they are made.

What is right is said here anew, over these words alone, and by no code of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pyarrow as pa
from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone

from apps_registry.datasets.publishing import publish
from apps_registry.models import Dataset, DatasetGrant

from . import making

#: The roles, each with those before it in it.
ROLES = ("open", "publish", "manage")
#: The columns of all tables: two of keys, one of numbers that are keys too, and the number of the row.
COLUMNS = ("who", "team", "digit", "row")

type Row = tuple[str | None, str | None, int | None]


@dataclass(frozen=True)
class Person:
    """A user."""

    groups: frozenset[str] = frozenset()
    is_active: bool = True
    is_staff: bool = False
    is_superuser: bool = False
    permission: str = ""


@dataclass(frozen=True)
class Grant:
    """What a user or a group may do with a data set."""

    holder: str
    role: str = "open"
    is_group: bool = False


@dataclass(frozen=True)
class Table:
    """A data set."""

    access: str = "grant"
    owner: str = ""
    row_rule: str = ""
    row_column: str = ""
    grants: frozenset[Grant] = frozenset()
    is_deleted: bool = False
    kind: str = "table"
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class World:
    """All there is, by names."""

    people: Mapping[str, Person]
    tables: Mapping[str, Table]


# What is right


def holds(world: World, name: str | None, table: Table, role: str) -> bool:
    """Whether somebody (None: a visitor, or the guest of an app) has a role."""
    person = world.people.get(name or "")
    if table.is_deleted and role != "manage":
        return False
    if role == "open" and table.access == "public":
        return True
    if person is None or not person.is_active:
        return False
    if person.is_superuser or table.owner == name or (role == "open" and table.access == "login"):
        return True
    if role == "manage" and person.permission == "change_dataset":
        return True
    return any(
        grant.holder in (person.groups if grant.is_group else [name])
        and ROLES.index(grant.role) >= ROLES.index(role)
        for grant in table.grants
    )


def numbers(world: World, name: str | None, table: Table) -> list[int] | None:
    """The numbers of the rows that somebody sees; None: he may not see the data set at all."""
    if not holds(world, name, table, "open"):
        return None
    rows = list(enumerate(table.rows, 1))
    if not table.row_rule or holds(world, name, table, "publish"):
        return [number for number, _ in rows]
    person = world.people.get(name or "")
    if person is None or not person.is_active or table.row_column not in COLUMNS[:3]:
        return []
    mine = {"username": {name}, "groups": set(person.groups)}.get(table.row_rule, set())
    place = COLUMNS.index(table.row_column)
    return [number for number, row in rows if row[place] is not None and str(row[place]) in mine]


# How it is made


def word(number: int) -> str:
    """What stands in the row of this number, and nowhere else."""
    return f"row-{number:03}-here"


def make(world: World) -> dict[str, User]:
    """Write a world into an empty database; gives the users."""
    users = {name: _make_user(name, person) for name, person in world.people.items()}
    maker = User.objects.create(username=MAKER, is_superuser=True)
    for name, table in world.tables.items():
        _make_table(name, table, users, maker)
    return users


#: Who publishes all there is, and is none of the people.
MAKER = "maker of the world"


def _make_user(name: str, person: Person) -> User:
    user = User.objects.create(
        username=name,
        is_active=person.is_active,
        is_staff=person.is_staff,
        is_superuser=person.is_superuser,
    )
    user.groups.set(_groups(person.groups))
    if person.permission:
        user.user_permissions.add(Permission.objects.get(codename=person.permission))
    return user


def _groups(names: Iterable[str]) -> list[Group]:
    return [Group.objects.get_or_create(name=name)[0] for name in names]


def _make_table(name: str, table: Table, users: Mapping[str, User], maker: User) -> None:
    owner = users.get(table.owner)
    dataset = Dataset.objects.create(name=name, kind=table.kind, access=table.access, owner=owner)
    if table.kind == "table":
        dataset.schema = SCHEMA
        dataset.save()
    for grant in table.grants:
        holder = {"group": _groups([grant.holder])[0]} if grant.is_group else {"user": users[grant.holder]}
        DatasetGrant.objects.create(dataset=dataset, role=grant.role, **holder)
    send(dataset, table, maker)
    # A rule that makes no sense any more is refused at the front doors, and may come of a new version
    changes: dict[str, Any] = {"row_rule": table.row_rule, "row_column": table.row_column}
    if table.is_deleted:
        changes["deleted_at"] = timezone.now()
    Dataset.objects.filter(pk=dataset.pk).update(**changes)


def send(dataset: Dataset, table: Table, user: User) -> None:
    """Publish what is in a data set as a new version."""
    if table.kind == "file":
        publish(dataset, BytesIO(word(1).encode()), user=user, filename="letter.txt")
    else:
        publish(dataset, BytesIO(as_csv(table)), user=user, format="csv")


#: Else keys that are all numbers, or all missing, would not be text.
SCHEMA = [
    {"name": name, "type": "integer" if name in ("digit", "row") else "text"} for name in (*COLUMNS, "word")
]


def as_csv(table: Table) -> bytes:
    """A table as a file."""
    who, team, digit = ([row[place] for row in table.rows] for place in range(3))
    count = len(table.rows)
    return making.csv(
        pa.table(
            {
                "who": pa.array(who, pa.string()),
                "team": pa.array(team, pa.string()),
                "digit": pa.array(digit, pa.int64()),
                "row": pa.array(range(1, count + 1), pa.int64()),
                "word": pa.array(map(word, range(1, count + 1)), pa.string()),
            }
        )
    )
