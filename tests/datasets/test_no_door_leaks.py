"""Whatever users, grants and row rules there are, each door gives exactly the rows that are right."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import cycle, product
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from hypothesis import HealthCheck, Phase, given, settings as hypothesis, strategies as some

from apps_registry.models import Dataset
from apps_registry.permissions import may

from .data_doors import DOWNLOADS, IN_CODE, Seen, Visitor, listed, look, nobody, page
from .plain_world import MAKER, ROLES, Grant, Person, Table, World, holds, make, numbers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("folders", "no_thread_kept")]

#: A user may be called as a group is; what is the same but for a letter's size, or a blank, is not the same.
NAMES = ("ann", "Ann", "north", "7")
GROUPS = ("north", "North", "north ", "ann", "7")
TABLES = ("one", "two")

#: In each column of each table, so that what must not come out is there.
KEYS = (*dict.fromkeys((*NAMES, *GROUPS)), None, "nobody's")

_groups = some.frozensets(some.sampled_from(GROUPS), max_size=3)
_often = some.sampled_from([True, True, True, False])
_seldom = some.sampled_from([False, False, False, False, True])
_people = some.dictionaries(
    some.sampled_from(NAMES),
    some.builds(
        Person,
        groups=_groups,
        is_active=_often,
        is_staff=_seldom,
        is_superuser=_seldom,
        permission=some.sampled_from(["", "", "", "change_dataset", "publish_data"]),
    ),
    min_size=2,
    max_size=3,
)
_rows = some.builds(
    lambda who, team: tuple(
        (*pair, digit) for pair, digit in zip(zip(who, team, strict=True), cycle((7, 70, None)))
    ),
    some.permutations(KEYS),
    some.permutations(KEYS),
)


@some.composite
def worlds(draw: some.DrawFn) -> World:
    people = draw(_people)
    holders = some.sampled_from([*((name, False) for name in people), *((name, True) for name in GROUPS)])
    grants = some.builds(
        lambda holder, role: Grant(holder[0], role, holder[1]), holders, some.sampled_from(ROLES)
    )
    tables = some.builds(
        Table,
        access=some.sampled_from(["login", "grant", "public", "login", "grant", "Public"]),
        owner=some.sampled_from(["", "", *people]),
        row_rule=some.sampled_from(["groups", "username", "groups", "username", "", "other"]),
        row_column=some.sampled_from(["team", "who", "team", "who", "digit", "gone"]),
        grants=some.frozensets(grants, max_size=3),
        is_deleted=_seldom,
        rows=_rows,
    ).map(_sound)
    return World(people, {name: draw(tables) for name in TABLES})


def _sound(table: Table) -> Table:
    # A column without a rule cannot be stored
    return table if table.row_rule else Table(**{**vars(table), "row_column": ""})


@pytest.fixture
def no_thread_kept() -> Iterator[None]:
    yield
    # The traceback of a refusal keeps the thread on which Django's client has run the view
    gc.collect()


@hypothesis(
    max_examples=32,
    deadline=None,
    derandomize=True,
    database=None,
    # To make a world smaller that goes wrong takes longer than a test may
    phases=[Phase.generate],
    # Each world is made anew
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds(), place=some.integers(0, 3))
def test_each_door_gives_exactly_the_rows_that_are_right(world: World, place: int):
    for model in (Dataset, User, Group):
        model.objects.all().delete()
    visitors = [nobody(), *(Visitor(name, user) for name, user in make(world).items())]
    # What goes by HTTP takes longer, so one goes there
    at_the_site = visitors[place % len(visitors)]
    wrong: dict[str, Any] = {}
    for visitor, (name, table) in product(visitors, world.tables.items()):
        right = numbers(world, visitor.name, table)
        found = {door: take(visitor, name) for door, take in IN_CODE.items()}
        if visitor is at_the_site:
            found |= _found_at_the_site(visitor, name)
        wrong |= {f"{door}: {visitor.name} / {name}": rows for door, rows in found.items() if rows != right}
        if may(visitor.user, "open", Dataset.objects.get(name=name)) != (right is not None):
            wrong[f"may: {visitor.name} / {name}"] = right
    for one, names in listed(at_the_site).items():
        if names != _list(world, at_the_site.name, one):
            wrong[f"{one}: {at_the_site.name}"] = names
    assert not wrong


def _found_at_the_site(visitor: Visitor, name: str) -> dict[str, Seen]:
    found = {"page": page(visitor, name)} | {door: take(visitor, name) for door, take in DOWNLOADS.items()}
    if visitor.is_off:
        # A token of his is refused, and so does not even show what is public
        assert found.pop("download by a program") is None
    elif visitor.name:
        maker = Visitor(MAKER, User.objects.get(username=MAKER))
        found["as somebody else sees it"] = look(maker.browser, visitor.name, name)
    return found


def _list(world: World, name: str, which: str) -> set[str]:
    """The names that are right in a list."""
    if which == "deleted on the page":
        return {
            one
            for one, table in world.tables.items()
            if table.is_deleted and holds(world, name, table, "manage")
        }
    return {one for one, table in world.tables.items() if holds(world, name, table, "open")}
